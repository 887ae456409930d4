package sampler_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
)

func TestImportanceWeights(t *testing.T) {
	ninf := math.Inf(-1)
	logs := []float64{math.Log(4), math.Log(0.5), 0, ninf, math.Log(0.1)}
	const raw, sq = 5.6, 16 + 0.25 + 1 + 0.01
	for _, c := range []struct {
		name         string
		c            sampler.Importance
		want         []float64
		below, above int
	}{
		{"plain", sampler.Importance{}, []float64{4, 0.5, 1, 0, 0.1}, 0, 0},
		{"truncated", sampler.Importance{Max: 2}, []float64{2, 0.5, 1, 0, 0.1}, 0, 1},
		{"truncated on both sides", sampler.Importance{Min: 0.2, Max: 2}, []float64{2, 0.5, 1, 0.2, 0.2}, 2, 1},
		{"masked", sampler.Importance{Min: 0.2, Max: 2, Mask: true}, []float64{0, 0.5, 1, 0, 0}, 2, 1},
		{"self-normalised", sampler.Importance{SelfNormalise: true}, []float64{4 * 5 / raw, 0.5 * 5 / raw, 5 / raw, 0, 0.1 * 5 / raw}, 0, 0},
		{"truncated, self-normalised", sampler.Importance{Max: 2, SelfNormalise: true},
			[]float64{2 * 5 / 3.6, 0.5 * 5 / 3.6, 5 / 3.6, 0, 0.1 * 5 / 3.6}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dst := make([]float64, len(logs))
			s, err := c.c.Weights(dst, logs)
			require.NoError(t, err)
			assert.InDeltaSlice(t, c.want, dst, 1e-14)
			assert.Equal(t, c.below, s.Below)
			assert.Equal(t, c.above, s.Above)
			assert.Equal(t, 5, s.N)
			assert.InDelta(t, raw*raw/sq, s.ESS, 1e-13, "of the weights before the bounds")
			assert.InDelta(t, math.Log(raw/5), s.LogMean, 1e-14)
		})
	}
}

// Defects 11 and 12: an ESS after clamping that cannot be low; overflowing ratios.
func TestImportanceOverflow(t *testing.T) {
	logs := []float64{800, 799, -900}
	dst := make([]float64, 3)
	_, err := sampler.Importance{}.Weights(dst, logs)
	assert.EqualError(t, err, "sampler: weight 0 is e^800, which overflows without Max or SelfNormalise")
	s, err := sampler.Importance{SelfNormalise: true}.Weights(dst, logs)
	require.NoError(t, err)
	e := math.Exp(-1)
	assert.InDeltaSlice(t, []float64{3 / (1 + e), 3 * e / (1 + e), 0}, dst, 1e-12)
	assert.InDelta(t, (1+e)*(1+e)/(1+e*e), s.ESS, 1e-12)
	s, err = sampler.Importance{Max: 1}.Weights(dst, logs)
	require.NoError(t, err)
	assert.Equal(t, []float64{1, 1, 0}, dst)
	assert.Less(t, s.ESS, 2.0, "after the clamp it would say 2")
	assert.InDelta(t, 800+math.Log((1+e)/3), s.LogMean, 1e-12)

	_, err = sampler.Importance{Max: 1, Mask: true, SelfNormalise: true}.Weights(dst[:2], logs[:2])
	assert.EqualError(t, err, "sampler: self-normalised weights that are all 0")
	s, err = sampler.Importance{}.Weights(dst[:1], []float64{math.Inf(-1)})
	require.NoError(t, err)
	assert.Zero(t, s.ESS)
	assert.Equal(t, math.Inf(-1), s.LogMean)
}

// Tokens and Sequences read what counts and nothing else.
func TestImportanceOfTokens(t *testing.T) {
	nan := math.NaN()
	var b policy.Tokens
	b.Append([]int32{1, 2}, []int32{3, 4, 5})
	b.Append(nil, []int32{6})
	b.Append([]int32{7}, []int32{8, 9})
	b.Mask = []bool{true, true, true, false, true, true, true, true, true}
	target := []float64{nan, nan, -1, nan, -2, -0.5, nan, -3, math.Inf(-1)}
	behaviour := []float64{nan, nan, -1.5, nan, -1, -0.25, nan, -2, -1}
	dst := make([]float64, 9)
	s, err := sampler.Importance{}.Tokens(dst, target, behaviour, b)
	require.NoError(t, err)
	want := []float64{0, 0, math.Exp(0.5), 0, math.Exp(-1), math.Exp(-0.25), 0, math.Exp(-1), 0}
	assert.InDeltaSlice(t, want, dst, 1e-15)
	assert.Equal(t, 5, s.N)
	seq := make([]float64, 3)
	s, err = sampler.Importance{}.Sequences(seq, target, behaviour, b)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{math.Exp(-0.5), math.Exp(-0.25), 0}, seq, 1e-15)
	assert.Equal(t, 3, s.N)

	inPlace := append([]float64{}, target...)
	_, err = sampler.Importance{}.Tokens(inPlace, inPlace, behaviour, b)
	require.NoError(t, err)
	assert.Equal(t, dst, inPlace)
	inPlace = append([]float64{}, behaviour...)
	_, err = sampler.Importance{}.Tokens(inPlace, target, inPlace, b)
	require.NoError(t, err)
	assert.Equal(t, dst, inPlace)

	for value, message := range map[float64]string{math.Inf(-1): "-Inf", math.Inf(1): "+Inf"} {
		bad := append([]float64{}, behaviour...)
		bad[4] = value
		_, err = sampler.Importance{}.Tokens(dst, target, bad, b)
		assert.EqualError(t, err, "sampler: behaviour[4] = "+message+", must be finite")
		_, err = sampler.Importance{}.Sequences(seq, target, bad, b)
		assert.EqualError(t, err, "sampler: behaviour[4] = "+message+", must be finite")
	}
	target[4] = 2000
	_, err = sampler.Importance{}.Tokens(dst, target, behaviour, b)
	assert.EqualError(t, err, "sampler: weight 4 is e^2001, which overflows without Max or SelfNormalise", "the position, not the count")
	target[5] = nan
	_, err = sampler.Importance{}.Tokens(dst, target, behaviour, b)
	assert.EqualError(t, err, "sampler: target[5] = NaN")
	assert.Panics(t, func() { _, _ = sampler.Importance{}.Tokens(dst[1:], target, behaviour, b) })
	assert.Panics(t, func() { _, _ = sampler.Importance{}.Sequences(dst, target, behaviour, b) })
	assert.Panics(t, func() { _, _ = sampler.Importance{}.Weights(dst, target[1:]) })
}

func TestImportanceErrors(t *testing.T) {
	for _, c := range []struct {
		c    sampler.Importance
		want string
	}{
		{sampler.Importance{Min: -1}, "sampler: Importance.Min is -1, must be finite and not negative"},
		{sampler.Importance{Min: math.NaN()}, "sampler: Importance.Min is NaN, must be finite and not negative"},
		{sampler.Importance{Max: math.NaN()}, "sampler: Importance.Max is NaN, must be positive, or 0 for none"},
		{sampler.Importance{Min: 2, Max: 1}, "sampler: Importance.Max is 1, below Min, which is 2"},
	} {
		_, err := c.c.Weights(nil, nil)
		assert.EqualError(t, err, c.want)
	}
	for _, x := range []float64{math.NaN(), math.Inf(1)} {
		_, err := sampler.Importance{Max: 1}.Weights(make([]float64, 1), []float64{x})
		assert.EqualError(t, err, fmt.Sprintf("sampler: logRatio[0] = %v", x))
	}
}

// By enumeration: E_μ[ρ·f] = E_π[f] for replies of a model drawn at another temperature.
func TestImportanceIsExactInExpectation(t *testing.T) {
	const vocab, eos, longest = 3, 0, 3
	want, got, total := 0.0, 0.0, 0.0
	f := func(y []int32) float64 { return float64(len(y)) + 0.5*float64(y[0]) }
	replies(vocab, eos, longest, []int32{1}, 2, func(y []int32, mu, pi float64) {
		if mu == 0 {
			return
		}
		w := make([]float64, 1)
		_, err := sampler.Importance{}.Weights(w, []float64{math.Log(pi) - math.Log(mu)})
		require.NoError(t, err)
		want, got, total = want+pi*f(y), got+mu*w[0]*f(y), total+pi
	})
	assert.InDelta(t, 1, total, 1e-12)
	assert.InDelta(t, want, got, 1e-12)
}

func TestImportanceAllocatesNothing(t *testing.T) {
	var b policy.Tokens
	g := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		b.Append(make([]int32, 3), make([]int32, 10))
	}
	x, dst, seq := make([]float64, len(b.IDs)), make([]float64, len(b.IDs)), make([]float64, 20)
	for i := range x {
		x[i] = g.NormFloat64()
	}
	c := sampler.Importance{Max: 2, SelfNormalise: true}
	assert.Zero(t, testing.AllocsPerRun(10, func() {
		if _, err := c.Tokens(dst, x, x, b); err != nil {
			panic(err)
		}
		if _, err := c.Sequences(seq, x, x, b); err != nil {
			panic(err)
		}
	}))
}

// Defect 17: with the log-probabilities of what was really drawn from, a temperature is
// corrected exactly; a top-p is not, by the mass that it cut off.
func TestRatiosOfTemperatureAndTopP(t *testing.T) {
	z := []float32{1, 0.2, -0.5, -2}
	p := softmax(z, 1)
	for _, c := range []struct {
		t    sampler.Transform
		mass float64
	}{{sampler.Temperature(0.6), 1}, {sampler.TopP(0.7), p[0] + p[1]}} {
		var row sampler.Row
		require.NoError(t, row.Set(z, nil, c.t))
		mean := 0.0 // E_μ[π/μ]
		for id := range int32(len(z)) {
			x := row.Token(id)
			if math.IsInf(x.LogProb, -1) {
				continue
			}
			w := make([]float64, 1)
			_, err := sampler.Importance{}.Weights(w, []float64{x.Model - x.LogProb})
			require.NoError(t, err)
			mean += math.Exp(x.LogProb) * w[0]
		}
		assert.InDelta(t, c.mass, mean, 1e-14, "%T", c.t)
	}
}
