package train

import (
	"context"
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
)

// NashMD is Nash mirror descent (Munos et al. 2023, arXiv:2312.00886): the policy plays against
// an opponent μ, and a judge says who wins,
//
//	−E_{y ~ π, y′ ~ μ}[P(y ≻ y′)] + β·KL(π‖π_ref)
//
// with μ held fixed in the gradient. For each row's prompt it draws K replies from each, and
// uses the leave-one-out estimate of loss.RLHF with the verdicts as rewards. The paper's μ is
// the geometric mixture ∝ π^(1−a)·π_ref^a of the policy as it is: policy.GeometricMixture for
// policies with a distribution, where it is of whole replies, and sampler.Mixture, token by
// token, for those with logits. With the policy for an opponent it is self-play.
//
// It draws anew at each update: Loop.Repeat makes fresh updates on the same prompts. A prompt
// that lacks a verdict is left out and counts as 0 in the means. It reports "loss",
// "objective/kl" with its standard error, "objective/winrate" and "frac_failed". It is not
// safe for concurrent use.
type NashMD[X, Y any] struct {
	Policy   policy.Learner[X, Y]
	Ref      policy.Policy[X, Y]
	Opponent policy.Sampler[X, Y]
	Judge    sampler.Judge[X, Y]
	K        int     // replies per prompt of each, at least 2
	Beta     float64 // β, the KL coefficient: win rate per nat; finite, not negative

	r       rollouts[X, Y]
	other   []Y
	win     []float64
	tally   tally
	groups  sampler.Groups
	samples loss.Samples
	weights []float64
}

var _ Describer = (*NashMD[int, int])(nil)

// Accumulate implements [Term].
func (t *NashMD[X, Y]) Accumulate(ctx context.Context, b *Batch[X, Y], key policy.Key, m *Metrics) error {
	if t.Policy == nil || t.Ref == nil || t.Opponent == nil || t.Judge == nil {
		panic("train: NashMD without Policy, Ref, Opponent or Judge")
	}
	if err := t.r.draw(ctx, t.Policy, t.Ref, t.K, b, key); err != nil {
		return err
	}
	n := len(t.r.ys)
	t.other, t.win = resize(t.other, n), resize(t.win, n)
	if err := t.Opponent.Sample(ctx, policy.Draws[Y]{Y: t.other}, b.X, b.ID, t.K, opponents(key)); err != nil {
		return fmt.Errorf("opponent: %w", rowError(b, err, 1))
	}
	err := sampler.Compare(ctx, t.Judge, t.win, t.r.xs, t.r.ys, t.other)
	failed, err := answers(&t.tally, b, t.win, err, t.K)
	if err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	m.Mean("frac_failed", float64(failed), n)
	t.groups.Complete(t.win, n, t.K)
	t.groups.Samples(&t.samples, t.r.samples.LogProb, t.r.samples.Ref, t.win, t.K)
	m.Mean("objective/winrate", sum(t.samples.Reward), len(t.samples.Reward))
	clear(t.r.weights)
	var total loss.Total
	if len(t.groups.Index) > 0 {
		t.weights = resize(t.weights, len(t.groups.Index))
		total, err = loss.RLHF{Beta: t.Beta}.Eval(loss.SamplesOut{LogProb: t.weights}, t.samples)
		if i, ok := itemOf(err); ok {
			return fmt.Errorf("row %d: %w", b.Row[t.groups.Index[i]/t.K], err)
		}
		if err != nil {
			return err
		}
	}
	for i, at := range t.groups.Index {
		t.r.weights[at] = t.weights[i]
	}
	_, err = t.r.finish(ctx, total, b, m)
	return err
}

// Describe implements [Describer].
func (t *NashMD[X, Y]) Describe() string { return fmt.Sprintf("K=%d Beta=%v", t.K, t.Beta) }
