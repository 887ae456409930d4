package loss

// Reinforce is the policy-gradient loss
//
//	−Σ_t A_t·log π(y_t|x, y_<t)
//
// (Williams 1992). With replies drawn from π itself, [SumTokens], and an advantage that is a
// reward less a baseline that does not depend on the reply, its derivative over Sequences is
// that of −E_π[r] in expectation. So with leave-one-out advantages it is RLOO's first step.
// Divided by Tokens it is the loss of GPG (Chu et al. 2025, arXiv:2504.02546), whose factor
// B/#nonzero is a denominator, too: Signals for Tokens if lengths are the same.
//
// There is no ratio: batches are for one step. The value means nothing by itself, since a
// baseline changes it and not the expected derivative.
//
// It uses Advantage and Weight of [Rollouts]. By must be set.
type Reinforce struct{ By Aggregation }

var _ PolicyGradient = Reinforce{}

// Eval implements [PolicyGradient].
func (l Reinforce) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	return evalDetached(dst, b, TokenRatio{}, Uniform{}, l.By, l.By.check("Reinforce.By"))
}
