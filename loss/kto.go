package loss

import "fmt"

// KTO is Kahneman–Tversky Optimization, which learns from single replies that are known to
// be desirable or not,
//
//	λ_D·σ(β·(z − ℓ(y)))   for a desirable reply
//	λ_U·σ(β·(ℓ(y) − z))   for an undesirable one
//	z = max(0, mean of ℓ(y′) over mismatched pairs (x, y′))
//
// (Ethayarajh et al. 2024, arXiv:2402.01306, equation 7, with λ_y − v(x, y) written out). The
// reference point z estimates KL(π‖π_ref) in nats, is never below 0, and has no gradient.
// [Mismatch] makes the pairs.
//
// The loss is bounded and not convex: replies far on either side of z are let go. It has no
// minimiser with z held: σ(u) + σ(−u) = 1, so where a reply gets both verdicts only the
// majority counts, and the log-ratios of replies with λ_D·P(desirable) > λ_U·P(undesirable)
// grow for ever, the others fall.
//
// Beta must be positive; 0.1 is common. Desirable and Undesirable are λ_D and λ_U, positive,
// 1 and 1 for balanced data; the paper advises n₊·λ_D/(n₋·λ_U) between 1 and 4/3. It uses
// LogProb, Ref, Desirable, Weight and the Mismatch slices of [Unpaired].
type KTO struct {
	Beta        float64 // β, the KL coefficient: reward per nat of log π/π_ref
	Desirable   float64
	Undesirable float64
}

var (
	_ Pointwise = KTO{}
	_ Coupled   = KTO{}
)

// Eval implements [Pointwise], with the z of b's mismatched pairs. It panics if there are
// none.
func (l KTO) Eval(dst UnpairedOut, b Unpaired) (Total, error) {
	z, err := MismatchKL(b.MismatchLogProb, b.MismatchRef)
	if err != nil {
		return Total{}, err
	}
	return l.EvalAt(dst, b, z)
}

// EvalAt is Eval with a given z instead of that of b's mismatched pairs, which are not read.
// With one z from all mismatched pairs of a step it is separable. A z that is negative or NaN
// is a [*ParamError].
func (l KTO) EvalAt(dst UnpairedOut, b Unpaired, z float64) (Total, error) {
	if !(z >= 0) {
		return Total{}, &ParamError{"KTO's z", z, "≥ 0"}
	}
	return classifier[LogRatio, Sigmoid]{beta: l.Beta, shift: l.Beta * z, desirable: l.Desirable, undesirable: l.Undesirable}.eval(dst, b,
		positive("KTO.Beta", l.Beta), positive("KTO.Desirable", l.Desirable), positive("KTO.Undesirable", l.Undesirable))
}

// Coupled implements [Coupled]: z is one number for the batch. EvalAt is not coupled.
func (KTO) Coupled() bool { return true }

// MismatchKL is the estimate of KL(π‖π_ref) that [KTO] uses,
//
//	z = max(0, mean of log π(y′|x) − log π_ref(y′|x))
//
// in nats, over mismatched pairs (x, y′). It is biased, since y′ is not drawn from π(·|x), and
// 0 wherever the mean is negative; no KL for reporting (package coverage has those). It panics
// if there is no pair.
func MismatchKL(logp, ref []float64) (float64, error) {
	if len(logp) != len(ref) {
		panic(badLength)
	}
	if len(logp) == 0 {
		panic("loss: no mismatched pairs")
	}
	if err := logProbs("MismatchLogProb", logp); err != nil {
		return 0, err
	}
	if err := logProbs("MismatchRef", ref); err != nil {
		return 0, err
	}
	sum := 0.0
	for i, lp := range logp {
		d := lp - ref[i]
		if d != d {
			return 0, &InputError{"MismatchLogProb", i, lp, zeroOverZero("MismatchRef")}
		}
		if s := sum + d; s != s {
			return 0, &InputError{"MismatchLogProb", i, lp, fmt.Sprintf("its log-ratio %v and the sum of the others %v have no mean", d, sum)}
		}
		sum += d
	}
	return max(0, sum/float64(len(logp))), nil
}
