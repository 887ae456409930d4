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
// with k(log π/μ) > Max, for k of By; sampler.Rejection draws by rewards instead. As a mask it biases the gradient, to that of the
// samples that are left; what it saves is variance and, where π and μ should be one
// distribution computed twice, damage by tokens on which they are not. loss.IcePop and
// loss.GeometricMask keep the ratio itself between two bounds, and loss.OffPolicySequences
// looks at the advantage, too.
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
	s := MaskStats{Replies: l.check(len(dst))}
	if len(target) != len(dst) || len(behaviour) != len(dst) {
		panic(badLength)
	}
	from := 0
	for i := range s.Replies {
		lo, hi := l.reply(i)
		clear(dst[from:lo])
		from = hi
		counted, kept, err := r.reply(dst[lo:hi], target, behaviour, l, lo)
		if err != nil {
			return MaskStats{}, err
		}
		s.Tokens += counted
		s.DroppedTokens += counted - kept
		if counted > 0 && kept == 0 {
			s.DroppedReplies++
		}
	}
	return s, nil
}

// reply fills the mask of the reply that begins at lo.
func (r Rejection) reply(dst []bool, target, behaviour []float64, l Layout, lo int) (counted, kept int, err error) {
	sum := 0.0
	for p := lo; p < lo+len(dst); p++ {
		if !l.counts(p) {
			continue
		}
		if v := target[p]; !isFinite(v) {
			return 0, 0, fmt.Errorf("rloo: target[%d] = %v, must be finite", p, v)
		}
		if v := behaviour[p]; !isFinite(v) {
			return 0, 0, fmt.Errorf("rloo: behaviour[%d] = %v, must be finite", p, v)
		}
		sum += r.By.At(target[p] - behaviour[p])
		counted++
	}
	for j := range dst {
		p := lo + j
		if dst[j] = l.counts(p); !dst[j] {
			continue
		}
		k := sum / float64(counted)
		if !r.Replies {
			k = r.By.At(target[p] - behaviour[p])
		}
		if dst[j] = math.Abs(k) <= r.Max; dst[j] {
			kept++
		}
	}
	return counted, kept, nil
}
