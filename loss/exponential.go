package loss

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// Exponential is the link e⁻ᶻ, with slope −e⁻ᶻ. It exceeds float64 for z < −709, and then
// is +Inf. With labels won with probability p the minimiser is z = ½·log(p/(1−p)), half of
// the logistic link's.
type Exponential struct{}

// Link implements [Link].
func (Exponential) Link(value, slope, z []float64) {
	expNeg(value, z)
	for i, v := range value {
		slope[i] = -v
	}
}

// Curvature implements [CurvedLink]: e⁻ᶻ.
func (Exponential) Curvature(c, z []float64) { expNeg(c, z) }

// Check implements [Link].
func (Exponential) Check() error { return nil }

// expNeg stores e⁻ᶻ in dst, which may be z. In a block with a result outside the normal numbers each is
// computed alone.
func expNeg(dst, z []float64) {
	for _, x := range z {
		if !(math.Abs(x) <= elem.Far) {
			for i, x := range z {
				dst[i] = math.Exp(-x)
			}
			return
		}
	}
	elem.Exp(dst, z, -1, 0)
}
