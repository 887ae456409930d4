package loss

import "cmp"

// GRPO is the loss of Group Relative Policy Optimization,
//
//	mean over a reply's tokens of  −min(ρ_t·A, clip(ρ_t, 1−ε_low, 1+ε_high)·A) + β·k3_t
//
// ([PPO] without a value function, with a KL to the reference in the loss; Shao et al. 2024,
// arXiv:2402.03300, equation 3), for advantages (r − mean)/std over the replies to one prompt.
// Sum/Sequences is the paper's objective. A mean per reply makes tokens of short replies count
// more than those of long ones, and the division by std prompts of small spread more than
// others: both are biases that [DrGRPO] takes away.
//
// k3 = e^{−ℓ} − 1 + ℓ is the paper's, and has the derivative of [ForwardKLTerm], which is not
// that of KL(π‖π_ref). WeightKL multiplies it by ρ_t, as [ReverseKLTerm], which has it given
// the prefix. Beta is finite and not negative, 0.04 in the paper; at 0 Ref is not used.
//
// The bounds are those of [Clip], 0.2 both in the paper. It uses Advantage, Old, Weight and Ref
// of [Rollouts].
type GRPO struct {
	ClipLow, ClipHigh float64
	Dual              float64 // 0 for none
	Beta              float64 // β, the KL coefficient: loss per nat
	WeightKL          bool
}

// DrGRPO is [GRPO] done right: the same sum over tokens without the division by the reply's
// length,
//
//	Σ_t −min(ρ_t·A, clip(ρ_t, 1−ε_low, 1+ε_high)·A)
//
// for advantages r − mean without the division by std (Liu et al. 2025, arXiv:2503.20783). The
// denominator is the same for every batch: Sequences in the paper's formula; Sequences·L with
// the maximum length L in TRL and its authors' code. A constant factor changes no direction.
//
// The bounds are those of [Clip]. It uses Advantage, Old and Weight of [Rollouts].
type DrGRPO struct{ ClipLow, ClipHigh float64 }

var (
	_ PolicyGradient = GRPO{}
	_ PolicyGradient = DrGRPO{}
)

// Eval implements [PolicyGradient].
func (l GRPO) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	c := Clip{l.ClipLow, l.ClipHigh, l.Dual}
	return evalSurrogate(dst, b, surrogate[TokenRatio, Clip]{gain: c, kl: klTerm{l.Beta, l.WeightKL}}, MeanTokens,
		cmp.Or(c.check("GRPO.ClipLow", "GRPO.ClipHigh", "GRPO.Dual"), nonNegative("GRPO.Beta", l.Beta)))
}

// Eval implements [PolicyGradient].
func (l DrGRPO) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	c := Clip{Low: l.ClipLow, High: l.ClipHigh}
	return evalSurrogate(dst, b, surrogate[TokenRatio, Clip]{gain: c}, SumTokens,
		c.check("DrGRPO.ClipLow", "DrGRPO.ClipHigh", ""))
}
