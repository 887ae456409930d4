package loss

// VESPO is the loss of Variational Sequence-level Soft Policy Optimization,
//
//	Σ_t −sg(φ(w))·A·log π(y_t|x, y_<t),   φ(w) = w^k·e^{λ(1−w)},   w = Π_t π(y_t|x, y_<t)/π_old(y_t|x, y_<t)
//
// (Shen et al. 2026, arXiv:2602.10693, appendix I): REINFORCE with a factor for each reply, 1
// on-policy, that vanishes where the reply has become much less or much more likely. The ratio
// is that of the whole reply, so the factor fades with the length of the reply as well.
// Sum/Tokens is the mean that TRL and the authors' code default to.
//
// K and Lambda are for A ≥ 0, NegativeK and NegativeLambda for A < 0; all are positive: 2, 3, 3
// and 2 in the paper. Ratios are not limited, where the authors' code and TRL hold log w in
// [log 1e-8, 20], beyond which φ is nearly 0 anyway. It uses Advantage, Old and Weight of
// [Rollouts].
type VESPO struct {
	K, Lambda                 float64
	NegativeK, NegativeLambda float64
}

var _ PolicyGradient = VESPO{}

// Eval implements [PolicyGradient].
func (l VESPO) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	g := Gamma(l)
	return evalDetached(dst, b, SequenceRatio{}, g, SumTokens,
		g.check([4]string{"VESPO.K", "VESPO.Lambda", "VESPO.NegativeK", "VESPO.NegativeLambda"}))
}
