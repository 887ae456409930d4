package train

import (
	"context"
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
)

// BestOfN distils the best of N replies into the policy (sampler.BestOfN only says what choosing
// them is worth, coverage.BestOfN is their exact distribution): for each row's prompt it draws N from
// From, a policy that this training does not move, and adds the negative log-likelihood of the
// one of the largest reward, the first of several,
//
//	−E_{y ~ best of N of From}[log π(y)]
//
// whose minimiser is the distribution of the best of N itself, n·F(r)^(n−1)·π_From where
// rewards do not tie: KL(π‖π_From) is then log N − (N−1)/N, or less, and no β is needed. It is
// BOND (Sessa et al. 2024, arXiv:2407.14622) with the forward divergence alone. It also is
// rejection-sampling fine-tuning, and expert iteration if From follows the policy.
//
// A reply without a reward is not chosen; a prompt all of whose replies lack one is left out and
// counts as 0. With Loop.Repeat the choice of the first update on a batch stays. It reports
// "loss", and at the first update on a batch "objective/scores" of all replies,
// "objective/best" of the chosen ones and "frac_failed". It is not safe for concurrent use.
type BestOfN[X, Y any] struct {
	Policy policy.Trainable[X, Y]
	From   policy.Sampler[X, Y]
	Reward RewardFunc[X, Y]
	N      int // replies per prompt, at least 1

	pass    policy.Pass[X, Y]
	kept    kept[chosen[X, Y]]
	xs      []X
	ys      []Y
	reward  []float64
	best    []int
	tally   tally
	logp, w []float64
}

// chosen is the best replies to some prompts.
type chosen[X, Y any] struct {
	row []int // in the batch
	xs  []X
	ys  []Y
}

var _ Describer = (*BestOfN[int, int])(nil)

// Accumulate implements [Term].
func (t *BestOfN[X, Y]) Accumulate(ctx context.Context, b *Batch[X, Y], key policy.Key, m *Metrics) error {
	if t.Policy == nil || t.From == nil || t.Reward == nil {
		panic("train: BestOfN without Policy, From or Reward")
	}
	if t.N < 1 {
		return fmt.Errorf("train: BestOfN.N = %d, must be at least 1", t.N)
	}
	c, fresh, err := recall(&t.kept, b)
	if err != nil {
		return err
	}
	if fresh {
		if err := t.choose(ctx, c, b, key, m); err != nil {
			return err
		}
	}
	if t.pass == nil {
		t.pass = t.Policy.NewPass()
	}
	t.logp, t.w = resize(t.logp, len(c.ys)), resize(t.w, len(c.ys))
	err = t.pass.Forward(ctx, t.logp, c.xs, c.ys)
	var total loss.Total
	if err == nil {
		total, err = likelihood(t.w, t.logp)
	}
	if i, ok := itemOf(err); ok && i < len(c.row) {
		return fmt.Errorf("row %d: %w", b.Row[c.row[i]], err)
	}
	if err != nil {
		return err
	}
	m.Sum("loss", total.Sum/float64(b.Rows))
	scale(t.w, 1/float64(b.Rows))
	return t.pass.Pullback(ctx, t.w)
}

// choose draws replies and takes the best.
func (t *BestOfN[X, Y]) choose(ctx context.Context, c *chosen[X, Y], b *Batch[X, Y], key policy.Key, m *Metrics) error {
	n := b.Len() * t.N
	t.xs, t.ys = expand(t.xs, b.X, t.N), resize(t.ys, n)
	t.reward, t.best = resize(t.reward, n), resize(t.best, b.Len())
	if err := t.From.Sample(ctx, policy.Draws[Y]{Y: t.ys}, b.X, b.ID, t.N, key); err != nil {
		return rowError(b, err, 1)
	}
	if err := score(ctx, t.Reward, &t.tally, t.reward, t.xs, t.ys, t.N, b, m); err != nil {
		return err
	}
	sampler.Best(t.best, t.reward, t.N)
	c.row, c.xs, c.ys = c.row[:0], c.xs[:0], c.ys[:0]
	total := 0.0
	for row, i := range t.best {
		if i >= 0 {
			c.row, c.xs, c.ys = append(c.row, row), append(c.xs, t.xs[i]), append(c.ys, t.ys[i])
			total += t.reward[i]
		}
	}
	m.Mean("objective/best", total, len(c.row))
	return nil
}

// Describe implements [Describer].
func (t *BestOfN[X, Y]) Describe() string { return fmt.Sprintf("N=%d", t.N) }
