package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
)

// Offline is a pairwise loss on the preference pairs of the training set, averaged over
// the rows of a step: DPO, IPO and their relatives. Data needs Chosen, Rejected, and whatever
// else the loss uses; one with a reference panics without RefChosen and RefRejected, unless
// Ref scores the replies at each step, as a reference that moves must (see [MovingRef]).
//
// A loss that looks at the batch as a whole (loss.Coupled) refuses micro-batches.
//
// It reports "loss" and, under the names that TRL gives them, "rewards/chosen",
// "rewards/rejected", "rewards/margins" (of the score that the loss really uses),
// "rewards/accuracies" (ties count one half), "logps/chosen", "logps/rejected"; and, where
// there is a reference, "displacement/chosen" and "displacement/rejected": the share of
// pairs whose reply is less likely than under the reference. A chosen reply that falls is
// what margins do not show. It is not safe for concurrent use.
type Offline[X, Y any] struct {
	Policy policy.Trainable[X, Y]
	Loss   loss.Pairwise
	Ref    policy.Policy[X, Y] // nil: Data.RefChosen and Data.RefRejected; else these must be nil

	pass policy.Pass[X, Y]
	xs   []X
	ys   []Y
	logp []float64 // chosen and rejected in turn
	ref  []float64 // the same under Ref
	pairLoss
}

// Accumulate implements [Term].
func (t *Offline[X, Y]) Accumulate(ctx context.Context, b *Batch[X, Y], _ policy.Key, m *Metrics) error {
	if t.Policy == nil || t.Loss == nil {
		panic("train: Offline without Policy or Loss")
	}
	if b.Chosen == nil || b.Rejected == nil {
		return errors.New("train: Offline needs Data.Chosen and Data.Rejected")
	}
	if err := checkWhole(b, t.Loss, loss.IsCoupled(t.Loss)); err != nil {
		return err
	}
	if err := t.forward(ctx, b); err != nil {
		return err
	}
	total, err := t.eval(t.Loss)
	if err != nil {
		return rowError(b, err, 1)
	}
	m.Sum("loss", total.Sum/float64(b.Rows))
	t.report(total, m)
	for i := range b.X {
		t.logp[2*i] = t.out.Chosen[i] / float64(b.Rows)
		t.logp[2*i+1] = t.out.Rejected[i] / float64(b.Rows)
	}
	return t.pass.Pullback(ctx, t.logp)
}

// Describe implements [Describer]: the loss with its parameters.
func (t *Offline[X, Y]) Describe() string { return fmt.Sprintf("%#v", t.Loss) }

// forward scores both replies of each row, side by side: a policy can share the work on
// the prompt between neighbours.
func (t *Offline[X, Y]) forward(ctx context.Context, b *Batch[X, Y]) error {
	if t.pass == nil {
		t.pass = t.Policy.NewPass()
	}
	n := b.Len()
	t.xs, t.ys, t.logp = t.xs[:0], t.ys[:0], resize(t.logp, 2*n)
	for i, x := range b.X {
		t.xs = append(t.xs, x, x)
		t.ys = append(t.ys, b.Chosen[i], b.Rejected[i])
	}
	if err := t.pass.Forward(ctx, t.logp, t.xs, t.ys); err != nil {
		return rowError(b, err, 2, "Chosen", "Rejected")
	}
	p := loss.Pairs{
		Chosen: resize(t.pairs.Chosen, n), Rejected: resize(t.pairs.Rejected, n),
		RefChosen: b.RefChosen, RefRejected: b.RefRejected,
		ChosenLen: b.ChosenLen, RejectedLen: b.RejectedLen,
	}
	for i := range n {
		p.Chosen[i], p.Rejected[i] = t.logp[2*i], t.logp[2*i+1]
	}
	t.pairs = p
	if t.Ref != nil {
		if err := t.score(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// score fills in the replies' log-probabilities under Ref.
func (t *Offline[X, Y]) score(ctx context.Context, b *Batch[X, Y]) error {
	if b.RefChosen != nil || b.RefRejected != nil {
		return errors.New("train: Offline has Ref, and Data has log-probabilities under a reference: which one?")
	}
	n := b.Len()
	t.ref = resize(t.ref, 4*n) // scored in turn, then apart
	if err := t.Ref.LogProbs(ctx, t.ref[:2*n], t.xs, t.ys); err != nil {
		return fmt.Errorf("reference: %w", rowError(b, err, 2, "Chosen", "Rejected"))
	}
	t.pairs.RefChosen, t.pairs.RefRejected = t.ref[2*n:3*n], t.ref[3*n:]
	for i := range n {
		t.pairs.RefChosen[i], t.pairs.RefRejected[i] = t.ref[2*i], t.ref[2*i+1]
	}
	return nil
}
