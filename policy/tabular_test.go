package policy_test

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
)

var inf = math.Inf(1)

func TestTabularByHand(t *testing.T) {
	p := policy.NewTabular(2, 3, []float64{0, 0, 0, math.Log(0.2), math.Log(0.8), -inf})
	copy(p.Params(), []float64{math.Log(1), math.Log(2), math.Log(5), 0, math.Log(3), 7})
	ctx := context.Background()
	logp := make([]float64, 6)
	require.NoError(t, p.LogProbs(ctx, logp, []int{0, 0, 0, 1, 1, 1}, []int{0, 1, 2, 0, 1, 2}))
	// the second prompt: 0.2·1 and 0.8·3 and nothing
	want := []float64{1. / 8, 2. / 8, 5. / 8, 0.2 / 2.6, 2.4 / 2.6, 0}
	for i, l := range logp {
		assert.InDelta(t, want[i], math.Exp(l), 1e-15, i)
	}
	assert.Equal(t, -inf, logp[5])

	pass := p.NewPass()
	require.NoError(t, pass.Forward(ctx, logp[:3], []int{0, 1, 1}, []int{1, 0, 2}))
	require.NoError(t, pass.Pullback(ctx, []float64{2, 3, 0}))
	assert.InDeltaSlice(t, []float64{
		2 * (0 - 1./8), 2 * (1 - 2./8), 2 * (0 - 5./8),
		3 * (1 - 0.2/2.6), 3 * (0 - 2.4/2.6), 0,
	}, p.Grad(), 1e-15)
}

// The pass scores neighbouring items of one prompt together: what it stores must not
// depend on that.
func TestTabularRunsOfPrompts(t *testing.T) {
	p := policy.NewTabular(3, 2, nil)
	copy(p.Params(), []float64{0, 1, 0, 2, 0, 3})
	ctx := context.Background()
	xs, ys := []int{0, 0, 2, 1, 0, 2, 2}, []int{0, 1, 1, 0, 1, 0, 1}
	logp, one := make([]float64, len(xs)), make([]float64, 1)
	pass := p.NewPass()
	require.NoError(t, pass.Forward(ctx, logp, xs, ys))
	for i := range xs {
		require.NoError(t, p.LogProbs(ctx, one, xs[i:i+1], ys[i:i+1]))
		assert.Equal(t, one[0], logp[i])
	}
}

func TestFreezeIsIndependent(t *testing.T) {
	p := policy.NewTabular(1, 2, []float64{0, 1})
	p.Params()[0] = 0.5
	ref := p.Freeze()
	var before, after, now [2]float64
	require.NoError(t, p.Distribution(before[:], 0))
	p.Params()[0] = 3
	require.NoError(t, ref.Distribution(after[:], 0))
	require.NoError(t, p.Distribution(now[:], 0))
	assert.Equal(t, before, after)
	assert.NotEqual(t, before, now)
	_, trainable := any(ref).(policy.Trainable[int, int])
	assert.False(t, trainable)
}

func TestTabularSaveLoad(t *testing.T) {
	for _, base := range [][]float64{nil, {0, -inf, 1, 2, 3, 4}} {
		p := policy.NewTabular(3, 2, base)
		copy(p.Params(), []float64{1, -2, math.Pi, math.Copysign(0, -1), 5e-324, math.MaxFloat64})
		var b bytes.Buffer
		require.NoError(t, p.Save(&b))
		q, err := policy.LoadTabular(&b)
		require.NoError(t, err)
		assert.Equal(t, p.Params(), q.Params())
		assert.True(t, math.Signbit(q.Params()[3]))
		want, got := make([]float64, 2), make([]float64, 2)
		for x := range 2 {
			require.NoError(t, p.Distribution(want, x))
			require.NoError(t, q.Distribution(got, x))
			assert.Equal(t, want, got)
		}
		assert.Equal(t, 0, q.Responses(3))
	}
}
