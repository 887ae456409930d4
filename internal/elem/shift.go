package elem

// Shift stores (x[i] − a) − b in dst[i]. dst may be x, and is as long.
func Shift(dst, x []float64, a, b float64) {
	dst = dst[:len(x)]
	for i := shift(dst, x, a, b); i < len(x); i++ {
		dst[i] = x[i] - a - b
	}
}
