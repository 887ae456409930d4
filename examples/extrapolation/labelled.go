package main

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// comparison is a pair of responses in one order, with the probability of this row.
type comparison struct {
	chosen, rejected int
	weight           float64
}

// comparisons lists both orders of all pairs of the first n responses: every two are compared
// equally often, and labels follow Bradley–Terry. These are soft labels: the expectation of
// the data, so that what is learned has no sampling error.
func comparisons(reward []float64, n int) []comparison {
	var rows []comparison
	for a := range n {
		for b := range n {
			if a != b {
				p := 1 / (1 + math.Exp(reward[b]-reward[a]))
				rows = append(rows, comparison{a, b, 2 * p / float64(n*(n-1))})
			}
		}
	}
	return rows
}

// labelled is a pairwise loss on all comparisons of the one prompt at every step: a
// [train.Term] of our own, which adds weights to what [train.Offline] does.
type labelled struct {
	loss    loss.Pairwise
	pass    policy.Pass[int, int]
	xs, ys  []int     // all chosen responses, then all rejected ones
	logp    []float64 // in that order, as are weights
	weights []float64
	pairs   loss.Pairs
	out     loss.PairsOut
}

// newLabelled scores the comparisons under the reference.
func newLabelled(p policy.Trainable[int, int], ref policy.Policy[int, int], l loss.Pairwise, rows []comparison) (*labelled, error) {
	n := len(rows)
	t := &labelled{loss: l, pass: p.NewPass(), xs: make([]int, 2*n), logp: make([]float64, 2*n), weights: make([]float64, 2*n)}
	for _, r := range rows {
		t.ys = append(t.ys, r.chosen)
		t.pairs.Weight = append(t.pairs.Weight, r.weight)
	}
	for _, r := range rows {
		t.ys = append(t.ys, r.rejected)
	}
	under := make([]float64, 2*n)
	if err := ref.LogProbs(context.Background(), under, t.xs, t.ys); err != nil {
		return nil, err
	}
	t.pairs.Chosen, t.pairs.Rejected = t.logp[:n], t.logp[n:]
	t.pairs.RefChosen, t.pairs.RefRejected = under[:n], under[n:]
	t.out = loss.PairsOut{Chosen: t.weights[:n], Rejected: t.weights[n:]}
	return t, nil
}

// Accumulate implements [train.Term]. The weights are probabilities, so there is nothing to
// divide by.
func (t *labelled) Accumulate(ctx context.Context, _ *train.Batch[int, int], _ policy.Key, m *train.Metrics) error {
	if err := t.pass.Forward(ctx, t.logp, t.xs, t.ys); err != nil {
		return err
	}
	total, err := t.loss.Eval(t.out, t.pairs)
	if err != nil {
		return err
	}
	m.Sum("loss", total.Sum)
	return t.pass.Pullback(ctx, t.weights)
}

// Describe implements [train.Describer].
func (t *labelled) Describe() string { return fmt.Sprintf("%#v", t.loss) }

// logProbs returns log π of all responses to prompt 0.
func logProbs(p policy.Distributor[int]) ([]float64, error) {
	logp := make([]float64, p.Responses(0))
	return logp, p.Distribution(logp, 0)
}

// normalize makes logits log-probabilities.
func normalize(logits []float64) []float64 {
	floats.AddConst(-floats.LogSumExp(logits), logits)
	return logits
}
