package policy_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
)

func TestLogLinearGradient(t *testing.T) {
	ctx := context.Background()
	g := rand.New(rand.NewPCG(3, 4))
	p := policy.NewLogLinear(5)
	copy(p.Params(), normals(g, 5, 1))
	xs := repeat(denseCandidates(g, 3, 7, 5), 2)
	ys := []int{0, 3, 6, 6, 2, 1}
	w, logp := normals(g, 6, 1), make([]float64, 6)
	value := func() float64 {
		require.NoError(t, p.LogProbs(ctx, logp, xs, ys))
		s := 0.0
		for i, l := range logp {
			s += w[i] * l
		}
		return s
	}
	pass := p.NewPass()
	require.NoError(t, pass.Forward(ctx, logp, xs, ys))
	require.NoError(t, pass.Pullback(ctx, w))
	for j := range p.Params() {
		const h = 1e-5
		was := p.Params()[j]
		p.Params()[j] = was + h
		up := value()
		p.Params()[j] = was - h
		down := value()
		p.Params()[j] = was
		assert.InDelta(t, (up-down)/(2*h), p.Grad()[j], 1e-8)
	}
}

func TestLogLinearByHand(t *testing.T) {
	f, err := policy.NewDense(3, 2, []float64{1, 0, 0.5, 0.5, 0, 1})
	require.NoError(t, err)
	x := &policy.Candidates{Features: f}
	p := policy.NewLogLinear(2)
	copy(p.Params(), []float64{1, -1}) // θ = (s, −s) with s = 1: logits 1, 0, −1
	got := make([]float64, 3)
	require.NoError(t, p.Distribution(got, x))
	l := math.Log(1 + 2*math.Cosh(1))
	assert.InDeltaSlice(t, []float64{1 - l, -l, -1 - l}, got, 1e-15)
}
