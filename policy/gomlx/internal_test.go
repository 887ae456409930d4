package gomlx

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
)

func TestBucket(t *testing.T) {
	var seen []int
	for n := range 100 {
		b := bucket(n, 1)
		assert.GreaterOrEqual(t, b, n)
		if n > 1 {
			assert.LessOrEqual(t, b, n+n/2)
		}
		assert.Equal(t, b, bucket(b, 1), "a size is its own bucket")
		if !slices.Contains(seen, b) {
			seen = append(seen, b)
		}
	}
	assert.Equal(t, []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128}, seen)
	assert.Equal(t, 8, bucket(3, 8))
	assert.Equal(t, 12, bucket(9, 8))
}

// TestSplit checks that every counted token is in one chunk, after the right prefix, and
// that chunks keep the limits.
func TestSplit(t *testing.T) {
	var b policy.Tokens
	id := int32(0)
	next := func(n int) []int32 {
		ids := make([]int32, n)
		for i := range ids {
			id++
			ids[i] = id
		}
		return ids
	}
	failed := make([]error, 12)
	for i := range failed {
		b.Append(next(1+i%5), next(1+i*7%11))
	}
	failed[4] = context.Canceled
	b.Mask = slices.Repeat([]bool{true}, len(b.IDs))
	lo, _ := b.Reply(3)
	b.Mask[lo] = false
	for _, l := range []limits{{1, 1}, {64, 1 << 20}, {1 << 20, 100}, defaultLimits} {
		var at []int
		chunks := l.split(b, failed, 10)
		for _, c := range chunks {
			assert.Len(t, c.ids, c.rows*c.length)
			require.Len(t, c.label, len(c.from))
			assert.Contains(t, []int{c.rows * c.length, c.rows * c.length / 2, c.rows * c.length / 4}, len(c.from))
			for row, p := range c.at {
				assert.Equal(t, b.IDs[p-1], c.ids[c.from[row]], "the token before")
				assert.Equal(t, b.IDs[p], c.label[row])
			}
			at = append(at, c.at...)
			if l.cells == 64 {
				assert.LessOrEqual(t, c.rows*c.length, 64)
			}
			if l.logits == 100 && c.rows > 1 {
				assert.LessOrEqual(t, len(c.at)*10, 100)
			}
		}
		slices.Sort(at)
		var want []int
		for i := range b.Len() {
			lo, hi := b.Reply(i)
			for p := lo; p < hi && i != 4; p++ {
				if b.Counts(p) {
					want = append(want, p)
				}
			}
		}
		assert.Equal(t, want, at)
		switch l {
		case defaultLimits:
			assert.Len(t, chunks, 1)
		case limits{1, 1}:
			assert.Len(t, chunks, 11)
		}
	}
	assert.Empty(t, defaultLimits.split(policy.Tokens{}, nil, 10))
}

func smallModel(t *testing.T) *Model {
	t.Helper()
	b, err := NewBackend()
	require.NoError(t, err)
	m, err := New(b, Config{Vocab: 11, Dim: 8, Layers: 2, Heads: 4, KVHeads: 2, Hidden: 12, MaxLen: 40, InitStd: 0.5}, 3)
	require.NoError(t, err)
	return m
}

// TestChunksAgree checks that values and gradient do not depend on how a batch is cut.
func TestChunksAgree(t *testing.T) {
	ctx := context.Background()
	var b policy.Tokens
	for i := range 7 {
		b.Append([]int32{1, int32(i)}, slices.Repeat([]int32{int32(i), 2}, 1+i))
	}
	m := smallModel(t)
	run := func(l limits) (logp []float64, grad []float32) {
		m.limits = l
		p := m.NewTokenPass()
		logp = make([]float64, len(b.IDs))
		require.NoError(t, p.Forward(ctx, policy.TokenStats{LogProb: logp}, b))
		w := make([]float64, len(b.IDs))
		for i := range w {
			w[i] = math.Sin(float64(i))
		}
		require.NoError(t, m.ZeroGrad())
		require.NoError(t, p.Pullback(ctx, policy.TokenStats{LogProb: w}))
		for i := range m.grad.specs {
			v, err := m.grad.read(i)
			require.NoError(t, err)
			grad = append(grad, v...)
		}
		return logp, grad
	}
	logp, grad := run(defaultLimits)
	for _, l := range []limits{{40, 1 << 20}, {1, 1}} {
		logp2, grad2 := run(l)
		assert.InDeltaSlice(t, logp, logp2, 1e-5)
		assert.InDeltaSlice(t, grad, grad2, 1e-4)
	}
}

// TestFewGraphs checks that batches of six sequences of all lengths share few graphs.
func TestFewGraphs(t *testing.T) {
	ctx := context.Background()
	m := smallModel(t)
	p, r := m.NewTokenPass(), rand.New(rand.NewPCG(1, 0))
	score := func() {
		var b policy.Tokens
		for range 6 {
			b.Append(make([]int32, 1+r.IntN(20)), make([]int32, 1+r.IntN(20)))
		}
		require.NoError(t, p.Forward(ctx, policy.TokenStats{LogProb: make([]float64, len(b.IDs))}, b))
	}
	for range 120 {
		score()
	}
	first := m.programs.graphs.Load()
	assert.Less(t, first, int64(12)) // 6 lengths × 3 shares of replies, most of them rare
	for range 120 {
		score()
	}
	assert.LessOrEqual(t, m.programs.graphs.Load(), first+2)
}

// TestUpdatesBesidePasses checks that an update waits for passes and they for it.
func TestUpdatesBesidePasses(t *testing.T) {
	ctx := context.Background()
	m := smallModel(t)
	o := m.AdamW()
	var b policy.Tokens
	b.Append([]int32{1, 2}, []int32{3, 4})
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			p := m.NewTokenPass()
			w := policy.TokenStats{LogProb: []float64{0, 0, 1, 1}}
			for range 20 {
				assert.NoError(t, p.Forward(ctx, policy.TokenStats{LogProb: make([]float64, 4)}, b))
				assert.NoError(t, p.Pullback(ctx, w))
			}
		})
	}
	wait.Go(func() {
		for range 20 {
			_, err := o.Update(ctx, 1e-3, 1, 1)
			assert.NoError(t, err)
			assert.NoError(t, o.Save(io.Discard))
		}
	})
	wait.Wait()
}

// TestCacheFollowsTheWork checks that the cache grows with the sequences and shrinks with
// their number, and that the logits are those of whole sequences throughout.
func TestCacheFollowsTheWork(t *testing.T) {
	ctx := context.Background()
	m := smallModel(t)
	prompts := [][]int32{{1, 2, 3}, {4}}
	const k = 4
	opened, err := m.Open(ctx, prompts, k)
	require.NoError(t, err)
	d := opened.(*decode)
	check := func(rows ...int) {
		t.Helper()
		z := make([]float32, len(rows)*11)
		require.NoError(t, d.Logits(ctx, z, rows))
		for i, r := range rows {
			whole, err := m.Open(ctx, [][]int32{append(slices.Clone(prompts[r/k]), d.replies[r]...)}, 1)
			require.NoError(t, err)
			want := make([]float32, 11)
			require.NoError(t, whole.Logits(ctx, want, []int{0}))
			assert.InDeltaSlice(t, want, z[i*11:(i+1)*11], 1e-4, "row %d", r)
			require.NoError(t, whole.Close())
		}
	}
	live := []int{0, 1, 2, 3, 4, 5, 6, 7}
	check(live...)
	assert.Zero(t, d.slots.rows, "no cache before the first token")
	sizes := map[int][2]int{ // step: rows and length of the cache
		0: {8, 8}, 4: {8, 8}, 5: {8, 12}, 8: {6, 12}, 20: {2, 24}, 30: {1, 32},
	}
	for step := range 31 {
		switch step {
		case 8:
			live = []int{0, 1, 2, 5, 7}
		case 15:
			live = []int{2, 7}
		case 25:
			live = []int{7}
		}
		for _, r := range live {
			require.NoError(t, d.Append(ctx, []int{r}, []int32{int32((step*3 + r) % 11)}))
		}
		if step%2 == 0 {
			check(live...)
		} else { // in parts, as a caller with little memory asks
			for _, r := range live {
				check(r)
			}
			assert.Len(t, d.rows, len(live), "a row that is asked for next is kept")
		}
		if want, ok := sizes[step]; ok {
			assert.Equal(t, want, [2]int{d.slots.rows, d.slots.length}, "step %d", step)
		}
	}
	check(3, 7) // one that had left
	check(0, 4)
	require.NoError(t, d.Append(ctx, []int{1, 6}, []int32{1, 1}))
	check(6, 1, 6)
	require.NoError(t, d.Close())
}

func TestDecodeErrors(t *testing.T) {
	ctx := context.Background()
	m := smallModel(t)
	for name, prompt := range map[string][]int32{"empty": {}, "outside": {11}, "negative": {-1}, "long": make([]int32, 41)} {
		_, err := m.Open(ctx, [][]int32{{1}, prompt}, 1)
		var item *policy.ItemError
		require.ErrorAs(t, err, &item, name)
		assert.Equal(t, 1, item.Index)
		assert.ErrorIs(t, err, policy.ErrPrompt)
	}
	assert.Panics(t, func() { _, _ = m.Open(ctx, [][]int32{{1}}, 0) })
	d, err := m.Open(ctx, [][]int32{make([]int32, 40)}, 1)
	require.NoError(t, err)
	assert.ErrorIs(t, d.Append(ctx, []int{0}, []int32{11}), policy.ErrResponse)
	assert.ErrorContains(t, d.Append(ctx, []int{0}, []int32{1}), "40 tokens")
	assert.Panics(t, func() { _ = d.Append(ctx, []int{0}, nil) })
	assert.Panics(t, func() { _ = d.Logits(ctx, make([]float32, 10), []int{0}) })
	none, err := m.Open(ctx, nil, 2)
	require.NoError(t, err)
	assert.NoError(t, none.Logits(ctx, nil, nil))
}

// TestDropout checks the mask: its share of zeros, its scale, that Pullback has the one
// of its Forward, and that masks differ from Forward to Forward but not from run to run.
func TestDropout(t *testing.T) {
	ctx := context.Background()
	m := smallModel(t)
	a, err := m.LoRA(LoRA{R: 2, Alpha: 3, Dropout: 0.3, Targets: AllLinear(), Seed: 5})
	require.NoError(t, err)
	names, shapes := a.Params()
	for i, name := range names {
		v := make([]float32, shapes[i][0]*shapes[i][1])
		for j := range v {
			v[j] = float32(0.4 * math.Sin(float64(i*31+j)))
		}
		require.NoError(t, a.SetParam(name, v))
	}
	var b policy.Tokens
	for i := range 6 {
		b.Append([]int32{1, int32(i)}, []int32{4, int32(i), 2})
	}
	score := func(p policy.TokenPass) []float64 {
		logp := make([]float64, len(b.IDs))
		require.NoError(t, p.Forward(ctx, policy.TokenStats{LogProb: logp}, b))
		return logp
	}
	plain := score(a.NewTokenPass())
	v := &View{Model: a, Dropout: true, Seed: 1}
	first, second := score(v.NewTokenPass()), score(v.NewTokenPass())
	assert.NotEqual(t, first, second)
	assert.NotEqual(t, plain, first)
	again := &View{Model: a, Dropout: true, Seed: 1}
	assert.Equal(t, first, score(again.NewTokenPass()))
	assert.Equal(t, second, score(again.NewTokenPass()))
	assert.NotEqual(t, first, score((&View{Model: a, Dropout: true, Seed: 2}).NewTokenPass()))
	assert.Equal(t, plain, score((&View{Model: a, Seed: 1}).NewTokenPass()), "dropout is off")

	// The gradient is that of the masked function: central differences, each time with a
	// view that draws the same masks.
	p := (&View{Model: a, Dropout: true, Seed: 9}).NewTokenPass()
	score(p)
	w := slices.Repeat([]float64{1}, len(b.IDs))
	require.NoError(t, p.Pullback(ctx, policy.TokenStats{LogProb: w}))
	const step = 1e-2
	for _, name := range names[:4] {
		grad, err := a.Grad(name)
		require.NoError(t, err)
		start, err := a.Param(name)
		require.NoError(t, err)
		value := func(h float32) float64 {
			moved := slices.Clone(start)
			moved[1] += h
			require.NoError(t, a.SetParam(name, moved))
			sum := 0.0
			for _, l := range score((&View{Model: a, Dropout: true, Seed: 9}).NewTokenPass()) {
				sum += l
			}
			return sum
		}
		want := (value(step) - value(-step)) / (2 * step)
		assert.InDelta(t, want, grad[1], 5e-3*max(1, math.Abs(want)), name)
		require.NoError(t, a.SetParam(name, start))
	}
}
