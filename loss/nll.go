package loss

// NLL is the negative log-likelihood of demonstrations, −log π(y|x): supervised
// fine-tuning. Its minimiser is the distribution of the demonstrations.
type NLL struct{}

// Eval stores the loss of each reply in dst and its derivative, −1, in grad; either may
// be nil. The total counts replies. For a mean per token divide the sum by the number of
// tokens. A log-probability of −Inf costs +Inf.
func (NLL) Eval(dst, grad, logp []float64) (Total, error) {
	sized(len(logp), dst, grad)
	if err := logProbs("LogProb", logp); err != nil {
		return Total{}, err
	}
	t := Total{Count: len(logp)}
	for i, lp := range logp {
		t.Sum -= lp
		store(dst, i, -lp)
		store(grad, i, -1)
	}
	return t, nil
}
