package train_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

var errMute = errors.New("mute")

// TestFreshFailures: what could not be judged or scored is left out and counted, and is an error
// if nothing is left.
func TestFreshFailures(t *testing.T) {
	mute := func(all bool) (train.RewardFunc[x, int], sampler.Judge[x, int]) {
		reward := func(_ context.Context, dst []float64, xs []x, ys []int) error {
			var errs []error
			for i, y := range ys {
				dst[i] = worth(xs[i], y)
				if all || y == 2 {
					dst[i] = math.NaN()
					errs = append(errs, &policy.ItemError{Index: i, Err: errMute})
				}
			}
			return errors.Join(errs...)
		}
		return reward, sampler.Scored[x, int]{Scorer: sampler.ScorerFunc[x, int](reward)}
	}
	for _, name := range termNames(allTerms(nil, nil)) {
		t.Run(name, func(t *testing.T) {
			toy := newToy(3, 12)
			terms := func(all bool) term {
				reward, judge := mute(all)
				set := freshTerms(toy.LogLinear, toy.ref, reward, judge)
				if name == "Nash-MD" {
					set = anewTerms(toy.LogLinear, toy.ref, judge)
				}
				return set[name]
			}
			l := files(toy.loop(terms(false)), t.TempDir())
			l.Micro = 1 // so that all of a micro-batch fails here and there
			run(t, l)
			assert.NotContains(t, toy.Params(), math.NaN())
			share := 0.0
			for _, line := range lines(t, l.MetricsFile) {
				share += float64(line["frac_failed"]) / float64(l.Steps)
			}
			assert.Greater(t, share, 0.05)
			assert.Less(t, share, 0.7)

			l = toy.loop(terms(true))
			l.Micro = 3
			_, err := l.Run(ctx)
			assert.ErrorIs(t, err, errMute)
			assert.ErrorContains(t, err, "train: step 1: ")
			assert.ErrorContains(t, err, "row ")
		})
	}
	// What failed in a step is no excuse for the next.
	steps := 0
	late := func(_ context.Context, dst []float64, xs []x, ys []int) error {
		if steps++; steps > 2 {
			return &policy.ItemError{Index: 0, Err: errMute}
		}
		return worthOf(ctx, dst, xs, ys)
	}
	some := newToy(2, 4)
	_, err := some.loop(freshTerms(some.LogLinear, some.ref, late, taste)["best of n"]).Run(ctx)
	assert.ErrorIs(t, err, errMute)
	assert.ErrorContains(t, err, "train: step 3: ")
	// A judge that is not there is no failed comparison.
	away := errors.New("no connection")
	toy := newToy(2, 4)
	judge := sampler.JudgeFunc[x, int](func(context.Context, []float64, []x, []int, []int) error { return away })
	_, err = toy.loop(freshTerms(toy.LogLinear, toy.ref, worthOf, judge)["XPO"]).Run(ctx)
	assert.ErrorIs(t, err, away)
}

// TestMissingPrompt: a prompt without a verdict has no gradient, whatever one there was before.
func TestMissingPrompt(t *testing.T) {
	e := newEnumerated()
	deaf := false
	judge := sampler.JudgeFunc[int, int](func(_ context.Context, dst []float64, _, as, bs []int) error {
		for i := range dst {
			dst[i] = beats(as[i], bs[i])
		}
		if deaf {
			dst[1] = math.NaN() // of the first prompt's two, or of the second's one
			return &policy.ItemError{Index: 1, Err: errMute}
		}
		return nil
	})
	for name, c := range map[string]struct {
		term        train.Term[int, int]
		alone, both []int // draws
	}{
		"Nash-MD": {
			&train.NashMD[int, int]{Policy: e, Ref: e.ref, Opponent: scripted{e.ref, e.draws}, Judge: judge, K: 2, Beta: 0.1},
			[]int{1, 2, 0, 1}, []int{0, 2, 1, 2, 1, 1, 0, 1}, // the policy's, then the opponent's
		},
		"SPPO": {&train.SPPO[int, int]{Policy: e, Judge: judge, K: 2, Beta: 1}, []int{0, 2}, []int{0, 2, 1, 2}},
	} {
		step := func(rows int, draws []int) []float64 {
			*e.draws = slices.Clone(draws)
			clear(e.Grad())
			b := one()
			b.Rows = rows
			b.X, b.ID, b.Row = make([]int, rows), make([]uint64, rows), make([]int, rows)
			require.NoError(t, c.term.Accumulate(ctx, b, policy.Key{}, &train.Metrics{}))
			return slices.Clone(e.Grad())
		}
		deaf = false
		alone := step(1, c.alone)
		step(2, c.both)
		deaf = true
		both := step(2, c.both)
		for i := range alone {
			assert.InDelta(t, alone[i]/2, both[i], 1e-15, name)
		}
		require.NotZero(t, alone[2], name)
	}
}

// TestFreshMemory: what a term has kept of other batches, larger and smaller ones, has no
// influence on the next.
func TestFreshMemory(t *testing.T) {
	toy := newToy(3, 10)
	copy(toy.Params(), []float64{0.5, -1, 0.3})
	terms := func() map[string]term {
		all := allTerms(toy.LogLinear, toy.ref)
		all["online SimPO"] = &train.OnlinePairs[x, int]{
			Policy: toy.LogLinear, Loss: loss.SimPO{Beta: 2, Gamma: 0.5}, K: 2, Judge: taste, Len: func(y int) int { return y + 1 }}
		return all
	}
	gradient := func(term term, first, rows int) []float64 {
		b := &batch{Rows: rows}
		for i := range rows {
			b.X, b.ID, b.Row = append(b.X, toy.prompts[(first+i)%3]), append(b.ID, uint64(first+i)), append(b.Row, i)
		}
		clear(toy.Grad())
		require.NoError(t, term.Accumulate(ctx, b, policy.Key{Seed: 4}, &train.Metrics{}))
		return slices.Clone(toy.Grad())
	}
	for _, name := range termNames(terms()) {
		used := terms()[name]
		gradient(used, 100, 5)
		gradient(used, 200, 2)
		assert.Equal(t, gradient(terms()[name], 7, 4), gradient(used, 7, 4), name)
	}
}
