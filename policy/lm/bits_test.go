package lm_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
)

// big is large enough for several tiles, blocks, stripes and workers, and no multiple
// of any of their sizes.
func big(t testing.TB) (*lm.Model, policy.Tokens) {
	m := newModel(t, lm.Config{Vocab: 611, Dim: 67, Order: 3, Buckets: 101, Seed: 1})
	for i := range m.Params() {
		m.Params()[i] /= 3
	}
	return m, randomTokens(4, 40, 611, 21)
}

// one returns sequence i of b as a batch of its own.
func one(b policy.Tokens, i int) policy.Tokens {
	lo, hi := b.Begin[i], b.Begin[i+1]
	return policy.Tokens{IDs: b.IDs[lo:hi], Begin: []int{0, hi - lo}, Prompt: b.Prompt[i : i+1]}
}

func TestBatchIsSingle(t *testing.T) {
	m, b := big(t)
	pass := m.Against(m.Freeze()).NewTokenPass()
	all := newStats(len(b.IDs))
	require.NoError(t, pass.Forward(ctx, all, b))
	for i := range b.Len() {
		s := one(b, i)
		single := newStats(len(s.IDs))
		require.NoError(t, pass.Forward(ctx, single, s))
		lo, hi := b.Begin[i], b.Begin[i+1]
		assert.Equal(t, all.LogProb[lo:hi], single.LogProb)
		assert.Equal(t, all.Entropy[lo:hi], single.Entropy)
		assert.Equal(t, all.KL[lo:hi], single.KL)
		assert.Equal(t, all.SumSq[lo:hi], single.SumSq)
	}
	for _, kl := range all.KL {
		require.Zero(t, kl, "KL of a model to itself")
	}
}

func TestSameBitsForAnyNumberOfProcessors(t *testing.T) {
	m, b := big(t)
	ref := newModel(t, lm.Config{Vocab: 611, Dim: 9, Seed: 2}).Freeze()
	run := func(procs int) (policy.TokenStats, []float64) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		m := m.Clone()
		pass := m.Against(ref).NewTokenPass()
		s, w := newStats(len(b.IDs)), newStats(len(b.IDs))
		for i := range b.IDs {
			w.LogProb[i], w.KL[i], w.SumSq[i] = 1, float64(i%3)-1, 0.1
		}
		for range 2 { // the second time with kept logits
			require.NoError(t, pass.Forward(ctx, s, b))
			require.NoError(t, pass.Pullback(ctx, w))
		}
		return s, m.Grad()
	}
	s1, g1 := run(1)
	for _, procs := range []int{2, 5} {
		s, g := run(procs)
		assert.Equal(t, s1, s)
		assert.Equal(t, g1, g)
	}
}

// What a pass kept, and what it left behind, makes no difference.
func TestPassesAgree(t *testing.T) {
	m, b := big(t)
	w := newStats(len(b.IDs))
	for i := range w.LogProb {
		w.LogProb[i] = float64(i%5) - 2
	}
	w = policy.TokenStats{LogProb: w.LogProb}
	s := policy.TokenStats{LogProb: make([]float64, len(b.IDs))}
	gradient := func(pass policy.TokenPass, forward bool) []float64 {
		clear(m.Grad())
		if forward {
			require.NoError(t, pass.Forward(ctx, s, b))
		}
		require.NoError(t, pass.Pullback(ctx, w))
		return append([]float64(nil), m.Grad()...)
	}
	pass := m.NewTokenPass()
	first := gradient(pass, true)
	assert.Equal(t, first, gradient(pass, true), "with kept logits")
	assert.Equal(t, first, gradient(pass, false), "a second time for one forward")
	require.NoError(t, pass.Forward(ctx, policy.TokenStats{LogProb: s.LogProb[:len(one(b, 3).IDs)]}, one(b, 3)))
	assert.Equal(t, first, gradient(pass, true), "after a smaller batch")
}

func TestDecodeIsForward(t *testing.T) {
	m, b := big(t)
	for name, d := range map[string]policy.Decoder{"model": m, "frozen": m.Freeze()} {
		const k = 2
		var prompts [][]int32
		for i := range b.Len() {
			prompts = append(prompts, b.IDs[b.Begin[i]:b.Begin[i]+b.Prompt[i]])
		}
		open, err := d.Open(ctx, prompts, k)
		require.NoError(t, err)
		alone, err := d.Open(ctx, prompts, k)
		require.NoError(t, err)
		v := d.Vocab()
		logp := make([]float64, len(b.IDs))
		for step := 0; ; step++ {
			var rows []int
			var next []int32
			for i := range b.Len() {
				if lo, hi := b.Reply(i); lo+step < hi {
					rows = append(rows, i*k+i%k)
					next = append(next, b.IDs[lo+step])
				}
			}
			if len(rows) == 0 {
				break
			}
			z, single := make([]float32, len(rows)*v), make([]float32, v)
			require.NoError(t, open.Logits(ctx, z, rows))
			for r, seq := range rows {
				require.NoError(t, alone.Logits(ctx, single, rows[r:r+1]))
				require.Equal(t, single, z[r*v:(r+1)*v])
				lo, _ := b.Reply(seq / k)
				logp[lo+step] = score(t, z[r*v:(r+1)*v], next[r])
			}
			require.NoError(t, open.Append(ctx, rows, next))
			require.NoError(t, alone.Append(ctx, rows, next))
		}
		require.NoError(t, open.Close())
		s := policy.TokenStats{LogProb: make([]float64, len(b.IDs))}
		require.NoError(t, m.NewTokenPass().Forward(ctx, s, b))
		assert.Equal(t, s.LogProb, logp, name)
	}
}

func TestConcurrentPasses(t *testing.T) {
	m, b := big(t)
	want := policy.TokenStats{LogProb: make([]float64, len(b.IDs))}
	require.NoError(t, m.NewTokenPass().Forward(ctx, want, b))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			pass := m.NewTokenPass()
			s := policy.TokenStats{LogProb: make([]float64, len(b.IDs))}
			assert.NoError(t, pass.Forward(ctx, s, b))
			assert.Equal(t, want, s)
			assert.NoError(t, pass.Pullback(ctx, s))
		})
	}
	wg.Wait()
	sum := append([]float64(nil), m.Grad()...)
	clear(m.Grad())
	pass := m.NewTokenPass()
	require.NoError(t, pass.Forward(ctx, want, b))
	w := policy.TokenStats{LogProb: append([]float64(nil), want.LogProb...)}
	require.NoError(t, pass.Pullback(ctx, w))
	for i, g := range m.Grad() {
		require.InDelta(t, 4*g, sum[i], 1e-12*max(1, 4*g, -4*g))
	}
}

func TestNoAllocations(t *testing.T) {
	m, b := big(t)
	pass := m.Against(m.Freeze()).NewTokenPass()
	s, w := newStats(len(b.IDs)), newStats(len(b.IDs))
	for i := range b.IDs {
		w.LogProb[i], w.Entropy[i], w.KL[i], w.SumSq[i] = 1, 1, 1, 1
	}
	step := func() {
		_ = pass.Forward(ctx, s, b)
		_ = pass.Pullback(ctx, w)
	}
	step()
	step()
	assert.Zero(t, testing.AllocsPerRun(3, step))
}
