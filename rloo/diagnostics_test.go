package rloo_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/prefgrad/prefgrad/rloo"
)

func randomGradients(seed uint64, n, dim int) [][]float64 {
	rng := rand.New(rand.NewPCG(seed, 4))
	out := make([][]float64, n)
	for i := range out {
		out[i] = make([]float64, dim)
		for j := range out[i] {
			out[i][j] = float64(j) + rng.NormFloat64()
		}
	}
	return out
}

// gonum's variance of each coordinate, also across a merge, and at a large offset.
func TestGradientStats(t *testing.T) {
	for _, offset := range []float64{0, 1e8} {
		gs := randomGradients(1, 40, 3)
		var all, a, b rloo.GradientStats
		trace, norm := 0.0, 0.0
		for j := range 3 {
			column := make([]float64, len(gs))
			for i := range gs {
				gs[i][j] += offset
				column[i] = gs[i][j]
			}
			m, v := stat.MeanVariance(column, nil)
			trace += v
			norm += m * m
		}
		for i, g := range gs {
			require.NoError(t, all.Add(g))
			part := &a
			if i >= 13 {
				part = &b
			}
			require.NoError(t, part.Add(g))
		}
		got := all.Noise()
		assert.Equal(t, 40, got.N)
		assert.InEpsilon(t, trace, got.Trace, 1e-7)
		assert.InEpsilon(t, norm-trace/40, got.Square, 1e-12)
		assert.InEpsilon(t, math.Sqrt(trace/10), got.SE(10), 1e-7)
		assert.InEpsilon(t, got.Square/got.Trace, got.SNR(), 1e-15)

		a.Merge(&b)
		merged := a.Noise()
		assert.Equal(t, 40, merged.N)
		assert.InEpsilon(t, got.Trace, merged.Trace, 1e-7)
		assert.InEpsilon(t, got.Square, merged.Square, 1e-7)
		var empty rloo.GradientStats
		a.Merge(&empty)
		assert.Equal(t, merged, a.Noise())
		empty.Merge(&a)
		assert.InEpsilon(t, merged.Trace, empty.Noise().Trace, 1e-12)

		text, err := json.Marshal(a)
		require.NoError(t, err)
		var back rloo.GradientStats
		require.NoError(t, json.Unmarshal(text, &back))
		assert.Equal(t, a, back)
	}
	var one rloo.GradientStats
	assert.True(t, math.IsNaN(one.Noise().Trace))
	require.NoError(t, one.Add([]float64{1}))
	assert.True(t, math.IsNaN(one.Noise().Trace), "one group says nothing about the noise")
	assert.EqualError(t, one.Add([]float64{math.Inf(1)}), "rloo: gradient[0] = +Inf, must be finite")
	assert.Equal(t, 1, one.N)
	assert.Panics(t, func() { _ = one.Add([]float64{1, 2}) })
	assert.Panics(t, func() { one.Merge(&rloo.GradientStats{N: 1, Mean: []float64{1, 2}, M2: []float64{0, 0}}) })
}

// Measured moments of leave-one-out agree with the exact ones, within their standard errors.
func TestGradientStatsAgreesWithExact(t *testing.T) {
	p := randomSoftmax(4, 5)
	e, l := p.exact()
	const k, groups = 3, 20000
	rng := rand.New(rand.NewPCG(8, 8))
	var s rloo.GradientStats
	w, ys := make([]float64, k), make([]int, k)
	for range groups {
		for i := range ys {
			u, y := rng.Float64(), 0
			for u -= e.Prob[0]; u > 0 && y < 4; u -= e.Prob[y] {
				y++
			}
			ys[i] = y
		}
		require.NoError(t, rloo.Advantages(rloo.RLOO{}, l)(w, ys))
		require.NoError(t, s.Add(estimate(w, p.scores(), ys)))
	}
	got, want := s.Noise(), e.LeaveOneOutTrace(l, k)
	assert.InEpsilon(t, want, got.Trace, 0.05)
	g := e.Gradient(l)
	assert.Less(t, floats.Distance(g, s.Mean, 2), 3*got.SE(groups))
	assert.Greater(t, floats.Norm(g, 2), 20*got.SE(groups), "the bound above can fail")
	assert.InDelta(t, floats.Dot(g, g), got.Square, 6*floats.Norm(g, 2)*got.SE(groups))
}

// A known analysis of variance by hand, and the expectations of both components by enumerating
// all data sets of a small experiment.
func TestComponents(t *testing.T) {
	c := rloo.Components{K: 4}
	within, between := c.Variance()
	assert.True(t, math.IsNaN(within) && math.IsNaN(between))
	require.NoError(t, c.Add([]float64{1, 0}, []float64{3, 0})) // mean (2, 0), variance 2
	within, between = c.Variance()
	assert.Equal(t, 2.0, within)
	assert.True(t, math.IsNaN(between))
	require.NoError(t, c.Add([]float64{5, 1}, []float64{5, -1})) // mean (5, 0), variance 2
	within, between = c.Variance()
	assert.Equal(t, 2.0, within)
	assert.Equal(t, 4.5-1, between) // variance of the means, less within/2
	assert.InDelta(t, math.Sqrt((3.5+2)/10), c.SE(4, 10), 1e-15)
	assert.InDelta(t, math.Sqrt((3.5+1)/10), c.SE(8, 10), 1e-15, "twice k halves what is within")
	assert.InDelta(t, math.Sqrt((3.5+2)/20), c.SE(4, 20), 1e-15, "twice the prompts halve all")

	// Three groups of each prompt: variances 9 and 12, means 3 and 5.
	three := rloo.Components{K: 1}
	require.NoError(t, three.Add([]float64{0}, []float64{3}, []float64{6}))
	require.NoError(t, three.Add([]float64{3}, []float64{3}, []float64{9}))
	within, between = three.Variance()
	assert.Equal(t, []float64{10.5, 2 - 10.5/3}, []float64{within, between})

	// Two prompts that do not differ: what is between comes out negative, and counts as 0.
	same := rloo.Components{K: 1}
	require.NoError(t, same.Add([]float64{-1}, []float64{1}))
	require.NoError(t, same.Add([]float64{2}, []float64{-2}))
	within, between = same.Variance()
	assert.Equal(t, []float64{5, -2.5}, []float64{within, between})
	assert.InDelta(t, math.Sqrt(5.0/3), same.SE(1, 3), 1e-15)

	// Prompts have mean ±1, groups add ±2: Within = 4, Between = 1. Over all outcomes of two
	// prompts with two groups each the estimates have these means.
	sumW, sumB := 0.0, 0.0
	sign := func(bits, i int) float64 { return float64(bits>>i&1)*2 - 1 }
	for bits := range 64 {
		var c rloo.Components
		for p := range 2 {
			m := sign(bits, p)
			require.NoError(t, c.Add([]float64{m + 2*sign(bits, 2+p)}, []float64{m + 2*sign(bits, 4+p)}))
		}
		w, b := c.Variance()
		sumW, sumB = sumW+w/64, sumB+b/64
	}
	assert.InDelta(t, 4, sumW, 1e-12)
	assert.InDelta(t, 1, sumB, 1e-12)
}

func TestComponentsMerge(t *testing.T) {
	all, a, b := rloo.Components{K: 2}, rloo.Components{K: 2}, rloo.Components{K: 2}
	gs := randomGradients(2, 30, 4)
	for i := 0; i < 30; i += 3 {
		require.NoError(t, all.Add(gs[i:i+3]...))
		part := &a
		if i > 12 {
			part = &b
		}
		require.NoError(t, part.Add(gs[i:i+3]...))
	}
	a.Merge(&rloo.Components{K: 2})
	a.Merge(&b)
	w1, b1 := all.Variance()
	w2, b2 := a.Variance()
	assert.InEpsilon(t, w1, w2, 1e-12)
	assert.InDelta(t, b1, b2, 1e-12)

	assert.EqualError(t, all.Add(gs[0], gs[1], []float64{0, 0, math.NaN(), 0}), "rloo: gradient of group 2 [2] = NaN, must be finite")
	w2, _ = all.Variance()
	assert.Equal(t, w1, w2)
	const groups = "rloo: Components needs two or more groups of every prompt, always as many"
	assert.PanicsWithValue(t, groups, func() { _ = all.Add(gs[0]) })
	assert.PanicsWithValue(t, groups, func() { _ = all.Add(gs[0], gs[1]) })
	assert.PanicsWithValue(t, "rloo: slices of different lengths", func() { _ = all.Add(gs[0], gs[1], gs[2][:3]) })
	assert.PanicsWithValue(t, "rloo: slices of different lengths", func() { _ = all.Add(gs[0][:3], gs[1][:3], gs[2][:3]) })
	assert.PanicsWithValue(t, "rloo: Components of different K or numbers of groups", func() { all.Merge(&rloo.Components{K: 3, Groups: 3}) })
	assert.PanicsWithValue(t, "rloo: Components of different K or numbers of groups", func() { all.Merge(&rloo.Components{K: 2, Groups: 2}) })
}

// Defects 11 and 12: of weights before a clamp, at any size.
func TestEffectiveSize(t *testing.T) {
	for _, c := range []struct {
		name string
		w    []float64
		want float64
	}{
		{"equal", []float64{3, 3, -3, 3}, 4},
		{"one", []float64{0, 0, 5}, 1},
		{"by hand", []float64{1, 2, 3}, 36.0 / 14},
		{"huge", []float64{1e300, 2e300, 3e300}, 36.0 / 14},
		{"tiny", []float64{1e-300, 2e-300, 3e-300}, 36.0 / 14},
		{"zeros", []float64{0, 0}, 0},
		{"none", nil, 0},
	} {
		assert.InDelta(t, c.want, rloo.EffectiveSize(c.w), 1e-14, c.name)
	}
	assert.True(t, math.IsNaN(rloo.EffectiveSize([]float64{1, math.Inf(1)})))
	assert.True(t, math.IsNaN(rloo.EffectiveSize([]float64{1, math.NaN()})))
	clamped := []float64{2, 2, 2, 1}
	assert.Greater(t, rloo.EffectiveSize(clamped), 3*rloo.EffectiveSize([]float64{900, 2, 2, 1}), "after a clamp it cannot go low")
}
