package loss

import "fmt"

// DAPO is the loss of Decoupled Clip and Dynamic Sampling Policy Optimization,
//
//	Σ_t −min(ρ_t·A, clip(ρ_t, 1−ε_low, 1+ε_high)·A),   ε_low = 0.2, ε_high = 0.28
//
// (Yu et al. 2025, arXiv:2503.14476, equation 8): [PPO] with a higher upper bound, which lets
// unlikely tokens become likely, and Sum/Tokens, the mean over all tokens of the step, in which
// each counts the same. Its other parts are [OverlongPenalty] in the reward, and prompts whose
// replies all have the same reward left out before.
//
// The bounds are those of [Clip]. It uses Advantage, Old and Weight of [Rollouts].
type DAPO struct{ ClipLow, ClipHigh float64 }

var _ PolicyGradient = DAPO{}

// Eval implements [PolicyGradient].
func (l DAPO) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	c := Clip{Low: l.ClipLow, High: l.ClipHigh}
	return evalSurrogate(dst, b, surrogate[TokenRatio, Clip]{gain: c}, SumTokens,
		c.check("DAPO.ClipLow", "DAPO.ClipHigh", ""))
}

// OverlongPenalty is DAPO's soft punishment of long replies, a part of the reward:
//
//	0                          up to Max − Buffer tokens
//	(Max − Buffer − |y|)/Buffer    up to Max
//	−1                         beyond
//
// (arXiv:2503.14476, equation 13). Max is positive and Buffer in [0, Max], where 0 makes it a
// step.
type OverlongPenalty struct{ Max, Buffer int }

// AddTo adds the penalty of length[i] tokens to reward[i]. A negative length is an
// [*InputError].
func (o OverlongPenalty) AddTo(reward []float64, length []int) error {
	if len(reward) != len(length) {
		panic(badLength)
	}
	if o.Max <= 0 {
		return &ParamError{"OverlongPenalty.Max", float64(o.Max), "positive"}
	}
	if o.Buffer < 0 || o.Buffer > o.Max {
		return &ParamError{"OverlongPenalty.Buffer", float64(o.Buffer), fmt.Sprintf("in [0, %d]", o.Max)}
	}
	for i, n := range length {
		if n < 0 {
			return &InputError{"Length", i, float64(n), "negative"}
		}
		switch free := o.Max - o.Buffer; {
		case n > o.Max:
			reward[i]--
		case n > free:
			reward[i] -= float64(n-free) / float64(o.Buffer)
		}
	}
	return nil
}
