//go:build !amd64 || purego

package elem

func exp(dst, x []float64, a, b float64) int { return 0 }

func sum(x []float64, sums *[lanes]float64) int { return 0 }

func regular(value, slope, z []float64, epsilon float64) int { return 0 }

func logRatios(b Pairs, beta, epsilon float64, sums *[lanes]float64) (n int, counts [3]int) {
	return 0, counts
}

func largest(x []float64) (m float64, ok bool) { return 0, false }

func dots[T Float](dst *[4]float64, x []T, d int, theta []float64) bool { return false }

func addRows[T Float](grad []float64, x0, x1, x2, x3 *T, w *[4]float64) bool { return false }

func addRow[T Float](grad []float64, x *T, w *float64) bool { return false }

func tileColumns(n int) int { return 0 }

func addTile(columns, rows int, c []float32, cStride int, a []float32, aRow, aColumn int, b []float32, bStride, n int) {
}
