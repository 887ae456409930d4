package coverage_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/coverage"
)

// A weight that no float64 holds leaves the samples around it as they are.
func TestHistogramOfFarWeights(t *testing.T) {
	h, err := coverage.NewHistogram(coverage.HistogramConfig{Source: coverage.FromRef, Lo: -1, Hi: 1, Bins: 2})
	require.NoError(t, err)
	logp := []float64{-0.5, 0.5, 5000, 0.25, -3}
	require.NoError(t, h.Add(coverage.Batch{Prompt: make([]uint64, 5), LogP: logp, LogRef: make([]float64, 5)}))
	below, bins, above := h.Counts()
	assert.Equal(t, []uint64{1, 1, 2, 1}, append([]uint64{below}, append(bins, above)...))
	for _, p := range h.Profile() {
		assert.Equal(t, math.Inf(1), p.P, "at %v", p.LogN)
	}

	h, err = coverage.NewHistogram(coverage.HistogramConfig{Source: coverage.FromRef, Lo: -1, Hi: 1, Bins: 2})
	require.NoError(t, err)
	logp[2] = 706 // e⁷⁰⁶ is a number, though not in units of the upper edge times five
	require.NoError(t, h.Add(coverage.Batch{Prompt: make([]uint64, 5), LogP: logp, LogRef: make([]float64, 5)}))
	profile := h.Profile()
	assert.InEpsilon(t, math.Exp(706)/5, profile[2].P, 1e-12)
}

// A range of bins beyond the logarithms of float64 leaves the bins with samples as they are.
func TestHistogramOfAFarRange(t *testing.T) {
	for _, replicates := range []int{0, 50} {
		h, err := coverage.NewHistogram(coverage.HistogramConfig{Source: coverage.FromRef, Lo: -1000, Hi: 1000, Bins: 2000, Replicates: replicates})
		require.NoError(t, err)
		require.NoError(t, h.Add(coverage.Batch{Prompt: []uint64{1, 2, 3}, LogP: []float64{0, -2, 1}, LogRef: make([]float64, 3)}))
		for _, p := range h.Profile() {
			want := 0.0
			for _, l := range []float64{0, -2, 1} {
				if l >= p.LogN {
					want += math.Exp(l) / 3
				}
			}
			assert.InDelta(t, want, p.P, 1e-15, "at %v", p.LogN)
			assert.Equal(t, replicates == 0, math.IsNaN(p.Hi), "at %v", p.LogN)
		}
	}
}
