package train_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// seen is what a run's terms were given, one entry per row.
type seen struct {
	rows  []int
	ids   []uint64
	steps []uint64
}

// watch runs the loop with a term that only looks, and checks that each batch is what its
// rows say.
func watch(t *testing.T, l *loop) *seen {
	s := &seen{}
	l.Terms = []term{probe{func(b *batch, key policy.Key, _ *train.Metrics) error {
		require.Equal(t, l.Batch, b.Rows)
		for i, r := range b.Row {
			require.Same(t, l.Data.X[r], b.X[i])
			require.Equal(t, l.Data.Chosen[r], b.Chosen[i])
			require.Equal(t, l.Data.Rejected[r], b.Rejected[i])
			require.Equal(t, l.Data.RefChosen[r], b.RefChosen[i])
			require.Equal(t, l.Data.RefRejected[r], b.RefRejected[i])
			require.Equal(t, l.Data.ChosenLen[r], b.ChosenLen[i])
			require.Equal(t, l.Data.RejectedLen[r], b.RejectedLen[i])
			s.steps = append(s.steps, key.Step)
		}
		s.rows, s.ids = append(s.rows, b.Row...), append(s.ids, b.ID...)
		return nil
	}}}
	run(t, l)
	require.Len(t, s.rows, l.Steps*l.Batch)
	return s
}

// TestOrder: each epoch visits each row once, in an order of its own; ids are the places in
// the run; micro-batches change nothing.
func TestOrder(t *testing.T) {
	const n = 13
	toy := newToy(3, n)
	for _, c := range []struct{ batch, micro, steps int }{{4, 0, 26}, {4, 3, 26}, {13, 0, 5}, {1, 1, 30}, {30, 7, 4}} {
		t.Run(fmt.Sprintf("batch %d in %d", c.batch, c.micro), func(t *testing.T) {
			l := toy.loop()
			l.Batch, l.Micro, l.Steps = c.batch, c.micro, c.steps
			s := watch(t, l)
			all := make([]int, n)
			for i := range all {
				all[i] = i
			}
			for epoch := range slices.Chunk(s.rows, n) {
				if len(epoch) == n {
					assert.Equal(t, all, slices.Sorted(slices.Values(epoch)))
					assert.NotEqual(t, all, epoch, "not shuffled")
				}
			}
			assert.NotEqual(t, s.rows[:n], s.rows[n:2*n], "two epochs in the same order")
			for i, id := range s.ids {
				require.Equal(t, uint64(i), id)
				require.Equal(t, uint64(i/c.batch), s.steps[i])
			}
			other := toy.loop()
			other.Batch, other.Steps, other.Seed = c.batch, c.steps, l.Seed+1
			assert.NotEqual(t, s.rows, watch(t, other).rows, "another seed")
			other = toy.loop()
			other.Batch, other.Steps = 1, c.batch*c.steps
			assert.Equal(t, s.rows, watch(t, other).rows, "the order does not depend on the batch")
		})
	}
}

// TestOrderFair: over many epochs a row is as often in each place.
func TestOrderFair(t *testing.T) {
	const n, epochs = 4, 800
	l := newToy(2, n).loop()
	l.Batch, l.Steps = n, epochs
	s := watch(t, l)
	var count [n][n]int
	for i, r := range s.rows {
		count[r][i%n]++
	}
	sd := math.Sqrt(epochs * 0.25 * 0.75)
	for r := range count {
		for _, c := range count[r] {
			assert.InDelta(t, epochs/n, c, 4.5*sd)
		}
	}
}

// draw names one draw of a term; responses that the same name draws are the same.
type draw struct {
	key policy.Key
	id  uint64
	j   int
}

// gradients runs an objective of every kind of term and returns the gradient of each step,
// the draws, and the metrics of the last step.
func gradients(t *testing.T, micro int) (grads [][]float64, draws map[draw]int, m map[string]float64) {
	toy := newToy(3, 10) // a step of 12 has rows twice
	draws = map[draw]int{}
	w := &watched{learner: toy.LogLinear}
	var names []draw
	w.sample = func(_ []x, ids []uint64, k int, key policy.Key) {
		names = names[:0]
		for _, id := range ids {
			for j := range k {
				d := draw{key, id, j}
				require.NotContains(t, draws, d, "a stream is used twice")
				names = append(names, d)
			}
		}
	}
	w.drawn = func(ys []int) {
		for i, d := range names {
			draws[d] = ys[i]
		}
	}
	reward := func(_ context.Context, dst []float64, xs []x, ys []int) error {
		for i, y := range ys {
			dst[i] = xs[i].Ref[y] * float64(y)
		}
		return nil
	}
	last := map[string]float64{}
	l := toy.loop(
		&sft{Policy: w, TokensPerRow: 4},
		&offline{Policy: w, Loss: loss.DPO{Beta: 0.1}},
		&penalty{Policy: w, Ref: toy.ref, K: 3, Lambda: 0.3},
		&onlineRL{Policy: w, Ref: toy.ref, Reward: reward, K: 2, Beta: 0.2},
		probe{func(_ *batch, _ policy.Key, m *train.Metrics) error {
			clear(last)
			for k, v := range m.All() {
				last[k] = v
			}
			return nil
		}},
	)
	l.Batch, l.Micro, l.Steps, l.LR = 12, micro, 3, 0.2
	l.Updater = watchedUpdater{Updater: l.Updater, update: func(float64) { grads = append(grads, slices.Clone(toy.Grad())) }}
	run(t, l)
	return grads, draws, last
}

// TestMicroBatches: the gradient of a step does not depend on how it is accumulated, but for
// rounding; neither do draws and metrics.
func TestMicroBatches(t *testing.T) {
	grads, draws, metrics := gradients(t, 0)
	require.Len(t, grads, 3)
	require.Len(t, draws, 3*12*(3+2))
	for _, micro := range []int{12, 7, 1, 100} {
		g, d, m := gradients(t, micro)
		for step := range grads {
			assert.InDeltaSlice(t, grads[step], g[step], 1e-13, "micro %d, step %d", micro, step)
		}
		assert.Equal(t, draws, d, "micro %d", micro)
		require.Equal(t, slices.Sorted(maps.Keys(metrics)), slices.Sorted(maps.Keys(m)))
		for k, v := range metrics {
			assert.InDelta(t, v, m[k], 1e-13*max(1, math.Abs(v)), "micro %d, %s", micro, k)
		}
	}
}

// TestTermsDrawIndependently: two equal terms do not see the same responses.
func TestTermsDrawIndependently(t *testing.T) {
	toy := newToy(3, 10)
	w := &watched{learner: toy.LogLinear}
	var keys []policy.Key
	var draws [][]int
	w.sample = func(_ []x, _ []uint64, _ int, key policy.Key) { keys = append(keys, key) }
	w.drawn = func(ys []int) { draws = append(draws, slices.Clone(ys)) }
	l := toy.loop(&penalty{Policy: w, Ref: toy.ref, K: 8, Lambda: 1}, &penalty{Policy: w, Ref: toy.ref, K: 8, Lambda: 1})
	l.Steps = 2
	run(t, l)
	require.Len(t, keys, 4)
	for i := range keys {
		for j := range i {
			assert.NotEqual(t, keys[i], keys[j])
			assert.NotEqual(t, draws[i], draws[j])
		}
	}
}

// TestLambdaZero: with λ = 0, HyPO is DPO bit for bit and draws nothing.
func TestLambdaZero(t *testing.T) {
	params := func(terms func(toy *toy, w *watched) []term) (p []float64, h train.History, metrics string, draws int) {
		toy := newToy(4, 24)
		w := &watched{learner: toy.LogLinear, sample: func([]x, []uint64, int, policy.Key) { draws++ }}
		l := files(toy.loop(terms(toy, w)...), t.TempDir())
		l.Eval, l.EvalEvery = toy.evalKL, 5
		h = run(t, l)
		return toy.Params(), h, readFile(t, l.MetricsFile), draws
	}
	hypo := func(lambda float64) func(toy *toy, w *watched) []term {
		return func(toy *toy, w *watched) []term {
			return []term{&offline{Policy: w, Loss: loss.DPO{Beta: 0.1}}, &penalty{Policy: w, Ref: toy.ref, K: 4, Lambda: lambda}}
		}
	}
	p, h, m, _ := params(func(toy *toy, w *watched) []term { return []term{&offline{Policy: w, Loss: loss.DPO{Beta: 0.1}}} })
	p0, h0, m0, draws := params(hypo(0))
	assert.Equal(t, p, p0)
	assert.Equal(t, h, h0)
	assert.Equal(t, m, m0)
	assert.Zero(t, draws)
	p1, _, _, draws := params(hypo(1e-3)) // the counter counts, and λ matters
	assert.NotEqual(t, p, p1)
	assert.Equal(t, 20, draws)
}
