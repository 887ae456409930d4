package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
)

// Supervised is the negative log-likelihood of Data.Chosen: supervised fine-tuning. A row's
// loss is that of its whole reply, divided by TokensPerRow: a constant, such as the training
// set's mean length, makes the loss one per token and gives long and short replies' tokens
// the same weight, whatever the micro-batches are.
//
// It reports "loss" and, where Data.ChosenLen is there, "nll_per_token". A reply of
// probability 0 is an error. It is not safe for concurrent use.
type Supervised[X, Y any] struct {
	Policy       policy.Trainable[X, Y]
	TokensPerRow float64 // divisor of a row's loss, positive and finite; 0: 1

	pass    policy.Pass[X, Y]
	logp, w []float64
}

var _ Describer = (*Supervised[int, int])(nil)

// Accumulate implements [Term].
func (t *Supervised[X, Y]) Accumulate(ctx context.Context, b *Batch[X, Y], _ policy.Key, m *Metrics) error {
	if t.Policy == nil {
		panic("train: Supervised without Policy")
	}
	if b.Chosen == nil {
		return errors.New("train: Supervised needs Data.Chosen")
	}
	div := t.TokensPerRow
	if div == 0 {
		div = 1
	}
	if !(div > 0) || math.IsInf(div, 0) {
		return fmt.Errorf("train: Supervised.TokensPerRow = %v, must be positive and finite, or 0 for 1", div)
	}
	div *= float64(b.Rows)
	if t.pass == nil {
		t.pass = t.Policy.NewPass()
	}
	t.logp, t.w = resize(t.logp, b.Len()), resize(t.w, b.Len())
	if err := t.pass.Forward(ctx, t.logp, b.X, b.Chosen); err != nil {
		return rowError(b, err, 1)
	}
	total, err := likelihood(t.w, t.logp)
	if err != nil {
		return rowError(b, err, 1)
	}
	if b.ChosenLen != nil {
		tokens := 0
		for _, l := range b.ChosenLen {
			tokens += l
		}
		m.Mean("nll_per_token", total.Sum, tokens)
	}
	m.Sum("loss", total.Sum/div)
	scale(t.w, 1/div)
	return t.pass.Pullback(ctx, t.w)
}

// Describe implements [Describer].
func (t *Supervised[X, Y]) Describe() string { return fmt.Sprintf("TokensPerRow=%v", t.TokensPerRow) }

// likelihood is loss.NLL of replies that must have a probability.
func likelihood(grad, logp []float64) (loss.Total, error) {
	if i := slices.IndexFunc(logp, notFinite); i >= 0 {
		return loss.Total{}, &loss.InputError{Field: "Chosen", Index: i, Value: logp[i], Reason: "not finite"}
	}
	return loss.NLL{}.Eval(nil, grad, logp)
}
