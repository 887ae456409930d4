package loss

// SAPO is the loss of Soft Adaptive Policy Optimization,
//
//	mean over a reply's tokens of  −A·(4/τ)·σ(τ·(ρ_t − 1)),   τ = TauPos for A > 0, TauNeg for A < 0
//
// (Gao et al. 2025, arXiv:2511.20347), in which a smooth gate takes the place of [PPO]'s
// clipping: a token's derivative −A·4σ(1−σ)·ρ is −A at ρ = 1 and fades on both sides.
// Sum/Sequences is the paper's objective. Nothing is clipped, so nothing is counted as such.
// The value has an offset of A − 2A/τ against that of PPO at ρ = 1.
//
// TauPos and TauNeg are positive, 1 and 1.05 in the paper: a larger one fades sooner. It uses
// Advantage, Old and Weight of [Rollouts].
type SAPO struct{ TauPos, TauNeg float64 }

var _ PolicyGradient = SAPO{}

// Eval implements [PolicyGradient].
func (l SAPO) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	g := SoftGate{Positive: l.TauPos, Negative: l.TauNeg}
	return evalSurrogate(dst, b, surrogate[TokenRatio, SoftGate]{gain: g}, MeanTokens, g.check("SAPO.TauPos", "SAPO.TauNeg"))
}
