package loss

import "cmp"

// PPO is the clipped policy-gradient loss of tokens,
//
//	−min(ρ_t·A_t, clip(ρ_t, 1−ε_low, 1+ε_high)·A_t),   ρ_t = π(y_t|x, y_<t)/π_old(y_t|x, y_<t)
//
// (Schulman et al. 2017, arXiv:1707.06347, equation 7), for batches that are used more than
// once. At ρ = 1 its derivative is that of [Reinforce]; the advantages are those of any
// estimator, generalised advantage estimation in the paper.
//
// ClipLow and ClipHigh are the two sides of the bound, 0.2 both in the paper. Dual, 0 for none,
// bounds ρ for negative advantages from above: the dual clip, 3 in arXiv:1912.09729, and with
// Dual ≥ 1+ε_high the two-sided clip min(ρ, δ). What happens at bounds is [Clip]'s.
//
// Clipping makes the derivative that of no objective: tokens beyond a bound on the side that
// their advantage drives them to have none, which leaves a bias that grows with the number of
// steps on a batch. ClippedLow, ClippedHigh, K1 and K3 say how far it has come.
//
// It uses Advantage, Old and Weight of [Rollouts]. By must be set: token means and sequence
// means are both in use.
type PPO struct {
	ClipLow, ClipHigh float64
	Dual              float64
	By                Aggregation
}

var _ PolicyGradient = PPO{}

// Eval implements [PolicyGradient].
func (l PPO) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	c := Clip{l.ClipLow, l.ClipHigh, l.Dual}
	return evalSurrogate(dst, b, surrogate[TokenRatio, Clip]{gain: c}, l.By,
		cmp.Or(c.check("PPO.ClipLow", "PPO.ClipHigh", "PPO.Dual"), l.By.check("PPO.By")))
}
