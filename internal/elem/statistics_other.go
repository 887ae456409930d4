//go:build !amd64 || purego

package elem

func sub(dst, x, y []float64, l *extremes) int { return 0 }

func powers(x []float64, a, b float64, sums *powerLanes) int { return 0 }

func subPowers(dst, x, y []float64, a, b float64, sums *powerLanes, l *extremes) int { return 0 }

func place(entry []int, over, x []float64, g *grid) int { return 0 }

func weighBins(entry []int, w, x []float64, g *grid) int { return 0 }

func scatter(table []Row, entry []int, w []float64) int { return 0 }

func groups(x []float64, k int, c float64, sums *[2][lanes]float64) int { return 0 }
