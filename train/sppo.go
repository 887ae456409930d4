package train

import (
	"context"
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
)

// SPPO is Self-Play Preference Optimization (Wu et al. 2024, arXiv:2405.00675): for each row's
// prompt the policy as it is, π_t, draws K replies, a judge compares all of them with each other,
// and loss.SPPOKWise (not loss.SPPO, which is of given pairs) regresses their log-ratios on their
// win rates P,
//
//	(log π(y)/π_t(y) − (P − ½)/β)²
//
// averaged over the K replies, with the draws held fixed. One batch is a step towards
// π_t·e^{(P−½)/β}, to which several updates (Loop.Repeat) come closer; the steps together move to
// the Nash equilibrium of the judge's preferences, and nothing holds them to π_ref.
//
// A prompt that lacks a comparison is left out and counts as 0. It reports "loss",
// "rewards/accuracies" (signs of log-ratio and win rate that agree, ties one half) and, at the
// first update on a batch, "frac_failed", of prompts. It is not safe for concurrent use.
type SPPO[X, Y any] struct {
	Policy policy.Learner[X, Y]
	Judge  sampler.Judge[X, Y]
	K      int     // replies per prompt, at least 2; K·(K−1)/2 comparisons
	Beta   float64 // β = 1/η, an inverse step size: win rate per nat of log-ratio; positive

	pass    policy.Pass[X, Y]
	kept    kept[contenders[X, Y]]
	tally   tally
	logp, w []float64 // of all replies
	out     []float64 // of those that were compared
	batch   loss.Unpaired
}

// contenders is replies to some prompts and how they fared against each other.
type contenders[X, Y any] struct {
	xs     []X
	ys     []Y
	old    []float64
	prefer []float64
	groups sampler.Groups
	win    []float64
}

var _ Describer = (*SPPO[int, int])(nil)

// Accumulate implements [Term].
func (t *SPPO[X, Y]) Accumulate(ctx context.Context, b *Batch[X, Y], key policy.Key, m *Metrics) error {
	if t.Policy == nil || t.Judge == nil {
		panic("train: SPPO without Policy or Judge")
	}
	if t.K < 2 {
		return fmt.Errorf("train: SPPO.K = %d, must be at least 2", t.K)
	}
	d, fresh, err := recall(&t.kept, b)
	if err != nil {
		return err
	}
	if fresh {
		if err := t.draw(ctx, d, b, key, m); err != nil {
			return err
		}
	}
	if t.pass == nil {
		t.pass = t.Policy.NewPass()
	}
	t.logp, t.w = resize(t.logp, len(d.ys)), resize(t.w, len(d.ys))
	if err := t.pass.Forward(ctx, t.logp, d.xs, d.ys); err != nil {
		return rowError(b, err, t.K)
	}
	if fresh {
		d.old = append(d.old[:0], t.logp...)
	}
	clear(t.w)
	if len(d.groups.Index) == 0 {
		m.Sum("loss", 0)
		return nil
	}
	if d.win, err = d.groups.KWise(&t.batch, d.win, t.logp, d.old, d.prefer, t.K); err != nil {
		return err
	}
	t.out = resize(t.out, len(d.win))
	total, err := loss.SPPOKWise{Beta: t.Beta}.Eval(loss.UnpairedOut{LogProb: t.out}, t.batch, d.win)
	if err != nil {
		return rowErrorAt(b, err, d.groups.Index, t.K)
	}
	div := float64(b.Rows * t.K)
	for i, at := range d.groups.Index {
		t.w[at] = t.out[i] / div
	}
	m.Sum("loss", total.Sum/div)
	m.Mean("rewards/accuracies", float64(total.Correct)+0.5*float64(total.Ties), total.Count)
	return t.pass.Pullback(ctx, t.w)
}

// draw draws replies and lets the judge compare them.
func (t *SPPO[X, Y]) draw(ctx context.Context, d *contenders[X, Y], b *Batch[X, Y], key policy.Key, m *Metrics) error {
	n := b.Len() * t.K
	d.xs, d.ys, d.prefer = expand(d.xs, b.X, t.K), resize(d.ys, n), resize(d.prefer, n*t.K)
	if err := t.Policy.Sample(ctx, policy.Draws[Y]{Y: d.ys}, b.X, b.ID, t.K, key); err != nil {
		return rowError(b, err, 1)
	}
	err := sampler.Preferences(ctx, t.Judge, d.prefer, b.X, d.ys, t.K)
	d.groups.Complete(d.prefer, n, t.K)
	// A prompt with a failure counts as failed, as all that is left of it is nothing.
	if _, err := answers(&t.tally, b, t.verdicts(d), err, t.K*(t.K-1)/2); err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	m.Mean("frac_failed", float64(d.groups.Failed), b.Len())
	return nil
}

// verdicts returns a number for each prompt: NaN where a comparison failed.
func (t *SPPO[X, Y]) verdicts(d *contenders[X, Y]) []float64 {
	sums := make([]float64, len(d.ys)/t.K)
	for i := range sums {
		sums[i] = sum(d.prefer[i*t.K*t.K : (i+1)*t.K*t.K])
	}
	return sums
}

// Describe implements [Describer].
func (t *SPPO[X, Y]) Describe() string { return fmt.Sprintf("K=%d Beta=%v", t.K, t.Beta) }
