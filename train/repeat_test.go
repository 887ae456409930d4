package train_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// TestRepeatOnce: 1 is the default, bit for bit.
func TestRepeatOnce(t *testing.T) {
	outcomes := map[int]outcome{}
	for _, repeat := range []int{0, 1} {
		_, l := budgetRun(t.TempDir(), never)
		l.Repeat = repeat
		outcomes[repeat] = outcomeOf(t, l, run(t, l))
	}
	assert.Equal(t, outcomes[0], outcomes[1])
}

// TestRepeat: the rows, and their ids, stay for Repeat updates, each of which has its own key;
// schedules, evaluations and metrics count updates.
func TestRepeat(t *testing.T) {
	const batchRows, micro, repeat, steps = 4, 3, 3, 8
	toy := newToy(3, 10)
	type part struct {
		rows          []int
		ids           []uint64
		repeat, first int
		key           policy.Key
	}
	var parts []part
	l := files(toy.loop(probe{func(b *batch, key policy.Key, _ *train.Metrics) error {
		parts = append(parts, part{slices.Clone(b.Row), slices.Clone(b.ID), b.Repeat, b.First, key})
		return nil
	}}), t.TempDir())
	l.Batch, l.Micro, l.Repeat, l.Steps, l.Schedule = batchRows, micro, repeat, steps, train.Linear{}
	var rates []float64
	l.Updater = watchedUpdater{Updater: l.Updater, update: func(lr float64) { rates = append(rates, lr/l.LR) }}
	l.Eval, l.EvalEvery = toy.evalKL, 1
	h := run(t, l)

	require.Len(t, parts, 2*steps)
	for step := range steps {
		a, b := parts[2*step], parts[2*step+1]
		assert.Equal(t, []int{step % repeat, 0, step % repeat, micro}, []int{a.repeat, a.first, b.repeat, b.first})
		assert.Equal(t, uint64(step), a.key.Step)
		assert.Equal(t, a.key, b.key)
		first := uint64(step / repeat * batchRows)
		assert.Equal(t, []uint64{first, first + 1, first + 2, first + 3}, append(slices.Clone(a.ids), b.ids...))
		before := parts[step/repeat*repeat*2]
		assert.Equal(t, before.rows, a.rows, "step %d", step)
	}
	once := toy.loop()
	once.Batch, once.Steps = batchRows, 3
	s := watch(t, once)
	for batch := range 3 {
		at := batch * repeat * 2
		assert.Equal(t, s.rows[batch*batchRows:(batch+1)*batchRows], append(slices.Clone(parts[at].rows), parts[at+1].rows...), "the rows of the run without")
	}
	assert.InDeltaSlice(t, []float64{1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125}, rates, 1e-15)
	require.Len(t, h, steps+1)
	var epochs []float64
	for _, line := range lines(t, l.MetricsFile) {
		if e, ok := line["epoch"]; ok {
			epochs = append(epochs, float64(e))
		}
	}
	assert.Equal(t, []float64{0.4, 0.4, 0.4, 0.8, 0.8, 0.8, 1.2, 1.2}, epochs, "passes over the data")
}

// hoarder is a term that goes on with what it saw at the first of the updates on a batch, like
// one that draws. Its gradient depends on that, and so does its state.
type hoarder struct {
	toy   *toy
	pass  policy.Pass[x, int]
	drawn map[int][]float64 // by Batch.First
	sum   float64
	next  float64 // of this step
}

func (h *hoarder) Accumulate(ctx context.Context, b *batch, key policy.Key, m *train.Metrics) error {
	if h.pass == nil {
		h.pass, h.drawn = h.toy.NewPass(), map[int][]float64{}
	}
	logp := make([]float64, b.Len())
	if err := h.pass.Forward(ctx, logp, b.X, b.Chosen); err != nil {
		return err
	}
	if b.Repeat == 0 {
		h.drawn[b.First] = slices.Clone(logp)
	}
	for i, old := range h.drawn[b.First] {
		logp[i] = (logp[i] - old + 0.3*float64(key.Step%5) - 0.5) / float64(b.Rows)
		h.next += logp[i]
		m.Sum("loss", logp[i])
	}
	return h.pass.Pullback(ctx, logp)
}

func (h *hoarder) EndStep(*train.Metrics) error {
	h.sum, h.next = h.sum+h.next, 0
	return nil
}

func (h *hoarder) State() []byte {
	b, err := binary.Append(nil, binary.LittleEndian, h.sum)
	if err != nil {
		panic(err)
	}
	return b
}

func (h *hoarder) Restore(b []byte) error {
	_, err := binary.Decode(b, binary.LittleEndian, &h.sum)
	h.next = 0
	return err
}

// hoardingRun is a run with repeats and all that can be saved.
func hoardingRun(dir string, steps int, tick func()) (*toy, *loop) {
	toy, l := tickingRun(dir, steps, tick)
	l.Terms = append(l.Terms, &hoarder{toy: toy})
	l.Repeat, l.CheckpointEvery = 3, 2
	return toy, l
}

// TestRepeatResume cancels a run with repeats at each of its ticks, in the middle of a batch's
// updates too. It ends in the same bits when it is resumed.
func TestRepeatResume(t *testing.T) {
	for _, steps := range []int{6, 5} { // 5: the last batch has two updates
		ticks := 0
		toy, l := hoardingRun(t.TempDir(), steps, func() { ticks++ })
		h := run(t, l)
		want, params := outcomeOf(t, l, h), toy.Params()
		for at := range ticks {
			dir := t.TempDir()
			stopped, cancel := context.WithCancel(ctx)
			n := 0
			_, l := hoardingRun(dir, steps, func() {
				if n == at {
					cancel()
				}
				n++
			})
			if at%2 == 0 {
				l.CheckpointEvery = 0 // it is the cancellation that saves
			}
			h, err := l.Run(stopped)
			toy, again := hoardingRun(dir, steps, func() {})
			if err != nil {
				require.ErrorIs(t, err, context.Canceled)
				require.FileExists(t, l.Checkpoint)
				h = run(t, again)
				require.Equal(t, params, toy.Params(), "cancelled at tick %d", at)
			}
			require.True(t, reflect.DeepEqual(want, outcomeOf(t, l, h)), "cancelled at tick %d of %d", at, steps)
			cancel()
		}
	}
}

// TestRepeatFailure lets a run with repeats fail in each of its updates, as a kill would: nothing
// but the last checkpoint is left, and the run ends in the same bits from there.
func TestRepeatFailure(t *testing.T) {
	const steps = 8
	start := func(dir string, at uint64) (*toy, *loop) {
		toy, l := hoardingRun(dir, steps, func() {})
		l.Terms = append(l.Terms, &stopper{at})
		return toy, l
	}
	whole, l := start(t.TempDir(), never)
	want := outcomeOf(t, l, run(t, l))
	for at := range uint64(steps) {
		dir := t.TempDir()
		_, l := start(dir, at+1)
		_, err := l.Run(ctx)
		require.ErrorIs(t, err, errStop)
		again, l := start(dir, never)
		h := run(t, l)
		require.Equal(t, whole.Params(), again.Params(), "failed in update %d", at+1)
		require.True(t, reflect.DeepEqual(want, outcomeOf(t, l, h)), "failed in update %d", at+1)
	}
}

// TestRepeatCheckpoints: those that fall due between the updates on a batch wait for the last.
func TestRepeatCheckpoints(t *testing.T) {
	for _, c := range []struct {
		every, repeat int
		want          []int
	}{
		{1, 1, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{3, 1, []int{3, 6, 9, 10}},
		{1, 4, []int{4, 8, 10}},
		{3, 4, []int{4, 8, 10}},
		{5, 4, []int{8, 10}},
		{9, 4, []int{10}},
		{2, 2, []int{2, 4, 6, 8, 10}},
		{0, 4, []int{10}},
	} {
		t.Run(fmt.Sprintf("every %d, repeat %d", c.every, c.repeat), func(t *testing.T) {
			toy := newToy(2, 6)
			var saved []int
			step := 0
			l := files(toy.loop(), t.TempDir())
			l.Updater = watchedUpdater{Updater: l.Updater, update: func(float64) { step++ }}
			l.Steps, l.Batch, l.Repeat, l.CheckpointEvery = 10, 2, c.repeat, c.every
			last := ""
			l.Eval, l.EvalEvery = func(context.Context, int, *train.Metrics) error {
				if step > 0 {
					now := ""
					if _, err := os.Stat(l.Checkpoint); err == nil {
						now = digest(t, l.Checkpoint)
					}
					if now != last {
						saved = append(saved, step)
					}
					last = now
				}
				return nil
			}, 1
			run(t, l)
			if digest(t, l.Checkpoint) != last {
				saved = append(saved, step)
			}
			assert.Equal(t, c.want, saved)
		})
	}
}

func TestRepeatErrors(t *testing.T) {
	l := newToy(2, 4).loop()
	l.Repeat = -1
	_, err := l.Run(ctx)
	assert.EqualError(t, err, "train: Loop.Repeat = -1, must be not negative")

	dir := interrupted(t, 10) // a checkpoint of step 9
	_, m := budgetRun(dir, never)
	m.Repeat = 2
	_, err = m.Run(ctx)
	assert.ErrorContains(t, err, "its Repeat is 1, here it is 2")
}
