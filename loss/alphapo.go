package loss

import "math"

// AlphaReward is the score of AlphaPO on the geometric mean p̄ = e^{log π(y)/|y|} of a
// reply's token probabilities,
//
//	s = (1 − p̄^{−α})/α,   ∂s = p̄^{−α}/|y|
//
// α → 0 is [MeanLogProb], the zero value. It exceeds float64 where −α·log p̄ > 709; the order
// of two such scores is kept. Alpha is finite. A length below 1 is an error.
type AlphaReward struct{ Alpha float64 }

// Score implements [Score].
func (a AlphaReward) Score(s, ds []float64, r Responses) error {
	if !isFinite(a.Alpha) {
		return &ParamError{"AlphaReward.Alpha", a.Alpha, "finite"}
	}
	if err := (MeanLogProb{}).Score(s, ds, r); err != nil {
		return err
	}
	for i, mean := range s {
		v, slope := power(a.Alpha, mean)
		s[i], ds[i] = v, slope*ds[i]
	}
	return nil
}

// Log implements [WideScore].
func (a AlphaReward) Log(s, ds []float64, r Responses) {
	for i, lp := range r.LogProb {
		n := float64(r.Len[i])
		s[i], ds[i] = logPower(a.Alpha, lp/n)
		ds[i] -= math.Log(n)
	}
}

// AlphaPO is [SimPO] with [AlphaReward] in place of the log-probability per token,
//
//	−log σ(β·s(y⁺) − β·s(y⁻) − γ),   s = (1 − p̄^{−α})/α
//
// (Gupta et al. 2025, arXiv:2501.03884). α bends the reward: α > 0 makes it
// steeper where replies are unlikely, α < 0 where they are likely; α = 0 is SimPO. For γ = 0
// soft labels with odds e^{r⁺−r⁻} have their minimiser where β·s is r plus a constant, if
// there is such a policy; deterministic labels have none.
//
// Beta must be positive, Gamma and Alpha finite. It uses Chosen, Rejected, ChosenLen,
// RejectedLen and Weight of [Pairs].
type AlphaPO struct {
	Beta  float64 // β, an inverse temperature, no KL coefficient: scale of s
	Gamma float64
	Alpha float64
}

// Eval implements [Pairwise].
func (l AlphaPO) Eval(dst PairsOut, b Pairs) (Total, error) { return l.parts().eval(dst, b) }

// Curvature implements [Curved].
func (l AlphaPO) Curvature(dst []float64, b Pairs) error { return curvature(l.parts(), dst, b) }

func (l AlphaPO) parts() margined[AlphaReward, Logistic] {
	return compose(AlphaReward{l.Alpha}, Logistic{}, l.Beta, l.Gamma, positive("AlphaPO.Beta", l.Beta),
		finiteParam("AlphaPO.Gamma", l.Gamma), finiteParam("AlphaPO.Alpha", l.Alpha))
}
