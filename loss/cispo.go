package loss

// CISPO is the loss of Clipped IS-weight Policy Optimization,
//
//	Σ_t −sg(min(max(ρ_t, Min), Max))·A_t·log π(y_t|x, y_<t)
//
// (MiniMax 2025, arXiv:2506.13585): a bound limits how much a token counts, and
// takes no token's derivative away. Sum/Tokens is the paper's objective. Without bounds the
// derivative is that of the importance-weighted policy gradient, per token; with them it is the
// derivative of no objective, and for replies from π_old biased towards those that π has made
// less likely.
//
// Max is a bound on ρ itself, which TRL calls epsilon_high; verl's is Max = 1 + ε_high and
// Min = 1 − ε_low. Max is positive, +Inf for none, Min not negative, 0 for none, as in the
// paper.
//
// It uses Advantage, Old and Weight of [Rollouts].
type CISPO struct{ Min, Max float64 }

var _ PolicyGradient = CISPO{}

// Eval implements [PolicyGradient].
func (l CISPO) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	f := Truncated(l)
	return evalDetached(dst, b, TokenRatio{}, f, SumTokens, f.check("CISPO.Min", "CISPO.Max"))
}
