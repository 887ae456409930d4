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
