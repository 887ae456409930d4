//go:build !amd64 || purego

package elem

func log(dst, x []float64) int { return 0 }

func above(mask []uint64, x []float64, floor float64) int { return 0 }

func products(m *[together]float64, n *[together]int64, a *[together]float64, x []float64, every int) bool {
	return false
}

func shift(dst, x []float64, a, b float64) int { return 0 }
