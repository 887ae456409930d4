package policy_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
)

// step samples, scores a pair and the samples of each prompt, and returns all numbers that come out. The
// weights of the samples sum to 0 up to rounding if cancel says so.
func step(t *testing.T, p *policy.LogLinear, pass policy.Pass[*policy.Candidates, int], xs []*policy.Candidates, key policy.Key, cancel bool) []float64 {
	ctx := context.Background()
	const k = 3
	ids := make([]uint64, len(xs))
	for i := range ids {
		ids[i] = uint64(i)
	}
	pairs := append(append([]*policy.Candidates(nil), xs...), xs...)
	y := make([]int, len(pairs))
	for i := range xs {
		y[i] = 1
	}
	score := make([]float64, len(pairs))
	require.NoError(t, pass.Forward(ctx, score, pairs, y))
	d := policy.Draws[int]{Y: make([]int, k*len(xs)), LogProb: make([]float64, k*len(xs))}
	require.NoError(t, p.Sample(ctx, d, xs, ids, k, key))
	logp := make([]float64, k*len(xs))
	require.NoError(t, pass.Forward(ctx, logp, repeat(xs, k), d.Y))
	assert.InDeltaSlice(t, d.LogProb, logp, 1e-13)
	w := normals(rand.New(rand.NewPCG(1, key.Step)), len(logp), 1)
	for i := 0; cancel && i < len(w); i += k {
		w[i+2] = -(w[i] + w[i+1]) * (1 + 1e-16)
	}
	clear(p.Grad())
	require.NoError(t, pass.Pullback(ctx, w))
	out := append(append(score, logp...), p.Grad()...)
	for i, g := range p.Grad() {
		p.Params()[i] -= 0.1 * g
	}
	return out
}

// What a policy remembers of the last call changes no bit: a new policy with the same parameters
// remembers nothing, and does the same.
func TestMemoIsNotSeen(t *testing.T) {
	g := rand.New(rand.NewPCG(4, 4))
	all := denseCandidates(g, 12, 16, 24)
	_, sparse := candidates(t)
	p := policy.NewLogLinear(24)
	pass := p.NewPass()
	for i := range 40 {
		xs := all[g.IntN(6):][:1+g.IntN(6)]
		switch i % 8 {
		case 5: // other references and features of the same prompts
			xs[0].Ref[3] += 1
			xs[0].Features, xs[len(xs)-1].Features = xs[len(xs)-1].Features, xs[0].Features
		case 6: // a batch that fails
			require.ErrorIs(t, pass.Forward(context.Background(), make([]float64, 2), []*policy.Candidates{xs[0], sparse[0]}, []int{0, 0}), policy.ErrPrompt)
		}
		fresh := policy.NewLogLinear(24)
		copy(fresh.Params(), p.Params())
		key := policy.Key{Step: uint64(i)}
		want := step(t, fresh, fresh.NewPass(), xs, key, i%2 == 0)
		if i%8 == 7 { // with the same parameters once more
			before := append([]float64(nil), p.Params()...)
			step(t, p, pass, xs, key, i%2 == 0)
			copy(p.Params(), before)
		}
		require.Equal(t, want, step(t, p, pass, xs, key, i%2 == 0))
		require.Equal(t, fresh.Params(), p.Params())
	}
}

// Forward, Pullback and Sample give the same bits whatever the number of processors, also to
// several goroutines at once.
func TestProcessorsAreNotSeen(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, size := range []struct{ dim, steps int }{{48, 60}, {240, 3}} { // for helpers that are awake, and for others too
		xs := denseCandidates(rand.New(rand.NewPCG(5, 5)), 300, 16, size.dim)
		run := func() []float64 {
			p := policy.NewLogLinear(size.dim)
			pass := p.NewPass()
			var out []float64
			for s := range size.steps {
				out = step(t, p, pass, xs, policy.Key{Step: uint64(s)}, s%2 == 1)
			}
			return out
		}
		runtime.GOMAXPROCS(1)
		want := run()
		for _, procs := range []int{2, 3, 8} {
			runtime.GOMAXPROCS(procs)
			require.Equal(t, want, run(), "%d parameters, %d processors", size.dim, procs)
		}
	}
	xs := denseCandidates(rand.New(rand.NewPCG(5, 5)), 300, 16, 240)
	p := policy.NewLogLinear(240)
	logp := make([][]float64, 4)
	var all sync.WaitGroup
	for i := range logp {
		logp[i] = make([]float64, len(xs))
		all.Go(func() {
			d := policy.Draws[int]{Y: make([]int, len(xs)), LogProb: logp[i]}
			assert.NoError(t, p.Sample(context.Background(), d, xs, make([]uint64, len(xs)), 1, policy.Key{}))
			assert.NoError(t, p.NewPass().Forward(context.Background(), logp[i], xs, d.Y))
			assert.NoError(t, p.LogProbs(context.Background(), logp[i], xs, d.Y))
		})
	}
	all.Wait()
	for i := range logp {
		assert.Equal(t, logp[0], logp[i])
	}
}

// Weights that sum to 0 but for rounding give the gradient that they do with the rest.
func TestPullbackOfWeightsThatCancel(t *testing.T) {
	xs := denseCandidates(rand.New(rand.NewPCG(6, 6)), 1, 8, 5)
	batch := repeat(xs, 4)
	for _, w := range [][]float64{{0.1, 0.2, -0.3, 0}, {0.1, 0.2, -0.3, 1e-9}, {1, -1, 1e-20, 0}, {0, 0, 0, 0}} {
		p := policy.NewLogLinear(5)
		copy(p.Params(), []float64{1, -1, 0.5, 0, 2})
		pass, logp := p.NewPass(), make([]float64, 4)
		require.NoError(t, pass.Forward(context.Background(), logp, batch, []int{1, 1, 4, 5}))
		require.NoError(t, pass.Pullback(context.Background(), w))
		got := append([]float64(nil), p.Grad()...)
		want := make([]float64, 5)
		one := make([]float64, 4)
		for i := range w { // ∇ log π of each item by itself
			clear(p.Grad())
			clear(one)
			one[i] = 1
			require.NoError(t, pass.Pullback(context.Background(), one))
			for j, g := range p.Grad() {
				want[j] += w[i] * g
			}
		}
		assert.InDeltaSlice(t, want, got, 1e-16, "%v", w)
	}
}
