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

// REBEL regresses differences of rewards on those of log-ratios (Gao et al. 2024,
// arXiv:2404.16767). For each row's prompt the policy as it is, π_t, draws K replies,
// which make K/2 pairs with rewards r, and the loss, loss.REBEL for these pairs, is the mean of
//
//	((1/η)·(log π(y)/π_t(y) − log π(y′)/π_t(y′)) − (r(y) − r(y′)))²
//
// with the draws held fixed. Its minimiser is π ∝ π_t·e^{η·r}, a step of mirror descent, to
// which several updates on a batch (Loop.Repeat) come closer than one; the first alone is a
// step of the policy gradient with the other reply for a baseline.
//
// With Beta > 0 the reward is r − β·log π_t(y)/π_ref(y), and such steps come to rest at
// π ∝ π_ref·e^{r/β}; Ref may be nil at 0.
//
// A pair that lacks a reward is left out and counts as 0 in the mean. It reports what [Offline]
// does, with π_t for a reference, and at the first update on a batch "objective/scores",
// "frac_failed" and, with Beta > 0, "objective/kl". It is not safe for concurrent use.
type REBEL[X, Y any] struct {
	Policy policy.Learner[X, Y]
	Ref    policy.Policy[X, Y]
	Reward RewardFunc[X, Y]
	K      int     // replies per prompt, an even number, at least 2
	Eta    float64 // η, the step size: nats of log-ratio per unit of reward; positive and finite
	Beta   float64 // β, the KL coefficient: reward per nat; finite, not negative

	f freshPairs[X, Y]
}

var _ Describer = (*REBEL[int, int])(nil)

// Accumulate implements [Term].
func (t *REBEL[X, Y]) Accumulate(ctx context.Context, b *Batch[X, Y], key policy.Key, m *Metrics) error {
	if err := t.check(); err != nil {
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
		if err := t.regress(ctx, d, b, m); err != nil {
			return err
		}
	}
	l := loss.Contrast{Score: loss.LogRatio{}, Link: loss.Squared{}, Beta: 1 / t.Eta}
	if err := t.f.add(d, l, float64(b.Rows*t.K/2), b, m); err != nil {
		return err
	}
	return t.f.pass.Pullback(ctx, t.f.w)
}

// check returns an error for settings out of range, and panics without those that there must be.
func (t *REBEL[X, Y]) check() error {
	if t.Policy == nil || t.Reward == nil {
		panic("train: REBEL without Policy or Reward")
	}
	switch {
	case t.K < 2 || t.K%2 != 0:
		return fmt.Errorf("train: REBEL.K = %d, must be even and at least 2", t.K)
	case !(t.Eta > 0) || notFinite(t.Eta) || notFinite(1/t.Eta):
		return fmt.Errorf("train: REBEL.Eta = %v, must be positive and finite, and so must 1/Eta", t.Eta)
	case !(t.Beta >= 0) || notFinite(t.Beta):
		return fmt.Errorf("train: REBEL.Beta = %v, must be finite and not negative", t.Beta)
	case t.Beta > 0 && t.Ref == nil:
		return errors.New("train: REBEL.Beta without Ref")
	}
	return nil
}

// regress rates the replies and makes their log-probabilities those of π_t.
func (t *REBEL[X, Y]) regress(ctx context.Context, d *pairDraws[X, Y], b *Batch[X, Y], m *Metrics) error {
	if err := t.f.score(ctx, t.Reward, d, b, m); err != nil {
		return err
	}
	d.ref = resize(d.ref, len(d.ys))
	if t.Beta > 0 {
		if err := t.f.refer(ctx, t.Ref, d.ref, d, t.K, b, m); err != nil {
			return err
		}
		for i, ref := range d.ref {
			d.reward[i] -= t.Beta * (t.f.logp[i] - ref)
		}
	}
	if i := slices.IndexFunc(d.reward, func(r float64) bool { return math.IsInf(r, 0) }); i >= 0 {
		return rowError(b, &loss.InputError{Field: "Reward", Index: i, Value: d.reward[i], Reason: "not finite"}, t.K)
	}
	copy(d.ref, t.f.logp)
	d.choice.Successive(d.reward)
	margins := loss.Pairs{Margin: d.margin}
	d.choice.Margins(&margins, d.reward)
	d.margin = margins.Margin
	return nil
}

// Describe implements [Describer].
func (t *REBEL[X, Y]) Describe() string {
	return fmt.Sprintf("K=%d Eta=%v Beta=%v", t.K, t.Eta, t.Beta)
}
