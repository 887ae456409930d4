package loss

// REBEL regresses differences of rewards onto differences of log-ratios of given pairs; train.REBEL
// draws the pairs, rates them and takes this. The loss is
//
//	((1/η)·(Δ(y⁺) − Δ(y⁻)) − (r(y⁺) − r(y⁻)))²,   Δ = log π(y|x) − log π_t(y|x)
//
// where π_t is the policy before the step (Gao et al. 2024, arXiv:2404.16767): a
// pairwise objective whose reference is π_t, RefChosen and RefRejected of [Pairs], and whose
// Margin is the difference of rewards. Both replies may be from any distribution that covers
// them, one at least from π_t in the paper. It does not matter which of them is called chosen.
// Where rewards are r and both replies are covered, it is 0 at π ∝ π_t·e^{η·r}, a step of
// mirror descent.
//
// At π = π_t the derivative is −(2/η)·(r(y⁺) − r(y⁻)) on the difference of log-probabilities:
// of two replies from π_t, [Reinforce] with leave-one-out advantages, times a factor.
//
// Eta must be positive. It uses Chosen, Rejected, RefChosen, RefRejected, Margin and Weight of
// [Pairs]; a Margin of nil panics, since it would stand for equal rewards.
type REBEL struct {
	Eta float64 // η, the step size: nats of log-ratio per unit of reward
}

var (
	_ Pairwise = REBEL{}
	_ Curved   = REBEL{}
)

// Eval implements [Pairwise]. Implicit rewards are Δ/η.
func (l REBEL) Eval(dst PairsOut, b Pairs) (Total, error) {
	b.rewarded()
	return l.parts().eval(dst, b)
}

// Curvature implements [Curved].
func (l REBEL) Curvature(dst []float64, b Pairs) error {
	b.rewarded()
	return curvature(l.parts(), dst, b)
}

func (b Pairs) rewarded() {
	if b.Margin == nil && len(b.Chosen) > 0 {
		panic("loss: REBEL without Margin, the differences of rewards")
	}
}

func (l REBEL) parts() margined[LogRatio, Squared] {
	beta := 1 / l.Eta
	var err error
	if !(l.Eta > 0) || !isFinite(l.Eta) || !isFinite(beta) {
		err = &ParamError{"REBEL.Eta", l.Eta, "positive and finite, and so must 1/Eta be"}
	}
	e := compose(LogRatio{}, Squared{}, beta, 0, err)
	e.reads |= readsMargin
	return e
}
