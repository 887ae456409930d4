package loss

import (
	"cmp"
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
	"github.com/prefgrad/prefgrad/internal/num"
)

// klTerm adds beta times an estimate of a KL divergence between π and π_ref to each token,
// from ℓ = log π − log π_ref: k3 = e^{−ℓ} − 1 + ℓ, times the token's ratio if weighted.
type klTerm struct {
	beta     float64
	weighted bool
}

func (k klTerm) add(r *reply) {
	elem.Differences(r.toRef, r.LogProb, r.ref)
	exps(r.expToRef, r.toRef, -1)
	elem.Affine(r.excess, r.toRef, -1, 0)
	elem.Excess(r.excess, r.excess, r.expToRef)
	for j, l := range r.toRef {
		v := r.excess[j]
		s := 1 - r.expToRef[j] // the derivative of v, unless its terms cancel
		switch {
		case k.weighted:
			v, s = k.weigh(r, j)
		case math.Abs(l) <= num.ExcessNear:
			s = l - v
		}
		r.loss[j] += k.beta * v
		r.slope[j] += k.beta * s
	}
}

// weigh is ρ·k3 of token j and its derivative ρ·ℓ.
func (k klTerm) weigh(r *reply, j int) (value, slope float64) {
	l, e, rho := r.toRef[j], r.expToRef[j], r.Ratio[j]
	switch {
	case l == 0:
		return 0, 0
	case math.IsInf(rho, 1) && !math.IsInf(l, 0): // the product need not exceed every number
		d := r.diff[j]
		return math.Exp(d + math.Log(r.excess[j])), math.Copysign(math.Exp(d+math.Log(math.Abs(l))), l)
	case rho == 0, math.IsInf(e, 1): // ρ·e^{−ℓ} is π_ref/π_old, however large π_ref/π is, and the rest beside it nothing
		old := r.LogProb[j]
		if r.old != nil {
			old = r.old[j]
		}
		return math.Exp(r.ref[j] - old), product(rho, l)
	}
	return rho * r.excess[j], rho * l
}

// ReverseKLTerm is the term
//
//	β·Σ_t ρ_t·k3_t,   k3 = e^{−ℓ} − 1 + ℓ,   ℓ = log π(y_t|x, y_<t) − log π_ref(y_t|x, y_<t)
//
// whose derivative with respect to log π is β·ρ_t·ℓ_t: with replies from π_old in expectation,
// given the prefix, that of β·KL(π(·|x, y_<t)‖π_ref(·|x, y_<t)), which is also its value. Over a
// whole reply it is not the derivative of KL(π‖π_ref), since it leaves out that a token moves
// the KLs of those after it; that of the sequence comes from a reward with −β·ℓ, see package
// rloo. With Old nil the derivative is β·ℓ_t, which is k2's.
//
// k3 ≥ 0, and grows like π_ref/π; support of π_ref outside that of π_old, as after top-p, is
// missed. A π_ref of 0 costs +Inf.
//
// Beta is finite and not negative. It uses Old and Ref of [Rollouts], and neither Advantage nor
// Weight. By must be set.
type ReverseKLTerm struct {
	Beta float64 // β, the KL coefficient: loss per nat
	By   Aggregation
}

// ForwardKLTerm is the term
//
//	β·Σ_t k3_t,   k3 = e^{−ℓ} − 1 + ℓ,   ℓ = log π(y_t|x, y_<t) − log π_ref(y_t|x, y_<t)
//
// of [GRPO]. The mean of k3 over replies from π is KL(π‖π_ref) per token, but the mean of its
// derivative β·(1 − e^{−ℓ}) is that of β·KL(π_ref‖π): the forward divergence is what this term
// pulls down. The two agree to first order near π = π_ref only. For the divergence that it is
// named after in most code there is [ReverseKLTerm].
//
// Beta is finite and not negative. It uses Ref of [Rollouts], and neither Advantage nor Weight.
// By must be set.
type ForwardKLTerm struct {
	Beta float64 // β, the KL coefficient: loss per nat
	By   Aggregation
}

var (
	_ PolicyGradient = ReverseKLTerm{}
	_ PolicyGradient = ForwardKLTerm{}
)

// Eval implements [PolicyGradient].
func (l ReverseKLTerm) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	return evalRollouts(dst, b, klKernel{klTerm{l.Beta, true}}, l.By, needsRef,
		cmp.Or(nonNegative("ReverseKLTerm.Beta", l.Beta), l.By.check("ReverseKLTerm.By")))
}

// Eval implements [PolicyGradient].
func (l ForwardKLTerm) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	return evalRollouts(dst, b, klKernel{klTerm{l.Beta, false}}, l.By, needsRef,
		cmp.Or(nonNegative("ForwardKLTerm.Beta", l.Beta), l.By.check("ForwardKLTerm.By")))
}

type klKernel struct{ klTerm }

func (k klKernel) run(r *reply) Clips {
	if k.beta != 0 {
		k.add(r)
	}
	return Clips{}
}
