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
