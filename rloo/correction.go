package rloo

import (
	"fmt"
	"math"
)

// Reweight multiplies weights by importance ratios ρ = π/μ of samples that come from another
// distribution μ than the policy, such as an older one (replay) or a sampler of other
// precision; sampler.Importance computes them, per token or per reply, with its bounds,
// their effective size and how often a bound acted:
//
//	∇ E_π[f] = E_μ[ρ·(f − b)·∇ log π],    ρ the ratio of the whole reply
//
// is exact, also with a leave-one-out baseline b of the unweighted f, which is independent of
// the reply. Ratios of tokens leave out that prefixes come from μ; bounds bias further.
//
// dst holds the weights and is multiplied in place; ρ has as many elements as dst, or one for
// each reply of l. A ratio that is NaN, infinite or negative, or a product that overflows, is
// an error that names its index; 0·weight is 0. Masked elements are not read. It panics if
// ratios have neither length.
func Reweight(dst, rho []float64, l Layout) error {
	n := l.check(len(dst))
	if len(rho) != len(dst) && len(rho) != n {
		panic(badLength)
	}
	for i := range n {
		lo, hi := l.reply(i)
		for p := lo; p < hi; p++ {
			if !l.counts(p) {
				continue
			}
			at := p
			if len(rho) != len(dst) {
				at = i
			}
			if r := rho[at]; !(r >= 0) || !isFinite(r) {
				return fmt.Errorf("rloo: rho[%d] = %v, must be finite and not negative", at, r)
			}
			if w := dst[p] * rho[at]; isFinite(w) {
				dst[p] = w
			} else {
				return fmt.Errorf("rloo: weight[%d] = %v times rho[%d] = %v, must be finite", p, dst[p], at, rho[at])
			}
		}
	}
	return nil
}

// MaskStats counts what a mask left out.
type MaskStats struct {
	Tokens, DroppedTokens   int // that count in the Layout, and of them those that the mask leaves out
	Replies, DroppedReplies int // all, and those of which the mask leaves out every token, of one at least
}

// Rejection leaves out tokens, or replies, on which policy and behaviour μ disagree: those
// with k(log π/μ) > Max, for k of By. As a mask it biases the gradient, to that of the
// samples that are left; what it saves is variance and, where π and μ should be one
// distribution computed twice, damage by tokens on which they are not. (The rejection
// sampling of verl's rollout correction. IcePop, arXiv:2510.18855, keeps ρ between two bounds
// instead: that is sampler.Importance with Mask.)
type Rejection struct {
	By  KLValue // required
	Max float64 // nats, not negative; for K1 the bound is on the absolute value

	// Replies judges whole replies by the mean over their tokens, and leaves out all or none.
	Replies bool
}

// Mask stores in dst which tokens count in l and are kept: the Mask of a new Layout. target
// and behaviour hold log π and log μ of each token. dst may be l.Mask.
//
// Errors: fields out of range; a log-probability that is not finite. It panics on different
// lengths.
func (r Rejection) Mask(dst []bool, target, behaviour []float64, l Layout) (MaskStats, error) {
	if r.By < K1 || r.By > K3 {
		return MaskStats{}, fmt.Errorf("rloo: Rejection.By = %v, must be k1, k2 or k3", r.By)
	}
	if !(r.Max >= 0) {
		return MaskStats{}, fmt.Errorf("rloo: Rejection.Max = %v, must not be negative", r.Max)
	}
	value := func(p int) float64 { return r.By.At(target[p] - behaviour[p]) }
	return l.mask(dst, target, behaviour, func(_, p int, mean float64) bool {
		if !r.Replies {
			mean = value(p)
		}
		return math.Abs(mean) <= r.Max
	}, value)
}

// NegativeMask leaves out replies with a negative advantage that the policy has already
// moved away from: those with mean_t log(μ/π)(y_t) > Delta, over the tokens that count. They
// are the samples whose gradient pushes down what the policy would hardly draw any more
// (the off-policy sequence mask of DeepSeek-V3.2, arXiv:2512.02556). The mask biases the
// gradient towards the replies that are left.
type NegativeMask struct {
	Delta float64 // nats per token, not NaN
}

// Mask stores in dst which tokens count in l and are kept; advantage has an element for each
// reply. The rest is as for [Rejection.Mask].
func (m NegativeMask) Mask(dst []bool, advantage, target, behaviour []float64, l Layout) (MaskStats, error) {
	if math.IsNaN(m.Delta) {
		return MaskStats{}, fmt.Errorf("rloo: NegativeMask.Delta = %v, must be a number", m.Delta)
	}
	if l.check(len(dst)) != len(advantage) {
		panic(badLength)
	}
	for i, a := range advantage {
		if math.IsNaN(a) {
			return MaskStats{}, fmt.Errorf("rloo: advantage[%d] = NaN", i)
		}
	}
	return l.mask(dst, target, behaviour, func(i, _ int, mean float64) bool {
		return advantage[i] >= 0 || mean <= m.Delta
	}, func(p int) float64 { return behaviour[p] - target[p] })
}

// mask stores what counts and is kept, by the mean over a reply of value and by the token.
func (l Layout) mask(dst []bool, target, behaviour []float64, keep func(i, p int, mean float64) bool, value func(p int) float64) (MaskStats, error) {
	n := l.check(len(dst))
	if len(target) != len(dst) || len(behaviour) != len(dst) {
		panic(badLength)
	}
	s := MaskStats{Replies: n}
	from := 0
	for i := range n {
		lo, hi := l.reply(i)
		clear(dst[from:lo])
		from = hi
		sum, counted := 0.0, 0
		for p := lo; p < hi; p++ {
			if !l.counts(p) {
				continue
			}
			for j, v := range [2]float64{target[p], behaviour[p]} {
				if !isFinite(v) {
					return MaskStats{}, fmt.Errorf("rloo: %s[%d] = %v, must be finite", [2]string{"target", "behaviour"}[j], p, v)
				}
			}
			sum += value(p)
			counted++
		}
		kept := 0
		for p := lo; p < hi; p++ {
			if dst[p] = l.counts(p) && keep(i, p, sum/float64(counted)); dst[p] {
				kept++
			}
		}
		s.Tokens += counted
		s.DroppedTokens += counted - kept
		if counted > 0 && kept == 0 {
			s.DroppedReplies++
		}
	}
	return s, nil
}
