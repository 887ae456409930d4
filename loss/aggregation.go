package loss

// Aggregation says what of its tokens' losses a sequence contributes to a sum. It has no
// default.
type Aggregation uint8

const (
	// SumTokens adds up tokens. Sum/Tokens is the mean over the tokens of a step, in which
	// long replies weigh more; Sum/Sequences the mean over sequences of sums.
	SumTokens Aggregation = iota + 1
	// MeanTokens adds each sequence's mean over its tokens. Sum/Sequences is the mean over
	// sequences of means. A sequence of which no token counts is an error.
	MeanTokens
)

func (a Aggregation) check(param string) error {
	if a != SumTokens && a != MeanTokens {
		return &ParamError{param, float64(a), "loss.SumTokens or loss.MeanTokens"}
	}
	return nil
}

// scale returns the factor of each of the n tokens of sequence i.
func (a Aggregation) scale(i, n int) (float64, error) {
	if a == SumTokens {
		return 1, nil
	}
	if n == 0 {
		return 0, &InputError{"Len", i, 0, noTokens}
	}
	return 1 / float64(n), nil
}

// TokenTotal sums up a batch of sequences. The caller owns the denominator: it must be that of
// the whole step, or accumulated micro-batches give another gradient.
type TokenTotal struct {
	Sum       float64
	Tokens    int // that count
	Sequences int
}

// Add adds o to t.
func (t *TokenTotal) Add(o TokenTotal) {
	t.Sum += o.Sum
	t.Tokens += o.Tokens
	t.Sequences += o.Sequences
}
