package loss

import "cmp"

// KLCov is the importance-weighted policy gradient in which the tokens that lower the entropy
// most pay for moving,
//
//	−ρ_t·A_t + c·|log ρ_t|·1[t among the Share·n tokens of largest covariance]
//
// with the covariance (A_t − mean A)·(log π_t − mean log π), means over the n tokens of the
// batch that count (Cui et al. 2025, arXiv:2505.22617, whose code has |log ρ| for its KL). At
// least one token is chosen, and Share·n is rounded down; the first tokens win ties. The choice
// is held while differentiating, and at ρ = 1 the second term has no slope. Nothing is clipped.
//
// Coef is finite and not negative, 1 in verl; Share is in (0, 1], 2e-4 in verl. Weight multiplies both terms. Since the choice is made among all tokens, it is
// [Coupled]. It uses Advantage, Old and Weight of [Rollouts]; log-probabilities must be
// finite. By must be set.
type KLCov struct {
	Coef  float64
	Share float64
	By    Aggregation
}

var (
	_ PolicyGradient = KLCov{}
	_ Coupled        = KLCov{}
)

// Coupled implements [Coupled]: true.
func (KLCov) Coupled() bool { return true }

// Eval implements [PolicyGradient].
func (l KLCov) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	if err := cmp.Or(nonNegative("KLCov.Coef", l.Coef), checkShare("KLCov.Share", l.Share), l.By.check("KLCov.By")); err != nil {
		return RolloutsTotal{}, err
	}
	b.check()
	b.advantaged()
	w := covs.Get().(*covWork)
	defer covs.Put(w)
	if err := w.covariances(b); err != nil {
		return RolloutsTotal{}, err
	}
	w.largest(share(l.Share, len(w.cov)))
	return evalRollouts(dst, b, klCovKernel{w.chosen, l.Coef}, l.By, needsAdvantage, nil)
}

type klCovKernel struct {
	marked []bool
	coef   float64
}

func (k klCovKernel) run(r *reply) Clips {
	Unclipped{}.Losses(r.loss, r.slope, r.ReplyTokens)
	absolute(r, k.marked, k.coef)
	r.weigh()
	return Clips{}
}
