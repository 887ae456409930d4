package gomlx_test

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/gomlx"
	"github.com/prefgrad/prefgrad/train"
)

// mirror is a copy of a model's parameters and gradient in Go slices.
type mirror struct{ params, grad []float64 }

func (m *mirror) Params() []float64 { return m.params }
func (m *mirror) Grad() []float64   { return m.grad }

// TestAdamW compares with train.AdamW, which computes in float64, fed with the same
// gradients.
func TestAdamW(t *testing.T) {
	ctx := context.Background()
	m := loadLoRA(t)
	read := func(get func(string) ([]float32, error)) (all []float64) {
		names, _ := m.Params()
		for _, name := range names {
			v, err := get(name)
			require.NoError(t, err)
			for _, x := range v {
				all = append(all, float64(x))
			}
		}
		return all
	}
	host := &mirror{params: read(m.Param)}
	host.grad = make([]float64, len(host.params))
	want, got := train.NewAdamW(host), m.AdamW()
	want.Beta1, want.Beta2, want.Epsilon, want.WeightDecay = 0.8, 0.95, 1e-6, 0.1
	got.Beta1, got.Beta2, got.Epsilon, got.WeightDecay = 0.8, 0.95, 1e-6, 0.1
	pass := policy.Sequences{Model: m}.NewPass()
	for step := range 6 {
		require.NoError(t, pass.Forward(ctx, make([]float64, len(prompts)), prompts, replies))
		require.NoError(t, pass.Pullback(ctx, []float64{math.Sin(float64(step)), -1, 0.5}))
		copy(host.grad, read(m.Grad))
		maxNorm := math.Inf(1)
		if step%2 == 1 {
			maxNorm = 0.3
		}
		a, err := want.Update(ctx, 0.01, -0.7, maxNorm)
		require.NoError(t, err)
		b, err := got.Update(ctx, 0.01, -0.7, maxNorm)
		require.NoError(t, err)
		assert.InEpsilon(t, a, b, 1e-6)
		assert.InDeltaSlice(t, host.params, read(m.Param), 1e-5)
		copy(host.params, read(m.Param)) // differences do not add up
	}
}

func TestAdamWSparesNorms(t *testing.T) {
	m := load(t, "tiny")
	o := m.AdamW()
	o.WeightDecay = 0.5
	before, err := m.Param("model.norm.weight")
	require.NoError(t, err)
	matrix, err := m.Param("lm_head.weight")
	require.NoError(t, err)
	_, err = o.Update(context.Background(), 0.1, 1, math.Inf(1)) // a gradient of 0
	require.NoError(t, err)
	after, err := m.Param("model.norm.weight")
	require.NoError(t, err)
	assert.Equal(t, before, after)
	decayed, err := m.Param("lm_head.weight")
	require.NoError(t, err)
	for i := range matrix {
		assert.InDelta(t, 0.95*matrix[i], decayed[i], 1e-7)
	}
}

// TestNotFiniteGradient checks that an overflow is named and changes nothing.
func TestNotFiniteGradient(t *testing.T) {
	ctx := context.Background()
	m := load(t, "tiny")
	o := m.AdamW()
	before, err := m.Param("lm_head.weight")
	require.NoError(t, err)
	pass := policy.Sequences{Model: m}.NewPass()
	require.NoError(t, pass.Forward(ctx, make([]float64, len(prompts)), prompts, replies))
	for range 2 {
		require.NoError(t, pass.Pullback(ctx, []float64{3e38, 3e38, 3e38}))
	}
	_, err = o.Update(ctx, 0.1, 1, 1)
	assert.ErrorContains(t, err, "model.embed_tokens.weight")
	after, err := m.Param("lm_head.weight")
	require.NoError(t, err)
	assert.Equal(t, before, after)
	assert.ErrorContains(t, pass.Pullback(ctx, []float64{1, math.NaN(), 1}), "LogProb[")
	assert.ErrorContains(t, pass.Pullback(ctx, []float64{1, 1e300, 1}), "1e+300")
}

// TestBaseIsNotTrained checks that the optimizer of a model refuses once an adapter
// stands on it.
func TestBaseIsNotTrained(t *testing.T) {
	m := load(t, "tiny")
	o := m.AdamW()
	_, err := m.LoRA(gomlx.LoRA{R: 1})
	require.NoError(t, err)
	_, err = o.Update(context.Background(), 0.1, 1, 1)
	assert.ErrorContains(t, err, "base of an adapter")
	assert.Error(t, m.SetParam("lm_head.weight", make([]float32, 32*16)))
	var record bytes.Buffer
	require.NoError(t, load(t, "tiny").AdamW().Save(&record))
	assert.ErrorContains(t, o.Load(&record), "base of an adapter")
}

func TestStateOfAnotherModel(t *testing.T) {
	var record bytes.Buffer
	require.NoError(t, load(t, "tied").AdamW().Save(&record))
	assert.Error(t, load(t, "tiny").AdamW().Load(&record))
	a, err := load(t, "tiny").LoRA(gomlx.LoRA{R: 2, Targets: []string{"gate_proj"}})
	require.NoError(t, err)
	b, err := load(t, "tiny").LoRA(gomlx.LoRA{R: 2, Targets: []string{"up_proj"}}) // of the same shapes
	require.NoError(t, err)
	record.Reset()
	require.NoError(t, a.AdamW().Save(&record))
	assert.ErrorContains(t, b.AdamW().Load(&record), "other parameters")
}
