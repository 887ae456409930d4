package rloo

import (
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
	"github.com/prefgrad/prefgrad/internal/num"
)

// ReverseKL stores in dst the weights of tokens (or, with the zero Layout, of replies) that
// estimate the gradient of the reverse KL of whole sequences (loss.ReverseKL is a link),
//
//	∇ KL(π‖π_ref) = E_π[Σ_t (Σ_{u≥t} ℓ_u − b_t)·∇ log π(y_t)] ≈ (1/n)·Σᵢ Σ_t dst[it]·∇ log π(y_it)
//
// over n replies: k1 as a cost with what is still to come, exact, since what came before y_t
// does not depend on it. The baseline b_t is the mean of Σ_{u≥t} ℓ_u over the other replies
// of the prompt at the same place, 0 for those that have ended; it is independent of the
// reply, so nothing is lost. A group of one has no baseline: unbiased, and noisy. With the
// zero Layout this is [KL]. To descend the KL in a reward that is ascended, subtract it:
// [RegularisedReward].
//
// logp and ref hold log π and log π_ref of y, in nats; dst may be either. One that is not
// finite is an error that names field, index and value, and so are groups that are marked
// as dependent. It panics on different lengths. dst is unspecified after an error.
func ReverseKL(dst, logp, ref []float64, l Layout, g Groups) error {
	if err := l.ratios(dst, logp, ref); err != nil {
		return err
	}
	return l.toGo(dst, g)
}

// ForwardKL stores in dst the weights that estimate the gradient of the forward KL of whole
// sequences from samples of π (loss.ForwardKL is a score),
//
//	∇ KL(π_ref‖π) = E_π[Σ_t W_{t−1}·(1 − e^{−ℓ_t})·∇ log π(y_t)],    W_t = Π_{u≤t} π_ref/π(y_u)
//
// Only the ratio of the prefix enters: that of what comes after has mean 1. W_{t−1} is a
// baseline that depends on nothing later, and so no group is needed. It needs π > 0 wherever
// π_ref > 0 (no top-p, no top-k), and has a large variance where π has lost a response.
// From samples of π_ref itself the gradient is −E_ref[∇ log π]: the weight −1 on every
// token, which is maximum likelihood.
//
// Errors and panics are those of [ReverseKL]; a weight that overflows is an error too.
func ForwardKL(dst, logp, ref []float64, l Layout) error {
	if err := l.ratios(dst, logp, ref); err != nil {
		return err
	}
	for i := range l.check(len(dst)) {
		lo, hi := l.reply(i)
		past := 0.0 // −log W_{t−1}
		for p := lo; p < hi; p++ {
			if !l.counts(p) {
				continue
			}
			// W_{t−1}·(1 − e^{−ℓ}) without 0·∞.
			r := dst[p]
			if r > -1 {
				dst[p] = -math.Exp(-past) * math.Expm1(-r)
			} else {
				dst[p] = math.Exp(-past) - math.Exp(-past-r)
			}
			if past += r; !isFinite(dst[p]) {
				return overflow("forward KL", p, past)
			}
		}
	}
	return nil
}

// ReverseKLInLoss stores in dst the derivatives of Σ k2(ℓ) with respect to log π, which are
// ℓ, or with behaviour, which holds log μ of the distribution drawn from, those of Σ ρ·k3(ℓ),
// ρ = π/μ, which are ρ·ℓ:
//
//	ρ·(dk3/dlog π) + ρ·k3 = ρ·(1 − e^{−ℓ}) + ρ·(e^{−ℓ} − 1 + ℓ) = ρ·ℓ
//
// Of replies (the zero Layout) that is ∇ KL(π‖π_ref) in expectation, without a baseline. Of
// tokens it is E[Σ_t ∇KL(π(·|y_<t)‖π_ref(·|y_<t))] with the prefixes held fixed: it leaves
// out that a token changes the KL of what follows, and with behaviour that the prefixes are
// those of μ. [ReverseKL] has the whole gradient.
//
// behaviour may be nil: the samples are on-policy. Errors and panics are those of
// [ForwardKL]; what overflows is an error and never clamped.
func ReverseKLInLoss(dst, logp, ref, behaviour []float64, l Layout) error {
	if behaviour != nil && len(behaviour) != len(dst) || len(logp) != len(dst) || len(ref) != len(dst) {
		panic(badLength)
	}
	return l.fill(dst, func(p int) (float64, error) {
		r, err := ratio(logp[p], ref[p], p)
		if err != nil || behaviour == nil {
			return r, err
		}
		if b := behaviour[p]; !isFinite(b) {
			return 0, fmt.Errorf("rloo: behaviour[%d] = %v, must be finite", p, b)
		}
		rho := logp[p] - behaviour[p]
		v := r * math.Exp(rho)
		if r == 0 {
			v = 0
		}
		if !isFinite(v) {
			return 0, overflow("ratio", p, rho)
		}
		return v, nil
	})
}

// ForwardKLInLoss stores in dst the derivatives of Σ k3(ℓ) with respect to log π, which are
// 1 − e^{−ℓ}. Of replies (the zero Layout) that is in expectation the gradient of the
// forward KL, KL(π_ref‖π), though the value of k3 is the reverse one: this is what "the k3
// penalty in the loss" descends. Of tokens it is E_π[Σ_t ∇KL(π_ref(·|y_<t)‖π(·|y_<t))], with
// prefixes of π held fixed; [ForwardKL] is the gradient of a divergence of sequences.
//
// Errors and panics are those of [ForwardKL].
func ForwardKLInLoss(dst, logp, ref []float64, l Layout) error {
	if err := l.ratios(dst, logp, ref); err != nil {
		return err
	}
	var power, minus [chunk]float64
	for lo := 0; lo < len(dst); lo += chunk { // all positions: the derivative at 0 is 0
		d := dst[lo:min(lo+chunk, len(dst))]
		e, x := power[:len(d)], minus[:len(d)]
		least, most, _ := elem.Extent(d)
		regular := least >= -elem.Far && most <= elem.Far
		if regular {
			elem.Exp(e, d, -1, 0)
			elem.Affine(x, d, -1, 0)
			elem.Excess(x, x, e)
		}
		for i, r := range d {
			switch {
			case !regular:
				d[i] = -math.Expm1(-r)
			case math.Abs(r) <= num.ExcessNear:
				d[i] = r - x[i]
			default:
				d[i] = 1 - e[i]
			}
			if !isFinite(d[i]) {
				return overflow("forward KL", lo+i, r)
			}
		}
	}
	return nil
}
