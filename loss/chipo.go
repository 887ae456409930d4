package loss

// ChiPO is χPO, DPO with the log-ratio replaced by φ(w) = w + log w and a clamp,
//
//	−log σ(clip_{±2R}[β·φ(w⁺) − β·φ(w⁻)]),   w = π/π_ref
//
// the preference objective of the reward regularised by KL and χ² together, which needs
// only single-policy concentrability (Huang et al. 2024, arXiv:2407.13399).
// Without the clamp and with soft labels its minimiser solves β·φ(w) = r − Z, Σ π_ref·w = 1.
// A pair beyond the clamp has no derivative; Total.Clipped counts those.
//
// Beta must be positive. MaxReward = R must be positive: the range of rewards, so that no
// true margin is clamped; +Inf for no clamp. It uses Chosen, Rejected, RefChosen,
// RefRejected and Weight of [Pairs].
type ChiPO struct {
	Beta      float64 // β, the coefficient of KL and χ²: reward per unit of φ
	MaxReward float64
}

// Eval implements [Pairwise].
func (l ChiPO) Eval(dst PairsOut, b Pairs) (Total, error) {
	e := compose(ChiSquared{}, Logistic{}, l.Beta, 0, positive("ChiPO.Beta", l.Beta))
	if !(l.MaxReward > 0) && e.err == nil {
		e.err = &ParamError{"ChiPO.MaxReward", l.MaxReward, "positive, or +Inf"}
	}
	e.link.clip = 2 * l.MaxReward
	return e.eval(dst, b)
}
