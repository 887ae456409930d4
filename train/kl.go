package train

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
)

// KLPenalty is λ·KL(π‖π_ref) on K fresh samples of each row's prompt: the online term of
// HyPO (loss.HyPO), which is this after [Offline]. It draws the samples; loss.KLPenalty is the
// function of their log-probabilities. With Lambda = 0 it draws nothing and
// changes nothing. It reports "loss" and "objective/kl" with its standard error. It is not
// safe for concurrent use.
type KLPenalty[X, Y any] struct {
	Policy policy.Learner[X, Y]
	Ref    policy.Policy[X, Y]
	K      int     // samples per prompt, at least 2
	Lambda float64 // λ, the KL coefficient: loss per nat; finite, not negative

	r rollouts[X, Y]
}

// Accumulate implements [Term].
func (t *KLPenalty[X, Y]) Accumulate(ctx context.Context, b *Batch[X, Y], key policy.Key, m *Metrics) error {
	if t.Lambda == 0 {
		return nil
	}
	if t.Policy == nil || t.Ref == nil {
		panic("train: KLPenalty without Policy or Ref")
	}
	if err := t.r.draw(ctx, t.Policy, t.Ref, t.K, b, key); err != nil {
		return err
	}
	_, err := t.r.penalise(ctx, t.Lambda, b, m)
	return err
}

// Describe implements [Describer].
func (t *KLPenalty[X, Y]) Describe() string { return fmt.Sprintf("K=%d Lambda=%v", t.K, t.Lambda) }

// KLBudget is the constrained form of [KLPenalty]: after each step λ moves by projected
// dual ascent (rloo.Dual), so that KL(π‖π_ref) on the training prompts comes to rest at the
// budget, or below it with λ = 0. It reports "lambda" besides. It is not safe for
// concurrent use.
type KLBudget[X, Y any] struct {
	Policy policy.Learner[X, Y]
	Ref    policy.Policy[X, Y]
	K      int       // samples per prompt, at least 2
	Dual   rloo.Dual // budget, rate and current λ

	r  rollouts[X, Y]
	kl coverage.KLEstimator // of the step so far
}

var (
	_ Stateful  = (*KLBudget[int, int])(nil)
	_ Describer = (*KLBudget[int, int])(nil)
)

// Accumulate implements [Term].
func (t *KLBudget[X, Y]) Accumulate(ctx context.Context, b *Batch[X, Y], key policy.Key, m *Metrics) error {
	if t.Policy == nil || t.Ref == nil {
		panic("train: KLBudget without Policy or Ref")
	}
	if err := t.Dual.Check(); err != nil {
		return err
	}
	if err := t.r.draw(ctx, t.Policy, t.Ref, t.K, b, key); err != nil {
		return err
	}
	kl, err := t.r.penalise(ctx, t.Dual.Lambda, b, m)
	t.kl.Merge(kl)
	m.Set("lambda", t.Dual.Lambda)
	return err
}

// Describe implements [Describer].
func (t *KLBudget[X, Y]) Describe() string { return fmt.Sprintf("K=%d Dual=%+v", t.K, t.Dual) }

// EndStep implements [Stateful]: it moves λ.
func (t *KLBudget[X, Y]) EndStep(*Metrics) error {
	kl := t.kl.Result().Value
	t.kl = coverage.KLEstimator{}
	return t.Dual.Update(kl)
}

// State implements [Stateful]: λ, to the bit.
func (t *KLBudget[X, Y]) State() []byte {
	return binary.LittleEndian.AppendUint64(nil, math.Float64bits(t.Dual.Lambda))
}

// Restore implements [Stateful].
func (t *KLBudget[X, Y]) Restore(state []byte) error {
	if len(state) != 8 {
		return fmt.Errorf("train: state of KLBudget has %d bytes, not 8", len(state))
	}
	d := t.Dual
	d.Lambda = math.Float64frombits(binary.LittleEndian.Uint64(state))
	if err := d.Check(); err != nil {
		return err
	}
	t.Dual, t.kl = d, coverage.KLEstimator{}
	return nil
}
