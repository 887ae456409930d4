// Package draw holds the one draw from a categorical distribution that the policies'
// own sampling and package sampler share.
package draw

import (
	"math"
	"math/rand/v2"
	"sort"
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

// CDF stores the partial sums of e^logp in dst, for several draws with Search.
func CDF(dst, logp []float64) {
	sum := 0.0
	for i, l := range logp {
		sum += math.Exp(l)
		dst[i] = sum
	}
}

// Search returns the index that u ∈ [0, 1) selects from the partial sums cdf: the
// first whose sum is above u, and Categorical(logp, u) but for indices so improbable
// that adding them left the sum as it was. −1 means that cdf is 0 throughout.
func Search(cdf []float64, u float64) int {
	n := len(cdf)
	if n == 0 || cdf[n-1] == 0 {
		return -1
	}
	if u >= cdf[n-1] {
		u = math.Nextafter(cdf[n-1], 0) // the sliver above belongs to the last
	}
	if n > short {
		return sort.Search(n, func(i int) bool { return cdf[i] > u })
	}
	// Numbers that are not negative have the order of their bits, and a difference has a sign: without branches,
	// none of which could be foreseen, looking at all is the fastest.
	y, next := 0, math.Float64bits(u)+1
	for _, c := range cdf {
		y += int((math.Float64bits(c) - next) >> 63)
	}
	return y
}

// short is the length up to which Search counts the sums that are not above u.
const short = 64
