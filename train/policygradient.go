package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
)

// PolicyGradient is online RLHF with any policy-gradient loss (a loss.PolicyGradient, which is given
// what this draws) on any advantages: for each row's
// prompt it draws K replies, rates them, takes β·log π_old/π_ref off the rewards, makes
// advantages of what is left, and lets Loss turn those and the ratios π/π_old into a gradient.
// A whole reply is one token to the loss, and the loss is divided by Rows·K:
//
//	RLOO     rloo.RLOO{}          loss.Reinforce
//	PPO      rloo.RLOO{}          loss.PPO, with Loop.Repeat of 2 and more
//	GRPO     rloo.Standardised{}  loss.GRPO, with the KL in the loss and Beta 0
//
// With rloo.RLOO and a loss whose derivative at π = π_old is −A the first update on a batch is an
// unbiased estimate of ∇(−E_π[r] + β·KL(π‖π_ref)), which is [Online]. What another advantage or
// loss estimates is said there. [TokenPolicyGradient] is the same token by token.
//
// π_old is the policy as it was when the replies were drawn, scored by the policy itself. If
// they really come from something else, as from a sampler at another temperature, Importance
// corrects for it, by the weights π_old/μ.
//
// With Loop.Repeat the replies, rewards and advantages of the first update on a batch stay. A
// reply without a reward is left out of its group, and counts as 0 in the mean. Draws that
// depend on each other are refused by advantages with a baseline from other draws.
//
// It reports "loss", "clip_ratio/low" and "clip_ratio/high" (shares of replies), "policy/approx_kl"
// of π from π_old, and at the first update on a batch "objective/scores",
// "objective/rlhf_reward" (less the KL), "frac_failed", "frac_reward_zero_std" (groups without
// a signal), with a Ref "objective/kl" with its standard error, and with Importance
// "importance/ess" and "importance/clipped" as shares; with Control, "beta". It is not safe for
// concurrent use.
type PolicyGradient[X, Y any] struct {
	Policy    policy.Learner[X, Y]
	Ref       policy.Policy[X, Y] // for Beta, and for losses with a reference; else nil
	Reward    RewardFunc[X, Y]
	K         int // replies per prompt, at least 1; most advantages need 2
	Advantage rloo.Advantage
	Beta      float64 // β, the KL coefficient: reward per nat; finite, not negative
	Loss      loss.PolicyGradient

	// AdvantageOf, in place of Advantage, is for those that have to know the replies to which
	// they belong: rloo.OPO their lengths, rloo.ReMax a baseline of each prompt. It is asked at
	// the first update on a batch, of the replies that have a reward; g says which of them
	// belong to one prompt, and has empty groups where none is left.
	AdvantageOf func(ctx context.Context, xs []X, ys []Y, g rloo.Groups) (rloo.Advantage, error)

	// Control moves β, by the KL of the replies drawn for a batch, in place of Beta: rloo.Adaptive
	// or rloo.Dual. Its state is part of a checkpoint. One of another package must be an
	// encoding.BinaryMarshaler and BinaryUnmarshaler. Nil: β is Beta.
	Control rloo.Controller

	Importance *sampler.Importance // nil: the draws are those of the policy

	pass    policy.Pass[X, Y]
	kept    kept[ratedReplies[X, Y]]
	tally   tally
	control klControl
	logp, w []float64
}

// ratedReplies is replies to some prompts, those with a reward, and their advantages.
type ratedReplies[X, Y any] struct {
	xs []X
	ys []Y
	rated
}

var (
	_ Stateful  = (*PolicyGradient[int, int])(nil)
	_ Describer = (*PolicyGradient[int, int])(nil)
)

// Accumulate implements [Term].
func (t *PolicyGradient[X, Y]) Accumulate(ctx context.Context, b *Batch[X, Y], key policy.Key, m *Metrics) error {
	if err := t.check(b); err != nil {
		return err
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
	if len(d.ys) == 0 {
		m.Sum("loss", 0)
		return nil
	}
	if t.pass == nil {
		t.pass = t.Policy.NewPass()
	}
	t.logp, t.w = resize(t.logp, len(d.ys)), resize(t.w, len(d.ys))
	if err := t.pass.Forward(ctx, t.logp, d.xs, d.ys); err != nil {
		return rowErrorAt(b, err, d.at, t.K)
	}
	if fresh {
		d.Old = append(d.Old[:0], t.logp...)
		if err := t.advance(ctx, d, b, m); err != nil {
			return err
		}
	}
	d.LogProb = t.logp
	total, err := t.Loss.Eval(loss.RolloutsOut{LogProb: t.w}, d.Rollouts)
	if err != nil {
		return rowErrorAt(b, err, d.at, t.K)
	}
	div := float64(b.Rows * t.K)
	m.Sum("loss", total.Sum/div)
	reportSurrogate(total, m)
	scale(t.w, 1/div)
	return t.pass.Pullback(ctx, t.w)
}

func (t *PolicyGradient[X, Y]) check(b *Batch[X, Y]) error {
	if t.Policy == nil || t.Reward == nil || t.Loss == nil {
		panic("train: PolicyGradient without Policy, Reward or Loss")
	}
	switch {
	case (t.Advantage == nil) == (t.AdvantageOf == nil):
		return errors.New("train: PolicyGradient needs either Advantage or AdvantageOf")
	case t.K < 1:
		return fmt.Errorf("train: PolicyGradient.K = %d, must be at least 1", t.K)
	case (t.Beta != 0 || t.Control != nil) && t.Ref == nil:
		return errors.New("train: PolicyGradient.Beta or Control without Ref")
	}
	if err := checkControl("PolicyGradient", t.Control, t.Beta); err != nil {
		return err
	}
	if err := checkWhole(b, t.Loss, loss.IsCoupled(t.Loss)); err != nil {
		return err
	}
	return checkWhole(b, t.Advantage, loss.IsCoupled(t.Advantage))
}

// draw draws and rates replies and drops those without a reward.
func (t *PolicyGradient[X, Y]) draw(ctx context.Context, d *ratedReplies[X, Y], b *Batch[X, Y], key policy.Key, m *Metrics) error {
	n := b.Len() * t.K
	d.xs, d.ys, d.reward = expand(d.xs, b.X, t.K), resize(d.ys, n), resize(d.reward, n)
	draws := policy.Draws[Y]{Y: d.ys}
	if t.Importance != nil {
		d.Behaviour = resize(d.Behaviour, n)
		draws.LogProb = d.Behaviour
	}
	if err := t.Policy.Sample(ctx, draws, b.X, b.ID, t.K, key); err != nil {
		return rowError(b, err, 1)
	}
	if err := score(ctx, t.Reward, &t.tally, d.reward, d.xs, d.ys, t.K, b, m); err != nil {
		return err
	}
	if err := group(&d.rated, b, t.K, dependent(t.Policy)); err != nil {
		return err
	}
	d.xs, d.ys = keep(d.xs, d.at), keep(d.ys, d.at)
	if t.Importance != nil {
		d.Behaviour = keep(d.Behaviour, d.at)
	}
	// A reply is a token without a prompt.
	d.Prompt, d.Begin = resize(d.Prompt, len(d.ys)), resize(d.Begin, len(d.ys)+1)
	for i := range d.Begin {
		d.Begin[i] = i
	}
	clear(d.Prompt)
	return nil
}

// advance makes advantages of what was drawn, and weights.
func (t *PolicyGradient[X, Y]) advance(ctx context.Context, d *ratedReplies[X, Y], b *Batch[X, Y], m *Metrics) error {
	n := len(d.ys)
	if t.Ref != nil {
		d.Ref = resize(d.Ref, n)
		if err := t.Ref.LogProbs(ctx, d.Ref, d.xs, d.ys); err != nil {
			return fmt.Errorf("reference: %w", rowErrorAt(b, err, d.at, t.K))
		}
		if err := divergence(&d.rated, &t.control, d.Old, d.Ref, b, t.K, m); err != nil {
			return err
		}
	}
	d.Advantage = resize(d.Advantage, n)
	advantage, err := advantageOf(ctx, t.Advantage, t.AdvantageOf, d.xs, d.ys, d.groups, b)
	if err != nil {
		return err
	}
	beta := coefficient(t.Beta, t.Control)
	signal, err := rloo.RegularisedReward{Advantage: advantage, Beta: beta}.Eval(d.Advantage, d.reward, d.Old, d.Ref, d.groups)
	if err != nil {
		return err
	}
	d.report(signal, beta, t.Control, m)
	if t.Importance == nil {
		return nil
	}
	d.Weight, d.ratio = resize(d.Weight, n), resize(d.ratio, n)
	for i, old := range d.Old {
		d.ratio[i] = old - d.Behaviour[i]
	}
	stats, err := t.Importance.Weights(d.Weight, d.ratio)
	if err != nil {
		return err
	}
	reportImportance(stats, m)
	return nil
}

// Describe implements [Describer].
func (t *PolicyGradient[X, Y]) Describe() string {
	return fmt.Sprintf("K=%d Advantage=%#v AdvantageOf=%v Beta=%v Loss=%#v Control=%T%+v Importance=%+v", t.K, t.Advantage, t.AdvantageOf != nil, t.Beta, t.Loss, t.Control, t.Control, t.Importance)
}

// EndStep implements [Stateful]: it moves β.
func (t *PolicyGradient[X, Y]) EndStep(*Metrics) error { return t.control.endStep(t.Control) }

// State implements [Stateful]: that of Control.
func (t *PolicyGradient[X, Y]) State() []byte {
	state, _ := controlState(t.Control) // which check has tried
	return state
}

// Restore implements [Stateful].
func (t *PolicyGradient[X, Y]) Restore(state []byte) error { return restoreControl(t.Control, state) }
