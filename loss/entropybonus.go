package loss

import "cmp"

// EntropyBonus is the term
//
//	−c·Σ_t H(π(·|x, y_<t))
//
// whose weight on each token's entropy is −c: the derivative of H itself goes through a
// policy's Entropy statistic, exactly. Over replies from π this is not the whole derivative of
// the entropy of replies: a token also moves the prefixes on which later entropies depend, which
// is a term on log-probabilities that package rloo has. As most code does, it is left out here.
//
// Coef is finite; negative is a penalty. It uses Entropy of [Rollouts], and neither Advantage
// nor Weight. By must be set.
type EntropyBonus struct {
	Coef float64
	By   Aggregation
}

var _ PolicyGradient = EntropyBonus{}

// Eval implements [PolicyGradient].
func (l EntropyBonus) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	return evalRollouts(dst, b, entropyKernel{l.Coef}, l.By, needsEntropy,
		cmp.Or(finiteParam("EntropyBonus.Coef", l.Coef), l.By.check("EntropyBonus.By")))
}

type entropyKernel struct{ coef float64 }

func (k entropyKernel) run(r *reply) Clips {
	for j, h := range r.entropy {
		r.loss[j] = -k.coef * h
	}
	r.entropySlope = -k.coef
	return Clips{}
}
