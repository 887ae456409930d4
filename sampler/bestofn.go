package sampler

import (
	"fmt"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/rloo"
)

// BestOfNKL returns log n − (n−1)/n, n ≥ 1: the divergence KL(best of n‖reference), in nats,
// where all rewards differ, and an upper bound of it where they can tie. n need not be
// whole: the distribution n·F(r)^{n−1}·π_ref has it for every n. It panics if n < 1.
//
// Beirami et al. 2024 (arXiv:2401.01879).
func BestOfNKL(n float64) float64 {
	if !(n >= 1) {
		panic("sampler: best of n < 1")
	}
	d := n - 1
	if d >= 0.01 {
		return math.Log(n) - d/n
	}
	sum, power := 0.0, d // Σ_{j≥2} (−1)^j·(j−1)/j·d^j, where the difference would cancel
	for j := 2; j < 12; j++ {
		power *= -d
		sum -= float64(j-1) / float64(j) * power
	}
	return sum
}

// NForKL returns the n ≥ 1 with BestOfNKL(n) = kl: the largest best-of-n within a budget is
// the whole number below. kl must be finite and not negative.
func NForKL(kl float64) (float64, error) {
	if !(kl >= 0) || math.IsInf(kl, 1) {
		return 0, fmt.Errorf("sampler: a KL of %v, must be finite and not negative", kl)
	}
	hi := math.Exp(kl + 1) // log n − (n−1)/n > log n − 1
	if math.IsInf(hi, 1) {
		return 0, fmt.Errorf("sampler: a KL of %v needs an n that overflows", kl)
	}
	return bisect(1, hi, func(n float64) bool { return BestOfNKL(n) < kl }), nil
}

// bisect returns the end of the numbers in [lo, hi] for which below holds.
func bisect(lo, hi float64, below func(float64) bool) float64 {
	for {
		mid := lo + (hi-lo)/2
		if mid <= lo || mid >= hi {
			return mid
		}
		if below(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
}

// BetaForKL returns the β for which π ∝ π_ref·e^{r/β} has the mean divergence kl from
// π_ref, as k draws from π_ref for each prompt and their rewards estimate it:
//
//	KL = log k − H(w),  w = softmax(r/β) over the k draws, averaged over the prompts
//
// It is the divergence between distributions on the draws that were made: it cannot exceed
// log k, and is too small where π is narrow compared to that, β so too small.
//
// Errors: a kl that is not positive or that no β reaches; a reward that is not finite, and
// rewards of a prompt whose differences overflow. It panics if k < 2 or len(reward) is not a
// multiple of it.
func BetaForKL(reward []float64, k int, kl float64) (float64, error) {
	if k < 2 || len(reward)%k != 0 {
		panic("sampler: k < 2, or rewards that are not a multiple of k")
	}
	spread, most := 0.0, 0.0
	for g := 0; g < len(reward); g += k {
		group := reward[g : g+k]
		for i, r := range group {
			if !(math.Abs(r) <= math.MaxFloat64) {
				return 0, fmt.Errorf("sampler: reward[%d] = %v, must be finite", g+i, r)
			}
		}
		top := slices.Max(group)
		if spread = max(spread, top-slices.Min(group)); math.IsInf(spread*float64(k), 1) {
			return 0, fmt.Errorf("sampler: rewards from %v to %v, whose differences overflow", slices.Min(group), top)
		}
		ties := 0
		for _, r := range group {
			if r == top {
				ties++
			}
		}
		most += math.Log(float64(k)/float64(ties)) * float64(k) / float64(len(reward))
	}
	if !(kl > 0) || kl >= most {
		return 0, fmt.Errorf("sampler: a KL of %v, must be positive and below %v, the most that these rewards can give", kl, most)
	}
	above := func(beta float64) bool { return tiltedKL(reward, k, beta) > kl }
	lo, hi := spread, spread
	for !above(lo) {
		if lo /= 2; lo == 0 { // kl is within rounding of the most
			return 0, fmt.Errorf("sampler: a KL of %v, which no β reaches", kl)
		}
	}
	for above(hi) {
		hi *= 2
	}
	return bisect(lo, hi, above), nil
}

// tiltedKL returns the mean over the groups of log k − H(softmax(r/β)).
func tiltedKL(reward []float64, k int, beta float64) float64 {
	total := 0.0
	for g := 0; g < len(reward); g += k {
		group := reward[g : g+k]
		first, sum := group[0], 0.0
		for _, r := range group {
			sum += r - first
		}
		total += tilted(group, first+sum/float64(k), beta)
	}
	return total * float64(k) / float64(len(reward))
}

// tilted returns log k − H(w) = E_w[d] − log E_u[e^d] for w = softmax(d), d = (r − mean)/β, and
// u uniform. Where all d are small both terms are of order d², which has to be seen: with
// E_u[d] = 0 they are E_u[d·(e^d−1)]/E_u[e^d] and log(1 + E_u[e^d−1−d]).
func tilted(reward []float64, mean, beta float64) float64 {
	top, least := slices.Max(reward), slices.Min(reward)
	n := float64(len(reward))
	if top-least < beta {
		first, second := 0.0, 0.0
		for _, r := range reward {
			d := (r - mean) / beta
			first += d * math.Expm1(d)
			second += rloo.K3.At(-d)
		}
		return first/(n+second) - math.Log1p(second/n)
	}
	sum, weighted := 0.0, 0.0
	for _, r := range reward {
		d := (r - top) / beta
		if w := math.Exp(d); w > 0 {
			sum += w
			weighted += w * d
		}
	}
	return weighted/sum - math.Log(sum/n)
}

// BestOfNWeights stores in dst the weights that make of draws from the reference an
// estimate under the best of n,
//
//	w(y) = n·F̂(r(y))^(n−1),    F̂(r) = (#{rⱼ < r} + ½·#{rⱼ = r})/m,
//
// with the mid-rank among the m rewards ref of other draws for the same prompt, independent
// of those in reward. n ≥ 1 need not be whole.
//
// F̂ is unbiased, its power is not: w is too large by about n·(n−1)(n−2)/2·F^(n−2)·(1−F)/m,
// so m should be well above n². Where rewards tie, mid-ranks are not exact either: the true
// weight is
// (F(r)ⁿ − F(r⁻)ⁿ)/(F(r) − F(r⁻)).
//
// A reward that is NaN and an n below 1 are errors; it panics on different lengths, and
// without ref.
func BestOfNWeights(dst, reward, ref []float64, n float64) error {
	if len(dst) != len(reward) || len(ref) == 0 {
		panic("sampler: slices of different lengths, or no reference rewards")
	}
	if !(n >= 1) || math.IsInf(n, 1) {
		return fmt.Errorf("sampler: n is %v, must be at least 1 and finite", n)
	}
	for j, r := range ref {
		if r != r {
			return fmt.Errorf("sampler: ref[%d] = NaN", j)
		}
	}
	for i, r := range reward {
		if r != r {
			return fmt.Errorf("sampler: reward[%d] = NaN", i)
		}
		rank := 0.0
		for _, other := range ref {
			switch {
			case other < r:
				rank++
			case other == r:
				rank += 0.5
			}
		}
		dst[i] = n * math.Pow(rank/float64(len(ref)), n-1)
	}
	return nil
}
