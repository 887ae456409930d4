package policy_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
)

// raceDetector says that sync.Pool forgets at random, to provoke races.
var raceDetector bool

func TestHotPathsDoNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("a sync.Pool allocates under the race detector")
	}
	g := rand.New(rand.NewPCG(1, 2))
	_, sparse := candidates(t)
	xs := append(repeat(denseCandidates(g, 3, 16, 4), 2), sparse[0], sparse[1])
	ys := make([]int, len(xs))
	t.Run("LogLinear", func(t *testing.T) { noAllocs(t, logLinear(), xs, ys) })
	t.Run("pieces", func(t *testing.T) { // a batch that several processors would share
		xs := denseCandidates(g, 200, 16, 400)
		noAllocs(t, policy.NewLogLinear(400), xs, make([]int, len(xs)))
	})
	t.Run("Tabular", func(t *testing.T) { noAllocs(t, tabular(), []int{0, 0, 1}, []int{1, 2, 0}) })
	t.Run("Mixture", func(t *testing.T) {
		m, err := policy.GeometricMixture[int](tabular(), tabular().Freeze(), 0.5)
		require.NoError(t, err)
		noAllocs(t, m, []int{0, 0, 1}, []int{1, 2, 0})
	})
}

func noAllocs[X any](t *testing.T, p policy.Sampler[X, int], xs []X, ys []int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dst, w := make([]float64, len(xs)), make([]float64, len(xs))
	for i := range w {
		w[i] = float64(i)
	}
	run := func(name string, f func() error) {
		assert.NoError(t, f(), name) // the first call makes the workspace
		assert.Zero(t, testing.AllocsPerRun(100, func() { _ = f() }), name)
	}
	run("LogProbs", func() error { return p.LogProbs(ctx, dst, xs, ys) })
	const k = 3
	d := policy.Draws[int]{Y: make([]int, k*len(xs)), LogProb: make([]float64, k*len(xs)), Model: make([]float64, k*len(xs))}
	ids := make([]uint64, len(xs))
	run("Sample", func() error { return p.Sample(ctx, d, xs, ids, k, policy.Key{Step: 1}) })
	if p, ok := p.(policy.Trainable[X, int]); ok {
		pass := p.NewPass()
		run("Forward", func() error { return pass.Forward(ctx, dst, xs, ys) })
		run("Pullback", func() error { return pass.Pullback(ctx, w) })
	}
}
