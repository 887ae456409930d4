package loss

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// exps stores e^{a·x} in dst, which may be x, for a = ±1. In a block with a result outside the normal numbers each
// is computed alone.
func exps(dst, x []float64, a float64) {
	if least, most, ok := elem.Extent(x); ok && least >= -elem.Far && most <= elem.Far {
		elem.Exp(dst, x, a, 0)
		return
	}
	for i, v := range x {
		dst[i] = math.Exp(a * v)
	}
}
