package sampler

import (
	"fmt"
	"math"
	"slices"
)

// BestOfN is what the rewards of draws from a reference tell of the best of n of them: a result of
// [EstimateBestOfN]. train.BestOfN trains a policy on such draws, coverage.BestOfN computes the
// distribution of the best exactly.
type BestOfN struct {
	Reward  float64 // E[max of n], unbiased
	WinRate float64 // P(best of n beats one more draw), ties ½, unbiased; n/(n+1) if rewards never tie
	KL      float64 // KL(best of n‖reference), nats: of the draws as if they were the distribution
}

// EstimateBestOfN estimates the best of n from the rewards of N > n independent draws for one
// prompt. Reward and WinRate are averages over all choices of n, and of one more, of the
// N draws (U-statistics), which are had from the ranks at once. KL is that of the best of n
// of the empirical distribution; draws with equal rewards count as one level, within which
// best-of-n does not choose:
//
//	KL = Σ_levels (Fⁿ − F⁻ⁿ)·log((Fⁿ − F⁻ⁿ)/(F − F⁻))
//
// It is too small for few draws, and at most [BestOfNKL].
//
// A reward that is not finite, n < 1 and N ≤ n are errors.
func EstimateBestOfN(reward []float64, n int) (BestOfN, error) {
	size := len(reward)
	if n < 1 || size <= n {
		return BestOfN{}, fmt.Errorf("sampler: best of %d from %d draws, must be at least 1 and fewer than the draws", n, size)
	}
	for i, r := range reward {
		if !(math.Abs(r) <= math.MaxFloat64) {
			return BestOfN{}, fmt.Errorf("sampler: reward[%d] = %v, must be finite", i, r)
		}
	}
	sorted := slices.Clone(reward)
	slices.Sort(sorted)
	all, others := chooseRatios(size, n), chooseRatios(size-1, n)
	var b BestOfN
	for lo := 0; lo < size; {
		hi := lo + 1
		for hi < size && sorted[hi] == sorted[lo] {
			hi++
		}
		b.Reward += (all[hi] - all[lo]) * sorted[lo]
		// One of the level, against n of the other N−1: hi−1 of them are not above it.
		beaten, tied := 1-others[hi-1], others[hi-1]-others[lo]
		b.WinRate += (beaten + tied/2) * float64(hi-lo) / float64(size)
		p := math.Pow(float64(hi)/float64(size), float64(n)) - math.Pow(float64(lo)/float64(size), float64(n))
		if p > 0 {
			b.KL += p * math.Log(p*float64(size)/float64(hi-lo))
		}
		lo = hi
	}
	return b, nil
}

// chooseRatios returns C(i, n)/C(size, n) for i = 0 … size: the probability that n of size
// things are all among i of them.
func chooseRatios(size, n int) []float64 {
	q := make([]float64, size+1)
	q[size] = 1
	for i := size; i > n; i-- {
		q[i-1] = q[i] * float64(i-n) / float64(i)
	}
	return q
}
