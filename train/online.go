package train

import (
	"context"
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
)

// RewardFunc scores responses, dst[i] = r(xs[i], ys[i]), for the terms of this package: Online,
// PolicyGradient, TokenPolicyGradient, OnlinePairs, REBEL and BestOfN. It is the Score method of
// a sampler.Scorer as a function, with the same rules for what cannot be scored: from a Scorer s,
// write s.Score; from a RewardFunc r, sampler.ScorerFunc[X, Y](r) is a Scorer. The LogProbs method
// of a [policy.Policy] has the same form.
type RewardFunc[X, Y any] func(ctx context.Context, dst []float64, xs []X, ys []Y) error

// Online is online RLHF, −E_π[r] + β·KL(π‖π_ref) on K fresh samples of each row's prompt
// (loss.RLHF). Only the prompts of the training set are used. It reports "loss",
// "objective/kl" with its standard error, "objective/scores" (the mean reward),
// "objective/rlhf_reward" (reward − β·KL) and "frac_reward_zero_std" (the share of groups
// whose rewards are all equal, which teach nothing but the KL). It is not safe for
// concurrent use.
type Online[X, Y any] struct {
	Policy policy.Learner[X, Y]
	Ref    policy.Policy[X, Y]
	Reward RewardFunc[X, Y]
	K      int     // samples per prompt, at least 2
	Beta   float64 // β, the KL coefficient: reward per nat; finite, not negative

	r rollouts[X, Y]
}

// Accumulate implements [Term].
func (t *Online[X, Y]) Accumulate(ctx context.Context, b *Batch[X, Y], key policy.Key, m *Metrics) error {
	if t.Policy == nil || t.Ref == nil || t.Reward == nil {
		panic("train: Online without Policy, Ref or Reward")
	}
	if err := t.r.draw(ctx, t.Policy, t.Ref, t.K, b, key); err != nil {
		return err
	}
	s := &t.r.samples
	s.Reward = resize(s.Reward, len(t.r.ys))
	if err := t.Reward(ctx, s.Reward, t.r.xs, t.r.ys); err != nil {
		return fmt.Errorf("reward: %w", rowError(b, err, t.K))
	}
	total, err := loss.RLHF{Beta: t.Beta}.Eval(loss.SamplesOut{LogProb: t.r.weights}, *s)
	if err != nil {
		return rowError(b, err, t.K)
	}
	m.Mean("objective/scores", sum(s.Reward), len(s.Reward))
	m.Mean("objective/rlhf_reward", -total.Sum, total.Count)
	m.Mean("frac_reward_zero_std", constantGroups(s.Reward, t.K), b.Len())
	_, err = t.r.finish(ctx, total, b, m)
	return err
}

// Describe implements [Describer].
func (t *Online[X, Y]) Describe() string { return fmt.Sprintf("K=%d Beta=%v", t.K, t.Beta) }

// constantGroups counts the groups of k equal rewards.
func constantGroups(r []float64, k int) float64 {
	n := 0.0
	for g := 0; g < len(r); g += k {
		if first := r[g]; allEqual(r[g:g+k], first) {
			n++
		}
	}
	return n
}

func allEqual(r []float64, v float64) bool {
	for _, x := range r {
		if x != v {
			return false
		}
	}
	return true
}
