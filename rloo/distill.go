package rloo

// Distill turns a teacher's log-probabilities on the policy's own samples into advantages of
// tokens: the reverse KL to the teacher as a reward (on-policy distillation: Agarwal et al.
// 2024, arXiv:2306.13649, with k1 in place of exact distributions),
//
//	A_t = Σ_{u≥t} γ^{u−t}·log(π_T(y_u)/π(y_u)),    γ = Discount
//
// γ = 0, the zero value, is the short form: the advantage of a token is its own log-ratio.
// In expectation it is −E_π[Σ_t ∇KL(π(·|y_<t)‖π_T(·|y_<t))] with the prefixes held fixed: no
// token is asked to lead where the teacher agrees more. γ = 1 has no such bias: it is −∇
// KL(π‖π_T) of sequences, at a greater variance; [ReverseKL], negated, is that with a
// baseline from other samples. Masked tokens are not counted by the power of γ.
type Distill struct {
	Discount float64 // γ in [0, 1]
}

// Eval stores the advantages in dst: weights of log π(y_t), to ascend. logp and teacher hold
// log π and log π_T of each token; dst may be either. Errors and panics are those of
// [ReverseKL]; so is a Discount out of range an error.
func (d Distill) Eval(dst, logp, teacher []float64, l Layout) error {
	if err := unit("Distill.Discount", d.Discount); err != nil {
		return err
	}
	if err := l.ratios(dst, logp, teacher); err != nil {
		return err
	}
	for p, v := range dst {
		dst[p] = 0 - v // not −v: no negative zeros
	}
	return RewardToGo{Gamma: d.Discount}.Eval(dst, dst, l)
}
