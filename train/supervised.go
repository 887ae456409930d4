package train

import (
	"context"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
)

// Supervised is the negative log-likelihood of Data.Chosen: supervised fine-tuning. A row's
// loss is that of its whole reply, divided by TokensPerRow: a constant, such as the training
// set's mean length, makes the loss one per token and gives long and short replies' tokens
// the same weight, whatever the micro-batches are.
//
// It reports "loss" and, where Data.ChosenLen is there, "nll_per_token". It is not safe for
// concurrent use.
type Supervised[X, Y any] struct {
	Policy       policy.Trainable[X, Y]
	TokensPerRow float64 // divisor of a row's loss; 0 means 1

	pass    policy.Pass[X, Y]
	logp, w []float64
	losses  []float64
}

// Accumulate implements [Term].
func (t *Supervised[X, Y]) Accumulate(ctx context.Context, b *Batch[X, Y], _ policy.Key, m *Metrics) error {
	if t.pass == nil {
		t.pass = t.Policy.NewPass()
	}
	n := b.Len()
	t.logp, t.w, t.losses = resize(t.logp, n), resize(t.w, n), resize(t.losses, n)
	if err := t.pass.Forward(ctx, t.logp, b.X, b.Chosen); err != nil {
		return rowError(b, err, 1)
	}
	total, err := loss.NLL{}.Eval(t.losses, t.w, t.logp)
	if err != nil {
		return rowError(b, err, 1)
	}
	if err := finiteLoss(b, t.losses); err != nil {
		return err
	}
	if b.ChosenLen != nil {
		tokens := 0
		for _, l := range b.ChosenLen {
			tokens += l
		}
		m.Mean("nll_per_token", total.Sum, tokens)
	}
	div := float64(b.Rows)
	if t.TokensPerRow != 0 {
		div *= t.TokensPerRow
	}
	m.Sum("loss", total.Sum/div)
	scale(t.w, 1/div)
	return t.pass.Pullback(ctx, t.w)
}
