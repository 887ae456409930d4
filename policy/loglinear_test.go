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

	// chosen 1, rejected 2: the gradient of their margin is φ(1) − φ(2), whatever π is
	pass := p.NewPass()
	require.NoError(t, pass.Forward(context.Background(), got[:2], []*policy.Candidates{x, x}, []int{1, 2}))
	require.NoError(t, pass.Pullback(context.Background(), []float64{1, -1}))
	assert.Equal(t, []float64{0.5, -0.5}, p.Grad())
}

func TestLogLinearSparseIsDense(t *testing.T) {
	dense, sparse := candidates(t)
	p, q := logLinear(), logLinear()
	ys := []int{2, 0, 3, 2, 1}
	w := []float64{1, -0.3, 0.7, 2, -1.1}
	gradient := func(p *policy.LogLinear, xs []*policy.Candidates) []float64 {
		pass, logp := p.NewPass(), make([]float64, len(ys))
		batch := []*policy.Candidates{xs[0], xs[1], xs[0], xs[0], xs[1]}
		require.NoError(t, pass.Forward(context.Background(), logp, batch, ys))
		require.NoError(t, pass.Pullback(context.Background(), w))
		return append(logp, p.Grad()...)
	}
	assert.InDeltaSlice(t, gradient(p, dense), gradient(q, sparse), 1e-14)
}

// The same features in every order of magnitude of the logits: log π and its gradient
// must neither overflow nor lose the small ones.
func TestLogLinearExtremes(t *testing.T) {
	for _, size := range []float64{1e-9, 1, 700, 1e4, 1e150} {
		f, err := policy.NewDense(4, 1, []float64{0, 1, -1, 1})
		require.NoError(t, err)
		x := &policy.Candidates{Features: f, Ref: []float64{0, 0, 0, -inf}}
		p := policy.NewLogLinear(1)
		p.Params()[0] = size
		logp := make([]float64, 4)
		require.NoError(t, p.LogProbs(context.Background(), logp, []*policy.Candidates{x, x, x, x}, []int{0, 1, 2, 3}))
		l := math.Log1p(math.Exp(-size) + math.Exp(-2*size)) // logits 0, size, −size
		for y, want := range []float64{-size - l, -l, -2*size - l} {
			assert.InEpsilon(t, 1-want, 1-logp[y], 1e-15, "response %d at size %g", y, size)
		}
		assert.Equal(t, -inf, logp[3])

		mean := (math.Exp(-2*size)*-1 + 1) / (1 + math.Exp(-size) + math.Exp(-2*size)) // E φ
		for y, phi := range []float64{0, 1, -1} {
			clear(p.Grad())
			pass := p.NewPass()
			require.NoError(t, pass.Forward(context.Background(), logp[:1], []*policy.Candidates{x}, []int{y}))
			require.NoError(t, pass.Pullback(context.Background(), []float64{1}))
			assert.InDelta(t, phi-mean, p.Grad()[0], 1e-15, "response %d at size %g", y, size)
		}
	}
}

// At logits of ±700, central differences still see the gradient.
func TestTabularDifferencesAtExtremes(t *testing.T) {
	p := policy.NewTabular(1, 5, []float64{0, 0, 0, 0, -inf})
	copy(p.Params(), []float64{700, -700, 699.5, 0, 3})
	ctx := context.Background()
	logp := make([]float64, 1)
	at := func(y int) float64 {
		require.NoError(t, p.LogProbs(ctx, logp, []int{0}, []int{y}))
		return logp[0]
	}
	for y := range 4 {
		clear(p.Grad())
		pass := p.NewPass()
		require.NoError(t, pass.Forward(ctx, logp, []int{0}, []int{y}))
		require.NoError(t, pass.Pullback(ctx, []float64{1}))
		for j := range p.Params() {
			const h = 1e-3
			was := p.Params()[j]
			p.Params()[j] = was + h
			up := at(y)
			p.Params()[j] = was - h
			down := at(y)
			p.Params()[j] = was
			assert.InDelta(t, (up-down)/(2*h), p.Grad()[j], 1e-7, "response %d, parameter %d", y, j)
		}
	}
}

func TestNotFiniteParametersAreErrors(t *testing.T) {
	for _, v := range []float64{math.NaN(), inf} {
		p := policy.NewTabular(2, 3, nil)
		p.Params()[4] = v
		logp := make([]float64, 2)
		for name, score := range map[string]func() error{
			"LogProbs": func() error { return p.LogProbs(context.Background(), logp, []int{0, 1}, []int{0, 0}) },
			"Forward": func() error {
				return p.NewPass().Forward(context.Background(), logp, []int{0, 1}, []int{0, 0})
			},
		} {
			err := score()
			assert.ErrorContains(t, err, "item 1: logit of response 1 is NaN or +Inf", name)
			assert.ErrorIs(t, err, policy.ErrPrompt)
			assert.True(t, math.IsNaN(logp[1]) && !math.IsNaN(logp[0]), name)
		}
	}
}

func TestSampleNamesThePromptThatFails(t *testing.T) {
	p := policy.NewTabular(1, 3, nil)
	d := policy.Draws[int]{Y: make([]int, 4), LogProb: make([]float64, 4), Model: make([]float64, 4)}
	err := p.Sample(context.Background(), d, []int{5, 0}, []uint64{1, 2}, 2, policy.Key{})
	var item *policy.ItemError
	require.ErrorAs(t, err, &item)
	assert.Equal(t, 0, item.Index)
	assert.Equal(t, []int{-1, -1}, d.Y[:2])
	assert.True(t, math.IsNaN(d.LogProb[0]) && math.IsNaN(d.Model[1]))
	assert.InDelta(t, -math.Log(3), d.LogProb[2], 1e-15)
}

// A batch in which the prompts alternate scores as one in which they stand together.
func TestLogLinearRunsOfPrompts(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 1))
	dense, _ := candidates(t)
	p := logLinear()
	for range 20 {
		n := 1 + g.IntN(9)
		xs, ys := make([]*policy.Candidates, n), make([]int, n)
		for i := range xs {
			xs[i], ys[i] = dense[g.IntN(2)], g.IntN(3)
		}
		batch, one := make([]float64, n), make([]float64, 1)
		require.NoError(t, p.NewPass().Forward(context.Background(), batch, xs, ys))
		for i := range xs {
			require.NoError(t, p.LogProbs(context.Background(), one, xs[i:i+1], ys[i:i+1]))
			require.Equal(t, one[0], batch[i])
		}
	}
}
