package coverage_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"

	"github.com/prefgrad/prefgrad/coverage"
)

func TestDataMass(t *testing.T) {
	p := []float64{ln(0.5), ln(0.25), ln(0.25), -inf}
	assert.InDelta(t, 0.75, coverage.DataMass(p, []int{3, 0, 1, 1}), 1e-15)
	assert.Zero(t, coverage.DataMass(p, make([]int, 4)))
	joint := coverage.Joint([]float64{ln(0.5), ln(0.5)}, [][]float64{p, {0}})
	assert.InDelta(t, 0.25, coverage.DataMass(joint, []int{1, 0, 0, 0, 0}), 1e-15)
	assert.Panics(t, func() { coverage.DataMass(p, nil) })
}

func features(t *testing.T, data *coverage.Metric, pairs ...[2][]float64) *coverage.FeatureCoverage {
	t.Helper()
	f := coverage.NewFeatureCoverage(data)
	for _, p := range pairs {
		require.NoError(t, f.AddPair(p[0], p[1]))
	}
	return f
}

func TestFeatureCoverageByHand(t *testing.T) {
	data := metric(t, mat.NewDiagDense(3, []float64{4, 1, 0}))
	zero := []float64{0, 0, 0}
	inside := [][2][]float64{{{2, 0, 5}, {0, 0, 5}}, {zero, {0, 3, 0}}}
	r := features(t, data, inside...).Result()
	// Leverages 1 and 9; the policy's Σ is diag(2, 4.5, 0), against diag(4, 1, 0).
	assert.Equal(t, 2, r.N)
	assert.Zero(t, r.Outside)
	assert.InDelta(t, 4.5, r.Kappa, 1e-13)
	assert.InDelta(t, 5, r.MeanLeverage, 1e-13)
	assert.InDelta(t, 9, r.MaxLeverage, 1e-13)
	r = features(t, data, append(inside, [2][]float64{{0, 0, 1}, zero}, [2][]float64{{1, 0, 1}, zero})...).Result()
	assert.Equal(t, 0.5, r.Outside)
	assert.Equal(t, inf, r.Kappa)
	assert.InDelta(t, 5, r.MeanLeverage, 1e-13)
	r = features(t, data).Result()
	assert.True(t, r.N == 0 && math.IsNaN(r.Outside) && math.IsNaN(r.Kappa) && math.IsNaN(r.MeanLeverage))
	assert.ErrorContains(t, features(t, data).AddPair(zero, []float64{0, math.NaN(), 0}), "feature 1")
}

// The data under their own metric: leverage is the rank on average, κ = 1. And shards merge.
func TestTheoryFeatureCoverage(t *testing.T) {
	law(t, "data cover themselves", 30, 1e-3, func(rng *rand.Rand, err float64) bool {
		d, n := 1+rng.IntN(4), 20
		moment, rows := coverage.NewSecondMoment(d), gaussian(rng, 2*n, d)
		for i := range n {
			require.NoError(t, moment.AddPair(rows.RawRowView(2*i), rows.RawRowView(2*i+1)))
		}
		data := metric(t, moment.Matrix())
		a, b := coverage.NewFeatureCoverage(data), coverage.NewFeatureCoverage(data)
		for i := range n {
			f := a
			if i%3 == 0 {
				f = b
			}
			require.NoError(t, f.AddPair(rows.RawRowView(2*i), rows.RawRowView(2*i+1)))
		}
		sent := coverage.NewFeatureCoverage(data)
		require.NoError(t, sent.UnmarshalBinary(marshal(t, b)))
		a.Merge(sent)
		r := a.Result()
		return r.N == n && r.Outside == 0 && near(r.Kappa, 1+err, 1e-10) && near(r.MeanLeverage, float64(d)+err, 1e-10) && r.MaxLeverage >= r.MeanLeverage
	})
}
