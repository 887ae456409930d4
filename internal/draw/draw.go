// Package draw holds the one draw from a categorical distribution that the policies'
// own sampling and package sampler share.
package draw

import (
	"math"
	"math/rand/v2"
)

// Uniform returns a uniform number in [0, 1) with 53 random bits.
func Uniform(g *rand.PCG) float64 { return float64(g.Uint64()>>11) / (1 << 53) }

// Categorical returns the index that u ∈ [0, 1) selects by inversion of the
// distribution function of the log-probabilities logp, which must be normalised up
// to rounding. Rounding can leave a sliver of [0, 1) above the last partial sum: it
// belongs to the last index of positive probability. An index of probability 0 is
// never returned; −1 means that there is no other.
func Categorical(logp []float64, u float64) int {
	last, sum := -1, 0.0
	for i, l := range logp {
		p := math.Exp(l)
		if p == 0 {
			continue
		}
		if sum += p; u < sum {
			return i
		}
		last = i
	}
	return last
}
