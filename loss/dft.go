package loss

import "math"

// DFT is Dynamic Fine-Tuning, each token's negative log-likelihood times its detached
// probability,
//
//	−sg(p_t)·log p_t
//
// (Wu et al. 2025, arXiv:2508.05629; TRL's dft), with the aggregation By. The weight of
// ∇ log p_t is −p_t, so what it minimises is not its value but −Σ p_t: the expected number of
// right tokens. Tokens that the policy finds impossible have no pull, and where several
// replies are demonstrated the minimiser is not their distribution but the most likely token.
// A caller compares runs by other metrics than this value, which falls to 0 at p = 0 as well.
type DFT struct {
	By Aggregation
}

// Eval evaluates token log-probabilities. NaN and +Inf where tokens count are an [*InputError]
// that names the position in the flat slice; −Inf costs 0, the limit.
func (l DFT) Eval(dst TokenOut, b Layout, logp []float64) (TokenTotal, error) {
	return eachToken(dst, b, logp, l.By, "DFT.By", func(lp float64) (loss, weight float64) {
		p := math.Exp(lp)
		return product(-p, lp), -p
	})
}
