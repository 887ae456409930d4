package coverage

import (
	"cmp"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/internal/num"
)

// BestOfN stores in dst the log-probabilities of best-of-n (sampler.BestOfN is an estimate of its
// worth from draws, train.BestOfN trains on it): of n independent draws from
// π_ref, one with the highest reward, chosen uniformly among the draws that tie. With
// F(r) the probability of a reward ≤ r, F⁻(r) of one < r, and Q = F − F⁻,
//
//	π(y) = π_ref(y)·(F(r_y)ⁿ − F⁻(r_y)ⁿ)/Q(r_y)
//
// Rewards must not be NaN: then all of dst is. dst may be logref itself, but not reward.
// It panics if n < 1 or the lengths differ.
func BestOfN(dst, logref, reward []float64, n int) {
	sameLength(dst, logref)
	sameLength(dst, reward)
	if n < 1 {
		panic("coverage: n < 1")
	}
	order := make([]int, len(reward))
	for i := range order {
		order[i] = i
	}
	if slices.ContainsFunc(reward, math.IsNaN) {
		for i := range dst {
			dst[i] = math.NaN()
		}
		return
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(reward[b], reward[a]) }) // best first
	// atMost[j] is log Σ π_ref over order[j:], from the worst upwards.
	atMost := make([]float64, len(order)+1)
	atMost[len(order)] = math.Inf(-1)
	for j, y := range slices.Backward(order) {
		atMost[j] = num.LogAddExp(atMost[j+1], logref[y])
	}
	above := 0.0
	for i := 0; i < len(order); {
		level, logQ, j := reward[order[i]], math.Inf(-1), i
		for ; j < len(order) && reward[order[j]] == level; j++ {
			logQ = num.LogAddExp(logQ, logref[order[j]])
		}
		logF := atMost[i]
		if above < 0.5 { // 1 − F is the smaller one, and keeps its digits
			logF = math.Log1p(-above)
		}
		// log((Fⁿ − F⁻ⁿ)/Q), with F⁻/F = 1 − Q/F.
		ratio := float64(n)*logF - logQ
		switch share := math.Exp(logQ - logF); {
		case share < 1e-300: // n·Q/F, to first order
			ratio = math.Log(float64(n)) + float64(n-1)*logF
		case share < 1:
			ratio += math.Log(-math.Expm1(float64(n) * math.Log1p(-share)))
		}
		for ; i < j; i++ {
			y := order[i]
			if above += math.Exp(logref[y]); math.IsInf(logref[y], -1) {
				dst[y] = logref[y]
			} else {
				dst[y] = logref[y] + ratio
			}
		}
	}
}

// BestOfNBounds returns what the divergences of best-of-n from its reference cannot
// exceed, and attain for a reward without ties on a continuum:
//
//	max w ≤ n,   KL ≤ log n − (n−1)/n,   χ² ≤ n²/(2n−1) − 1
//
// It panics if n < 1.
func BestOfNBounds(n int) (logMax, kl, chi2 float64) {
	if n < 1 {
		panic("coverage: n < 1")
	}
	v := float64(n)
	return math.Log(v), math.Log(v) - (v-1)/v, (v - 1) * (v - 1) / (2*v - 1)
}
