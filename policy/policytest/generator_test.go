package policytest_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/policytest"
)

func generatorConfig() policytest.GeneratorConfig {
	return policytest.GeneratorConfig{
		Prompts: [][]int32{{0, 1}, {}, {2}}, Vocab: vocab,
		EOS: func(id int32) bool { return id == eos }, MaxTokens: maxTokens,
		Model: newBigram(1, nil), Draws: 1200, Seed: 5,
	}
}

func TestGenerator(t *testing.T) {
	policytest.Generator(t, newBigram(1, nil), generatorConfig())
	r := newRecorder()
	policytest.Generator(r, newBigram(1, nil), generatorConfig())
	assert.Empty(t, r.skipped)
}

type generateFunc func(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) error

func (f generateFunc) Generate(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) error {
	return f(ctx, dst, prompts, ids, k, key)
}

func TestBrokenGenerators(t *testing.T) {
	right := newBigram(1, nil)
	entry := func(name, check string, only bool, g generateFunc) broken {
		return broken{name, check, only, func(t testing.TB) { policytest.Generator(t, g, generatorConfig()) }}
	}
	// after changes what a right Generate stored
	after := func(name, check string, only bool, f func(r *policy.Rollout)) broken {
		return entry(name, check, only, func(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) error {
			err := right.Generate(ctx, dst, prompts, ids, k, key)
			if err == nil {
				f(dst)
			}
			return err
		})
	}
	otherModel := func(logProb, model bool) generateFunc { // draws from another model than it reports
		return func(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) error {
			if err := newBigram(9, nil).Generate(ctx, dst, prompts, ids, k, key); err != nil {
				return err
			}
			score := make([]float64, len(dst.Tokens.IDs))
			err := right.NewTokenPass().Forward(ctx, policy.TokenStats{LogProb: score}, dst.Tokens)
			if logProb {
				copy(dst.LogProb, score)
			}
			if model {
				copy(dst.Model, score)
			}
			return err
		}
	}
	var busy atomic.Int32
	runBroken(t, []broken{
		after("end of sequence not said", "GenerateShape", true, func(r *policy.Rollout) {
			for i := range r.Finish {
				r.Finish[i] = policy.FinishLength
			}
		}),
		after("prompt left out", "GenerateShape", false, func(r *policy.Rollout) { clear(r.Tokens.Prompt) }),
		after("prompt scored", "GenerateShape", false, func(r *policy.Rollout) { r.Model[0] = -1 }),
		entry("reports another model", "GenerateFirstToken", false, otherModel(true, true)),
		entry("the model is another", "GenerateModel", false, otherModel(false, false)),
		entry("LogProb and Model swapped", "GenerateModel", false, otherModel(true, false)),
		after("second token scored as if it were certain", "GenerateFirstTwoTokens", false, func(r *policy.Rollout) {
			for i := range r.Tokens.Len() {
				if lo, hi := r.Tokens.Reply(i); hi > lo+1 {
					r.LogProb[lo+1], r.Model[lo+1] = 0, 0
				}
			}
		}),
		after("end of sequence not scored", "GenerateFrequencies", false, func(r *policy.Rollout) {
			for p, id := range r.Tokens.IDs {
				if id == eos {
					r.LogProb[p], r.Model[p] = 0, 0
				}
			}
		}),
		entry("a Rollout in use is left as it was", "GenerateReuse", false, func(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) error {
			if len(dst.LogProb) > 0 {
				return ctx.Err()
			}
			return right.Generate(ctx, dst, prompts, ids, k, key)
		}),
		entry("first draw repeated", "GenerateIndependent", false, func(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) error {
			var all policy.Rollout
			if err := right.Generate(ctx, &all, prompts, ids, k, key); err != nil {
				return err
			}
			*dst = policy.Rollout{}
			for i := range all.Finish {
				from := i - i%k%2
				lo, hi := all.Tokens.Begin[from], all.Tokens.Begin[from+1]
				start, _ := all.Tokens.Reply(from)
				dst.Tokens.Append(all.Tokens.IDs[lo:start], all.Tokens.IDs[start:hi])
				dst.LogProb = append(dst.LogProb, all.LogProb[lo:hi]...)
				dst.Finish = append(dst.Finish, all.Finish[from])
			}
			dst.Model = slices.Clone(dst.LogProb)
			return nil
		}),
		entry("the batch changes the draws", "GenerateBatchOfOne", true, func(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) error {
			key.Step += uint64(len(prompts))
			return right.Generate(ctx, dst, prompts, ids, k, key)
		}),
		entry("the seed is ignored", "GenerateKeys", true, func(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) error {
			return right.Generate(ctx, dst, prompts, ids, k, policy.Key{Step: key.Step})
		}),
		entry("ignores the context", "GenerateContext", true, func(_ context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) error {
			return right.Generate(context.Background(), dst, prompts, ids, k, key)
		}),
		entry("one generator for all callers", "GenerateConcurrent", true, func(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) error {
			defer busy.Add(-1)
			if crowd := busy.Add(1); crowd > 1 {
				key.Seed++
			}
			time.Sleep(2 * time.Millisecond)
			return right.Generate(ctx, dst, prompts, ids, k, key)
		}),
	})
}
