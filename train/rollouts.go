package train

import (
	"context"
	"fmt"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
)

// rollouts draws K responses for each row of a batch and scores them under policy and
// reference. Its slices are reused.
type rollouts[X, Y any] struct {
	pass    policy.Pass[X, Y]
	xs      []X
	ys      []Y
	samples loss.Samples
	ratio   []float64
	out     loss.SamplesOut
	kl      coverage.KLEstimator // of the step so far
}

func (r *rollouts[X, Y]) draw(ctx context.Context, p policy.Learner[X, Y], ref policy.Policy[X, Y], k int, b *Batch[X, Y], key policy.Key, m *Metrics) error {
	if k < 2 {
		return fmt.Errorf("train: K = %d, a leave-one-out baseline needs at least 2", k)
	}
	if r.pass == nil {
		r.pass = p.NewPass()
	}
	n := b.Len() * k
	r.xs, r.ys = r.xs[:0], resize(r.ys, n)
	for _, x := range b.X {
		for range k {
			r.xs = append(r.xs, x)
		}
	}
	s := &r.samples
	s.K, s.LogProb, s.Ref = k, resize(s.LogProb, n), resize(s.Ref, n)
	r.ratio = resize(r.ratio, n)
	r.out = loss.SamplesOut{LogProb: resize(r.out.LogProb, n), Loss: resize(r.out.Loss, n)}
	if err := p.Sample(ctx, policy.Draws[Y]{Y: r.ys}, b.X, b.ID, k, key); err != nil {
		return rowError(b, err, k)
	}
	if err := r.pass.Forward(ctx, s.LogProb, r.xs, r.ys); err != nil {
		return rowError(b, err, k)
	}
	if err := ref.LogProbs(ctx, s.Ref, r.xs, r.ys); err != nil {
		return fmt.Errorf("reference: %w", rowError(b, err, k))
	}
	for i, lp := range s.LogProb {
		r.ratio[i] = lp - s.Ref[i]
	}
	var e coverage.KLEstimator
	if err := e.Add(r.ratio, k); err != nil {
		return err
	}
	r.kl.Merge(e)
	m.Estimate("objective/kl", e)
	return nil
}

// finish scales the weights to the step's denominator and pulls them back.
func (r *rollouts[X, Y]) finish(ctx context.Context, t loss.Total, rows int, m *Metrics) error {
	div := float64(rows * r.samples.K)
	m.Sum("loss", t.Sum/div)
	scale(r.out.LogProb, 1/div)
	return r.pass.Pullback(ctx, r.out.LogProb)
}

// penalise adds λ·KL: what KLPenalty and KLBudget share.
func (r *rollouts[X, Y]) penalise(ctx context.Context, lambda float64, b *Batch[X, Y], m *Metrics) error {
	t, err := loss.KLPenalty{Lambda: lambda}.Eval(r.out, r.samples)
	if err != nil {
		return rowError(b, err, r.samples.K)
	}
	return r.finish(ctx, t, b.Rows, m)
}
