package coverage

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// ClopperPearson returns the exact interval of the given level for a probability, of which k
// of n independent trials came true: for the coverage profile at one N that was fixed
// before, with one sample of π for each prompt. Samples of one prompt are not independent:
// use the band of [Histogram.Profile]. It panics unless 0 ≤ k ≤ n, n > 0 and
// 0 < level < 1.
func ClopperPearson(k, n int, level float64) (lo, hi float64) {
	if k < 0 || k > n || n < 1 || !(level > 0 && level < 1) {
		panic("coverage: k outside [0, n], n < 1 or level outside (0, 1)")
	}
	tail, a, b := (1-level)/2, float64(k), float64(n-k)
	hi = 1
	if k > 0 {
		lo = mathext.InvRegIncBeta(a, b+1, tail)
	}
	if k < n {
		hi = mathext.InvRegIncBeta(a+1, b, 1-tail)
	}
	return lo, hi
}

// DKW returns the half-width of a band that holds a whole distribution function, and so the
// whole coverage profile, with the given probability: √(log(2/(1−level))/(2n)) for n
// independent samples of π, one for each prompt (Dvoretzky, Kiefer, Wolfowitz; constant of
// Massart 1990). It panics unless n > 0 and 0 < level < 1.
func DKW(n int, level float64) float64 {
	if n < 1 || !(level > 0 && level < 1) {
		panic("coverage: n < 1 or level outside (0, 1)")
	}
	return math.Sqrt(math.Log(2/(1-level)) / (2 * float64(n)))
}

// EmpiricalBernstein returns the half-width of an interval of the given level around the mean
// of n independent values, known to lie in a range of the given width, with the sample
// variance v = Σ(xᵢ − x̄)²/(n−1):
//
//	√(2v·log(4/δ)/n) + 7·width·log(4/δ)/(3(n−1)),   δ = 1 − level
//
// (Maurer and Pontil 2009, arXiv:0907.3740, theorem 4, used for both sides). Nothing is assumed
// of the tail, so importance weights must be cut to have a range, and it is about the cut
// ones only. With x = w·1{w < N} ∈ [0, N] of one sample of π_ref for each prompt, 1 − x̄ is an
// estimate of the coverage profile Cov_N that includes what no sample of π_ref shows. It
// panics unless n > 1, variance ≥ 0, width ≥ 0 and 0 < level < 1.
func EmpiricalBernstein(n int, variance, width, level float64) float64 {
	if n < 2 || !(variance >= 0) || !(width >= 0) || !(level > 0 && level < 1) {
		panic("coverage: n < 2, variance or width < 0, or level outside (0, 1)")
	}
	l := math.Log(4 / (1 - level))
	return math.Sqrt(2*variance*l/float64(n)) + 7*width*l/(3*float64(n-1))
}
