package rloo_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/rloo"
)

func randomSamples(n int) (reward, logp, ref []float64) {
	rng := rand.New(rand.NewPCG(4, 4))
	reward, logp, ref = make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		reward[i], ref[i] = rng.NormFloat64(), -50*rng.Float64()
		logp[i] = ref[i] + 2*rng.NormFloat64()
	}
	return reward, logp, ref
}

func TestGradientsByHand(t *testing.T) {
	reward, logp, ref := []float64{3, 1, 2}, []float64{-1, -3, -2}, []float64{-2, -2, -5}
	dst := make([]float64, 3)
	// ℓ = 1, −1, 3; the means of the others are 1, 2, 0.
	require.NoError(t, rloo.KL(dst, logp, ref, 3))
	assert.Equal(t, []float64{0, -3, 3}, dst)
	// With β = ½: 3 − ½ = 2.5, 1 + ½ = 1.5, 2 − 1.5 = 0.5; means of the others 1, 1.5, 2.
	require.NoError(t, rloo.Reward(dst, reward, logp, ref, 0.5, 3))
	assert.Equal(t, []float64{1.5, 0, -1.5}, dst)
	// Without a KL the reference is not needed: 3 − 1.5, 1 − 2.5, 2 − 2.
	require.NoError(t, rloo.Reward(dst, reward, nil, nil, 0, 3))
	assert.Equal(t, []float64{1.5, -1.5, 0}, dst)
}

func TestGradientsInPlace(t *testing.T) {
	reward, logp, ref := randomSamples(12)
	want := make([]float64, 12)
	clone := func(v []float64) []float64 { return append([]float64(nil), v...) }

	require.NoError(t, rloo.KL(want, logp, ref, 4))
	for i := range 2 {
		args := [][]float64{clone(logp), clone(ref)}
		require.NoError(t, rloo.KL(args[i], args[0], args[1], 4))
		assert.Equal(t, want, args[i])
	}
	require.NoError(t, rloo.Reward(want, reward, logp, ref, 0.3, 4))
	for i := range 3 {
		args := [][]float64{clone(reward), clone(logp), clone(ref)}
		require.NoError(t, rloo.Reward(args[i], args[0], args[1], args[2], 0.3, 4))
		assert.Equal(t, want, args[i])
	}
}

func TestGradientErrors(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		arg   int // reward, logp, ref
		index int
		value float64
		text  string
	}{
		{0, 2, nan, "rloo: reward[2] = NaN, must be finite"},
		{0, 5, inf, "rloo: reward[5] = +Inf, must be finite"},
		{1, 0, nan, "rloo: logp[0] = NaN, must be finite"},
		{1, 3, -inf, "rloo: logp[3] = -Inf, must be finite"},
		{2, 4, -inf, "rloo: ref[4] = -Inf, must be finite"},
		{2, 1, inf, "rloo: ref[1] = +Inf, must be finite"},
		{2, 1, -math.MaxFloat64, "rloo: logp[1] − ref[1] = 1e+308 − (-1.7976931348623157e+308) overflows"},
	} {
		var args [3][]float64
		args[0], args[1], args[2] = randomSamples(6)
		args[c.arg][c.index] = c.value
		if c.value == -math.MaxFloat64 {
			args[1][c.index] = 1e308
		}
		dst := make([]float64, 6)
		assert.EqualError(t, rloo.Reward(dst, args[0], args[1], args[2], 0.1, 3), c.text)
		if err := rloo.KL(dst, args[1], args[2], 3); c.arg > 0 {
			assert.EqualError(t, err, c.text)
		} else {
			assert.NoError(t, err)
		}
	}
	reward, logp, ref := randomSamples(6)
	for _, beta := range []float64{-0.1, inf, nan} {
		assert.ErrorContains(t, rloo.Reward(make([]float64, 6), reward, logp, ref, beta, 3), "rloo: beta = ")
	}
}

// Weights that exceed every number are errors, and never NaN without one.
func TestGradientOverflow(t *testing.T) {
	dst, zero := make([]float64, 4), make([]float64, 4)
	far := []float64{-1, -1.5e308, -1.5e308, -1}
	assert.EqualError(t, rloo.KL(dst, far, []float64{-1.5e308, -1, -1, -1.5e308}, 2), "rloo: the advantage of sample 0 overflows")
	assert.EqualError(t, rloo.KL(dst, []float64{-1, -2, -1.5e308, -1}, []float64{-1, -1, -1, -1.5e308}, 2), "rloo: the advantage of sample 2 overflows")
	assert.EqualError(t, rloo.Reward(dst, zero, []float64{-1, -1, -3, -1}, []float64{-1, -1, -1, -1}, 1e308, 2),
		"rloo: regularised reward[2] overflows at a log-ratio of -2")
	assert.EqualError(t, rloo.Reward(dst, []float64{-1e308, 1e308, 0, 0}, nil, nil, 0, 2), "rloo: the advantage of sample 0 overflows")
}

func TestGradientPanics(t *testing.T) {
	reward, logp, ref := randomSamples(6)
	dst := make([]float64, 6)
	for name, f := range map[string]func(){
		"KL: short logp":     func() { rloo.KL(dst, logp[:3], ref, 3) },
		"KL: long ref":       func() { rloo.KL(dst[:3], logp[:3], ref, 3) },
		"Reward: no reward":  func() { rloo.Reward(dst, nil, logp, ref, 1, 3) },
		"Reward: no logp":    func() { rloo.Reward(dst, reward, nil, ref, 1, 3) },
		"Reward: short ref":  func() { rloo.Reward(dst, reward, logp, ref[:5], 1, 3) },
		"Reward: β = 0, too": func() { rloo.Reward(dst, reward[:3], nil, nil, 0, 3) },
	} {
		assert.PanicsWithValue(t, "rloo: slices of different lengths", f, name)
	}
	for _, k := range []int{1, 4} {
		assert.PanicsWithValue(t, "rloo: k < 2, or a length that is not a multiple of k", func() { rloo.KL(dst, logp, ref, k) })
		assert.PanicsWithValue(t, "rloo: k < 2, or a length that is not a multiple of k", func() { rloo.Reward(dst, reward, logp, ref, 1, k) })
	}
}

func TestAllocatesNothing(t *testing.T) {
	reward, logp, ref := randomSamples(64)
	dst := make([]float64, 64)
	d := rloo.Dual{Budget: 1, Rate: 0.1}
	assert.Zero(t, testing.AllocsPerRun(50, func() {
		rloo.LeaveOneOut(dst, reward, 4)
		if rloo.KL(dst, logp, ref, 8) != nil || rloo.Reward(dst, reward, logp, ref, 0.1, 2) != nil || d.Update(0.3) != nil {
			t.Error("failed")
		}
	}))
}
