package main

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/coverage"
)

// TestNoReplyInTwoPairs makes pairs of neighbours: their differences are independent.
func TestNoReplyInTwoPairs(t *testing.T) {
	var f features
	for i, want := range []float64{0, 1, 1, 2, 2} {
		phi := []float64{float64(i * i)}
		require.NoError(t, f.use(phi))
		require.NoError(t, f.add(coverage.FromPolicy, 1, phi))
		assert.Equal(t, want, f.policy.Weight())
	}
	assert.InDelta(t, (1.0+25)/2, f.policy.Matrix().At(0, 0), 1e-12) // (0−1)² and (4−9)²
}

// TestKeptPairs has more pairs of one prompt than are kept, half of them outside of the data,
// in one pass and merged.
func TestKeptPairs(t *testing.T) {
	build := func(phis ...[]float64) *features {
		f, rng := &features{}, rand.New(rand.NewPCG(1, 1))
		require.NoError(t, f.use(phis[0]))
		require.NoError(t, f.addPair(coverage.FromRef, 1, []float64{1, 0}, []float64{0, 0}))
		for i := range 3 * keptPairs {
			phi, at := phis[i%len(phis)], rng.Float64()
			require.NoError(t, f.addPair(coverage.FromPolicy, 1, []float64{at + phi[0], phi[1]}, []float64{at, 0}))
			require.Less(t, len(f.kept), 2*keptPairs)
		}
		return f
	}
	inside, outside := []float64{1, 0}, []float64{0, 1}
	r, err := build(inside, outside).result()
	require.NoError(t, err)
	assert.InDelta(t, 0.5, float64(r.Outside), 0.03)

	whole := build(inside)
	require.NoError(t, whole.merge(build(outside)))
	r, err = whole.result()
	require.NoError(t, err)
	assert.InDelta(t, 0.5, float64(r.Outside), 0.03)
	assert.Equal(t, 2, r.pairs)
}
