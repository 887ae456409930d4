//go:build !amd64 || purego

package elem

func differences(dst, x, y []float64) (n int, finite bool) { return 0, true }

func affine(dst, x []float64, a, b float64) int { return 0 }

func scaledProducts(dst, g, d []float64, a float64) (n int, ordered bool) { return 0, true }

func weigh(x, w []float64) int { return 0 }

func tally(d, g, h []float64) (n int, counts [3]int) { return 0, counts }

func excess(dst, x, e []float64) int { return 0 }

func extent(x []float64) (least, most float64, finite, ok bool) { return 0, 0, false, false }
