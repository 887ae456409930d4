package loss

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// exps stores e^{a·x} in dst, for a = ±1; regular says that no |x| exceeds elem.Far.
func exps(dst, x []float64, a float64, regular bool) {
	elem.Exp(dst, x, a, 0)
	if regular {
		return
	}
	for j, v := range x {
		if !(math.Abs(v) <= elem.Far) {
			dst[j] = math.Exp(a * v)
		}
	}
}

// near is up to which |z| the terms of e^z − 1 − z are said to cancel.
const near = 0.25

// excess is e^z − 1 − z ≥ 0, given e = e^z.
func excess(z, e float64) float64 {
	if math.Abs(z) < near {
		return z * z * series(z)
	}
	if e > math.MaxFloat64 {
		return e
	}
	return e - 1 - z
}

// series is (e^z − 1 − z)/z² for |z| < near.
func series(z float64) float64 {
	z2 := z * z
	z4 := z2 * z2
	low := 1.0/2 + z*(1.0/6) + z2*(1.0/24+z*(1.0/120))
	mid := 1.0/720 + z*(1.0/5040) + z2*(1.0/40320+z*(1.0/362880))
	high := 1.0/3628800 + z*(1.0/39916800) + z2*(1.0/479001600)
	return low + z4*(mid+z4*high)
}
