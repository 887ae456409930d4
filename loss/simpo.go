package loss

// SimPO is Simple Preference Optimization, the log-probability per token as a reward, with a
// target margin,
//
//	−log σ(β·log π(y⁺)/|y⁺| − β·log π(y⁻)/|y⁻| − γ)
//
// (Meng, Xia, Chen 2024, arXiv:2405.14734, equation 6), smoothed as [DPO] where
// LabelSmoothing > 0. No reference holds the policy. Soft labels with odds e^{r⁺−r⁻} have
// their minimiser where β times the mean log-probability is r plus a constant; γ shifts it
// the same way for both orders of a pair, so that with γ > 0 and both orders present it is
// no longer that policy.
//
// Beta must be positive, 2 to 10 is common; Gamma is finite, and a quarter of Beta common.
// It uses Chosen, Rejected, ChosenLen, RejectedLen and Weight of [Pairs].
type SimPO struct {
	Beta           float64 // β, an inverse temperature, no KL coefficient: reward per nat of log π per token
	Gamma          float64
	LabelSmoothing float64
}

// Eval implements [Pairwise].
func (l SimPO) Eval(dst PairsOut, b Pairs) (Total, error) { return l.parts().eval(dst, b) }

// Curvature implements [Curved].
func (l SimPO) Curvature(dst []float64, b Pairs) error { return curvature(l.parts(), dst, b) }

func (l SimPO) parts() margined[MeanLogProb, Smoothed] {
	return compose(MeanLogProb{}, Smoothed{l.LabelSmoothing}, l.Beta, l.Gamma,
		positive("SimPO.Beta", l.Beta), finiteParam("SimPO.Gamma", l.Gamma), belowHalf("SimPO.LabelSmoothing", l.LabelSmoothing))
}
