//go:build !amd64 || purego

package elem

func exp(dst, x []float64, a, b float64) int { return 0 }

func sum(x []float64, sums *[lanes]float64) int { return 0 }

func regular(value, slope, z []float64, epsilon float64) int { return 0 }

func logRatios(b Pairs, beta, epsilon float64, sums *[lanes]float64) (n int, counts [3]int) {
	return 0, counts
}

func dots[T Float](sums *[4][lanes]float64, x []T, d int, theta []float64) bool { return false }

func addRows[T Float](grad []float64, x []T, d int, w *[4]float64) bool { return false }
