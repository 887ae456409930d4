package loss

// GMPO is the loss of Geometric-Mean Policy Optimization,
//
//	−A·exp(mean_t m_t),   m_t = min(d_t, High) for A > 0, max(d_t, −Low) for A < 0
//
// with d_t = log π(y_t|x, y_<t) − log π_old(y_t|x, y_<t) (Zhao et al. 2025, arXiv:2507.20673):
// [GSPO]'s ratio, clipped token by token before the mean instead of as a whole. Sum/Sequences is
// the paper's objective. A token beyond its bound has no derivative, the others that of the
// mean; at a bound it still has one. Like GSPO's, the ratio is no importance weight.
//
// Low and High bound logarithms of ratios, 0.4 both in the paper; they are positive, +Inf for
// none. It uses Advantage, Old and Weight of [Rollouts]; where the last two differ within a
// reply, it has the mean of their product.
type GMPO struct{ Low, High float64 }

var _ PolicyGradient = GMPO{}

// Eval implements [PolicyGradient].
func (l GMPO) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	r := ClippedGeometricRatio(l)
	return evalSurrogate(dst, b, surrogate[ClippedGeometricRatio, Unclipped]{ratio: r}, MeanTokens, r.check("GMPO.Low", "GMPO.High"))
}
