package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
)

// OnlinePairs is a pairwise loss on pairs of replies that the policy itself has drawn: online
// DPO, IPO and their relatives (Guo et al. 2024, arXiv:2402.04792). For each row's prompt it
// draws K replies. A Judge compares the first with the second, the third with the fourth, and
// so on: K/2 pairs. A Reward rates all K and makes a pair of the best and the worst. The loss
// is averaged over the pairs that there could be, with 0 for a tie and for what the judge or
// the reward failed to answer.
//
// Its gradient is that of the loss with the draws held fixed,
//
//	E_{y, y′ ~ π}[∇ L(y⁺, y⁻)]
//
// not that of the expected loss, which would also move the distribution of the pairs. With
// [loss.DPO], Soft and verdicts P(y ≻ y′) = σ(r(y) − r(y′)) it is 0 at π ∝ π_ref·e^{r/β}; with
// hard verdicts it is 0 nowhere, and the policy moves to the best reply as long as it is
// trained.
//
// With Loop.Repeat the pairs of the first update on a batch stay. It reports what [Offline]
// does, and at the first update on a batch "frac_failed", "frac_ties", with a Reward
// "objective/scores", and with a Ref "objective/kl". It is not safe for concurrent use.
type OnlinePairs[X, Y any] struct {
	Policy policy.Learner[X, Y]
	Ref    policy.Policy[X, Y] // for losses with a reference; else nil
	Loss   loss.Pairwise
	K      int                 // replies per prompt: at least 2, with Judge an even number
	Judge  sampler.Judge[X, Y] // this
	Reward RewardFunc[X, Y]    // or this

	// Soft takes a verdict p for the probability that a label would be for the first reply: the
	// pair counts in both orders, with weights p and 1−p. Else p > ½ is 1. It needs a Judge,
	// and a loss that reads Pairs.Weight; one that does not panics.
	Soft bool

	Len func(y Y) int // tokens of a reply, for losses that are means over tokens; else nil

	f freshPairs[X, Y]
}

var _ Describer = (*OnlinePairs[int, int])(nil)

// Accumulate implements [Term].
func (t *OnlinePairs[X, Y]) Accumulate(ctx context.Context, b *Batch[X, Y], key policy.Key, m *Metrics) error {
	if err := t.check(); err != nil {
		return err
	}
	if err := checkWhole(b, t.Loss, loss.IsCoupled(t.Loss)); err != nil {
		return err
	}
	d, fresh, err := recall(&t.f.kept, b)
	if err != nil {
		return err
	}
	if fresh {
		if err := d.draw(ctx, t.Policy, nil, t.K, b, key); err != nil {
			return err
		}
	}
	if err := t.f.forward(ctx, t.Policy, d, b); err != nil {
		return err
	}
	if fresh {
		if err := t.choose(ctx, d, b, m); err != nil {
			return err
		}
	}
	pairs := b.Rows
	if t.Judge != nil {
		pairs *= t.K / 2
	}
	if err := t.f.add(d, t.Loss, float64(pairs), b, m); err != nil {
		return err
	}
	return t.f.pass.Pullback(ctx, t.f.w)
}

// check returns an error for settings that do not go together, and panics without those that
// there must be.
func (t *OnlinePairs[X, Y]) check() error {
	if t.Policy == nil || t.Loss == nil {
		panic("train: OnlinePairs without Policy or Loss")
	}
	switch {
	case (t.Judge == nil) == (t.Reward == nil):
		return errors.New("train: OnlinePairs needs either Judge or Reward")
	case t.K < 2:
		return fmt.Errorf("train: OnlinePairs.K = %d, must be at least 2", t.K)
	case t.Judge != nil && t.K%2 != 0:
		return fmt.Errorf("train: OnlinePairs.K = %d, must be even for a Judge", t.K)
	case t.Judge == nil && t.Soft:
		return errors.New("train: OnlinePairs.Soft needs a Judge")
	}
	return nil
}

// choose makes pairs of what was drawn.
func (t *OnlinePairs[X, Y]) choose(ctx context.Context, d *pairDraws[X, Y], b *Batch[X, Y], m *Metrics) error {
	if t.Ref != nil {
		d.ref = resize(d.ref, len(d.ys))
		if err := t.f.refer(ctx, t.Ref, d.ref, d, t.K, b, m); err != nil {
			return err
		}
	}
	if t.Len != nil {
		d.length = d.length[:0]
		for _, y := range d.ys {
			d.length = append(d.length, t.Len(y))
		}
	}
	if t.Judge != nil {
		return t.f.judge(ctx, t.Judge, t.Soft, d, b, m)
	}
	if err := t.f.score(ctx, t.Reward, d, b, m); err != nil {
		return err
	}
	d.choice.BestWorst(d.reward, t.K)
	m.Mean("frac_ties", float64(d.choice.Tied), b.Len())
	return nil
}

// Describe implements [Describer].
func (t *OnlinePairs[X, Y]) Describe() string {
	return fmt.Sprintf("K=%d Loss=%#v Judge=%v Soft=%v", t.K, t.Loss, t.Judge != nil, t.Soft)
}
