package loss

import "cmp"

// TokenOut receives what an objective makes of single sequences; slices may be nil where not
// wanted.
type TokenOut struct {
	Loss []float64 // the loss of each sequence, aggregated
	// LogProb is the weight of ∇ log π(y_t) of each token, as long as the flat slices: the derivative
	// of Loss, but for the factors that an objective detaches, as [DFT].
	LogProb []float64
}

// TokenNLL is the negative log-likelihood of demonstrations, −log π(y_t|x, y_<t) for each
// token, with the aggregation By: supervised fine-tuning. Its minimiser is the distribution of
// the demonstrations, for MeanTokens weighted by 1/|y|.
type TokenNLL struct {
	By Aggregation
}

// Eval evaluates token log-probabilities. NaN and +Inf where tokens count are an [*InputError]
// that names the position in the flat slice; −Inf costs +Inf.
func (l TokenNLL) Eval(dst TokenOut, b Layout, logp []float64) (TokenTotal, error) {
	return eachToken(dst, b, logp, l.By, "TokenNLL.By", func(lp float64) (loss, weight float64) { return -lp, -1 })
}

// eachToken evaluates a loss that is a sum over tokens.
func eachToken(dst TokenOut, b Layout, logp []float64, by Aggregation, param string,
	token func(lp float64) (loss, weight float64)) (TokenTotal, error) {
	b.check(len(logp))
	sized(b.Len(), dst.Loss)
	sized(len(logp), dst.LogProb)
	if err := cmp.Or(by.check(param), b.logProbs("LogProb", logp)); err != nil {
		return TokenTotal{}, err
	}
	clear(dst.LogProb)
	t := TokenTotal{Sequences: b.Len()}
	for i := range b.Len() {
		n := b.Count(i)
		scale, err := by.scale(i, n)
		if err != nil {
			return TokenTotal{}, err
		}
		sum := 0.0
		lo, hi := b.Reply(i)
		for p := lo; p < hi; p++ {
			if b.Counts(p) {
				v, w := token(logp[p])
				sum += v
				store(dst.LogProb, p, w*scale)
			}
		}
		t.Tokens += n
		t.Sum += sum * scale
		store(dst.Loss, i, sum*scale)
	}
	return t, nil
}
