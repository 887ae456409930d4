package loss

// GSPO is the loss of Group Sequence Policy Optimization,
//
//	−min(s·A, clip(s, 1−ε_low, 1+ε_high)·A),   s = (π(y|x)/π_old(y|x))^{1/|y|}
//
// (Zheng et al. 2025, arXiv:2507.18071): a reply is clipped as a whole, by the
// geometric mean of its tokens' ratios. Sum/Sequences is the paper's objective. s is no
// importance weight, as its expectation under π_old is not 1. At π = π_old the derivative is, in
// expectation, that of −E_π[A/|y|]; elsewhere, even without clipping, that of no objective of
// π. For replies of one token it is [PPO].
//
// Geometric means move less than single ratios do, so bounds are small: 3e-4 and 4e-4 in the
// paper. They are those of [Clip], and a reply that is clipped counts with all its tokens. There
// is no other aggregation: the sum over tokens is [LUSPO], and anything else is a [Surrogate]
// with [GeometricRatio].
//
// It uses Advantage, Old and Weight of [Rollouts].
type GSPO struct{ ClipLow, ClipHigh float64 }

// GSPOToken is [GSPO] with ratios s_t = sg(s)·π_t/sg(π_t), which have the value of s and a
// derivative with respect to their own token alone, so that advantages may differ within a
// reply (arXiv:2507.18071). Where they do not, it is GSPO, value and derivative.
type GSPOToken struct{ ClipLow, ClipHigh float64 }

// LUSPO is the loss of Length-Unbiased Sequence Policy Optimization, [GSPO] with each reply's
// loss multiplied by its length,
//
//	−|y|·min(s·A, clip(s, 1−ε_low, 1+ε_high)·A),   s = (π(y|x)/π_old(y|x))^{1/|y|}
//
// (Liu et al. 2026, arXiv:2602.05261; TRL has the same), so that at s = 1 every token of the
// batch has the same say: −A. Sum/Sequences is the mean over replies.
//
// The bounds are those of [Clip]. It uses Advantage, Old and Weight of [Rollouts].
type LUSPO struct{ ClipLow, ClipHigh float64 }

var (
	_ PolicyGradient = GSPO{}
	_ PolicyGradient = GSPOToken{}
	_ PolicyGradient = LUSPO{}
)

// Eval implements [PolicyGradient].
func (l GSPO) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	c := Clip{Low: l.ClipLow, High: l.ClipHigh}
	return evalSurrogate(dst, b, surrogate[GeometricRatio, Clip]{gain: c}, MeanTokens,
		c.check("GSPO.ClipLow", "GSPO.ClipHigh", ""))
}

// Eval implements [PolicyGradient].
func (l GSPOToken) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	c := Clip{Low: l.ClipLow, High: l.ClipHigh}
	return evalSurrogate(dst, b, surrogate[GeometricTokenRatio, Clip]{gain: c}, MeanTokens,
		c.check("GSPOToken.ClipLow", "GSPOToken.ClipHigh", ""))
}

// Eval implements [PolicyGradient].
func (l LUSPO) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	c := Clip{Low: l.ClipLow, High: l.ClipHigh}
	return evalSurrogate(dst, b, surrogate[GeometricRatio, Clip]{gain: c}, SumTokens,
		c.check("LUSPO.ClipLow", "LUSPO.ClipHigh", ""))
}
