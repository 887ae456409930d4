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
	weights []float64
	ratios  []float64
}

func (r *rollouts[X, Y]) draw(ctx context.Context, p policy.Learner[X, Y], ref policy.Policy[X, Y], k int, b *Batch[X, Y], key policy.Key) error {
	if k < 2 {
		return fmt.Errorf("train: K = %d, a leave-one-out baseline needs at least 2", k)
	}
	if err := independent(p); err != nil {
		return err
	}
	if r.pass == nil {
		r.pass = p.NewPass()
	}
	n := b.Len() * k
	r.xs, r.ys = expand(r.xs, b.X, k), resize(r.ys, n)
	s := &r.samples
	s.K, s.LogProb, s.Ref = k, resize(s.LogProb, n), resize(s.Ref, n)
	r.weights = resize(r.weights, n)
	if err := p.Sample(ctx, policy.Draws[Y]{Y: r.ys}, b.X, b.ID, k, key); err != nil {
		return rowError(b, err, 1)
	}
	if err := r.pass.Forward(ctx, s.LogProb, r.xs, r.ys); err != nil {
		return rowError(b, err, k)
	}
	if err := ref.LogProbs(ctx, s.Ref, r.xs, r.ys); err != nil {
		return fmt.Errorf("reference: %w", rowError(b, err, k))
	}
	return nil
}

// finish reports the loss and the KL, which it returns too, scales the weights that the
// loss has left to the step's denominator, and pulls them back.
func (r *rollouts[X, Y]) finish(ctx context.Context, t loss.Total, b *Batch[X, Y], m *Metrics) (coverage.KLEstimator, error) {
	s := &r.samples
	r.ratios = resize(r.ratios, len(s.LogProb))
	for i, lp := range s.LogProb {
		r.ratios[i] = lp - s.Ref[i]
	}
	var kl coverage.KLEstimator
	if err := kl.Add(r.ratios, s.K); err != nil {
		return kl, err
	}
	m.Estimate("objective/kl", kl)
	div := float64(b.Rows * s.K)
	m.Sum("loss", t.Sum/div)
	scale(r.weights, 1/div)
	return kl, r.pass.Pullback(ctx, r.weights)
}

// penalise adds λ·KL: what KLPenalty and KLBudget share.
func (r *rollouts[X, Y]) penalise(ctx context.Context, lambda float64, b *Batch[X, Y], m *Metrics) (coverage.KLEstimator, error) {
	t, err := loss.KLPenalty{Lambda: lambda}.Eval(loss.SamplesOut{LogProb: r.weights}, r.samples)
	if err != nil {
		return coverage.KLEstimator{}, rowError(b, err, r.samples.K)
	}
	return r.finish(ctx, t, b, m)
}
