package elem

import "github.com/prefgrad/prefgrad/internal/num"

// Excess stores eˣ − 1 − x, given e = eˣ, in dst, which may be x or e: what num.ExcessOf returns. Lengths must fit.
func Excess(dst, x, e []float64) {
	x, e = x[:len(dst)], e[:len(dst)]
	for i := excess(dst, x, e); i < len(dst); i++ {
		dst[i] = num.ExcessOf(x[i], e[i])
	}
}
