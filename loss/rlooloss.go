package loss

// RLOO is the clipped policy-gradient loss of whole replies, for advantages that are given;
// rloo.RLOO makes the advantages from rewards. The loss is
//
//	−min(ρ·A, clip(ρ, 1−ε_low, 1+ε_high)·A),   ρ = Π_t π(y_t|x, y_<t)/π_old(y_t|x, y_<t)
//
// for advantages r − (mean of the other replies' r) of package rloo (Ahmadian et al. 2024,
// arXiv:2402.14740; with the ratio and its clipping as in TRL, for batches that are used more
// than once). A reply is one action, and its ratio, unlike those of tokens, the weight under
// which π_old's replies have π's expectation. At ρ = 1, the first step, every token has the
// derivative −A of [Reinforce] with [SumTokens].
//
// Sum/Sequences is the mean over replies. The bounds are those of [Clip]. It uses Advantage,
// Old and Weight of [Rollouts]; where these differ within a reply, it has their mean.
type RLOO struct{ ClipLow, ClipHigh float64 }

var _ PolicyGradient = RLOO{}

// Eval implements [PolicyGradient].
func (l RLOO) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	c := Clip{Low: l.ClipLow, High: l.ClipHigh}
	return evalSurrogate(dst, b, surrogate[SequenceRatio, Clip]{gain: c}, MeanTokens,
		c.check("RLOO.ClipLow", "RLOO.ClipHigh", ""))
}
