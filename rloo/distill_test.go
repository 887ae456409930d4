package rloo_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/rloo"
)

// The reference of the writer is its teacher. γ = 1 is the gradient of −KL(π‖π_T) of sequences,
// γ = 0 that of the next-token KLs on prefixes that stay, and between them lies neither.
func TestTheoryDistill(t *testing.T) {
	w := newWriter(7)
	whole := gradient(w.logits, func(x []float64) float64 { return -w.kl(x, w.ref) })
	short := gradient(w.logits, func(x []float64) float64 {
		return -w.expect(w.logits, func(_ int, r reply) float64 { return rowKLs(r, x, w.ref) })
	})
	by := func(discount float64) []float64 {
		return w.mean(t, 1, nil, func(b batch) []float64 {
			require.NoError(t, rloo.Distill{Discount: discount}.Eval(b.weight, b.logp, b.ref, b.layout))
			return b.pullback(t, b.weight)
		})
	}
	full, none, half := by(1), by(0), by(0.5)
	same(t, whole, full, none, half)
	same(t, short, none, full, half)
}

func TestDistillByHand(t *testing.T) {
	logp, teacher := []float64{math.NaN(), -1, math.NaN(), -2, -3, -1}, []float64{0, -2, math.NaN(), -1, -3, -5}
	l := rloo.Layout{Begin: []int{0, 4, 6}, Prompt: []int{1, 0}, Mask: []bool{true, true, false, true, true, true}}
	dst := make([]float64, 6)
	require.NoError(t, rloo.Distill{}.Eval(dst, logp, teacher, l))
	assert.Equal(t, []float64{0, -1, 0, 1, 0, -4}, dst)
	require.NoError(t, rloo.Distill{Discount: 0.5}.Eval(dst, logp, teacher, l))
	assert.Equal(t, []float64{0, -0.5, 0, 1, -2, -4}, dst, "a masked token is not a power of γ")
	require.NoError(t, rloo.Distill{Discount: 1}.Eval(dst, logp, teacher, l))
	assert.Equal(t, []float64{0, 0, 0, 1, -4, -4}, dst)
	for _, d := range []float64{-0.1, 1.1, math.NaN()} {
		assert.ErrorContains(t, rloo.Distill{Discount: d}.Eval(dst, logp, teacher, l), "rloo: Distill.Discount = ")
	}
}

// TRL's loss, executed, and torch's derivative of it.
func TestJSDAgainstTRL(t *testing.T) {
	cases := readKL(t).JSD
	require.Len(t, cases, 5)
	for _, c := range cases {
		value, grad := make([]float64, len(c.Value)), make([]float32, len(c.Student))
		j := rloo.JSD{Beta: c.Beta, Temperature: c.Temperature}
		require.NoError(t, j.Eval(value, grad, c.Student, c.Teacher, nil, c.Vocab))
		assert.InDeltaSlice(t, c.Value, value, 1e-13)
		assert.InDeltaSlice(t, c.Gradient, widen(grad), 1e-7*floats.Norm(c.Gradient, math.Inf(1)))
	}
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// jsd is the definition.
func jsd(beta float64, student, teacher []float64) float64 {
	s, t := logSoftmax(student), logSoftmax(teacher)
	kl := func(p, q []float64) float64 {
		sum := 0.0
		for v, lp := range p {
			if !math.IsInf(lp, -1) {
				sum += math.Exp(lp) * (lp - q[v])
			}
		}
		return sum
	}
	switch beta {
	case 0:
		return kl(t, s)
	case 1:
		return kl(s, t)
	}
	m := make([]float64, len(s))
	for v := range m {
		m[v] = math.Log(beta*math.Exp(t[v]) + (1-beta)*math.Exp(s[v]))
	}
	return beta*kl(t, m) + (1-beta)*kl(s, m)
}

var betas = []float64{0, 0.1, 0.5, 0.9, 1}

func TestJSDGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, beta := range betas {
		for _, spread := range []float64{0.3, 1, 5} {
			const n = 6
			student, teacher := make([]float32, n), make([]float32, n)
			for i := range student {
				student[i], teacher[i] = float32(spread*rng.NormFloat64()), float32(spread*rng.NormFloat64())
			}
			scaled := widen(teacher)
			floats.Scale(1/1.5, scaled)
			objective := func(x []float64) float64 {
				z := append([]float64{}, x...)
				floats.Scale(1/1.5, z)
				return 3 * jsd(beta, z, scaled)
			}
			value, grad := make([]float64, 1), make([]float32, n)
			require.NoError(t, rloo.JSD{Beta: beta, Temperature: 1.5}.Eval(value, grad, student, teacher, []float64{3}, n))
			assert.InDelta(t, objective(widen(student))/3, value[0], 1e-13)
			assert.InDeltaSlice(t, gradient(widen(student), objective), widen(grad), 1e-6)

			only := make([]float64, 1)
			require.NoError(t, rloo.JSD{Beta: beta, Temperature: 1.5}.Eval(only, nil, student, teacher, nil, n))
			assert.Equal(t, value, only, "without a gradient, whatever the weight")
			inPlace := append([]float32{}, student...)
			require.NoError(t, rloo.JSD{Beta: beta, Temperature: 1.5}.Eval(only, inPlace, inPlace, teacher, []float64{3}, n))
			assert.Equal(t, grad, inPlace)
		}
	}
}

// Close distributions: for logits (0, 0) and (δ, 0) every divergence is δ²/8 to fourth order,
// times β(1−β) inside, where the obvious formula has no digit left.
func TestJSDNearEqual(t *testing.T) {
	logit := float32(1.1e-6)
	delta := float64(logit)
	for _, beta := range betas {
		want := delta * delta / 8
		if beta > 0 && beta < 1 {
			want *= beta * (1 - beta)
		}
		value, grad := make([]float64, 1), make([]float32, 2)
		require.NoError(t, rloo.JSD{Beta: beta}.Eval(value, grad, []float32{0, 0}, []float32{logit, 0}, nil, 2))
		assert.InEpsilon(t, want, value[0], 1e-9, "β = %v", beta)
		assert.InEpsilon(t, -2*want/delta, float64(grad[0]), 1e-5)
		if beta > 0 {
			naive := jsd(beta, []float64{0, 0}, []float64{delta, 0})
			assert.Greater(t, math.Abs(naive-want), 1e-6*want, "the check accepts the obvious formula")
		}
		require.NoError(t, rloo.JSD{Beta: beta}.Eval(value, grad, []float32{0.1, 7, -3}[:2], []float32{0.1, 7}, nil, 2))
		assert.Zero(t, value[0])
		assert.Equal(t, []float32{0, 0}, grad)
	}
}

// Defects 4 and 20: logits of ±10⁴ and of −Inf.
func TestJSDExtremes(t *testing.T) {
	ninf := float32(math.Inf(-1))
	eval := func(beta float64, student, teacher []float32) (float64, []float32, error) {
		value, grad := make([]float64, 1), make([]float32, len(student))
		err := rloo.JSD{Beta: beta}.Eval(value, grad, student, teacher, nil, len(student))
		return value[0], grad, err
	}
	for _, beta := range betas {
		v, g, err := eval(beta, []float32{1, ninf, 2}, []float32{1.5, ninf, 2})
		require.NoError(t, err)
		w, h, err := eval(beta, []float32{1, 2}, []float32{1.5, 2})
		require.NoError(t, err)
		assert.Equal(t, w, v, "excluded by both: as if it were not there")
		assert.Equal(t, []float32{h[0], 0, h[1]}, g)

		v, g, err = eval(beta, []float32{1e4, -1e4}, []float32{-1e4, 1e4})
		require.NoError(t, err)
		if beta == 0 || beta == 1 {
			assert.Equal(t, 2e4, v)
		} else {
			assert.InDelta(t, -beta*math.Log(beta)-(1-beta)*math.Log1p(-beta), v, 1e-15, "disjoint: the entropy of β")
		}
		for _, x := range g {
			assert.False(t, math.IsNaN(float64(x)))
		}
		if beta > 0 && beta < 1 {
			v, _, err = eval(beta, []float32{0, ninf}, []float32{ninf, 0})
			require.NoError(t, err)
			assert.InDelta(t, -beta*math.Log(beta)-(1-beta)*math.Log1p(-beta), v, 1e-15)
		}
	}
	v, g, err := eval(0, []float32{0, ninf}, []float32{0, 0})
	require.NoError(t, err, "the forward KL is infinite, its derivative S − T is not")
	assert.Equal(t, math.Inf(1), v)
	assert.Equal(t, []float32{0.5, -0.5}, g)
	v, _, err = eval(1, []float32{0, 0}, []float32{0, ninf})
	assert.EqualError(t, err, "rloo: row 0: derivative 0 is -Inf")
	assert.Equal(t, math.Inf(1), v)
	value := []float64{0}
	require.NoError(t, rloo.JSD{Beta: 1}.Eval(value, nil, []float32{0, 0}, []float32{0, ninf}, nil, 2))
	assert.Equal(t, math.Inf(1), value[0])
	v, _, err = eval(1, []float32{0, ninf}, []float32{0, 0})
	require.NoError(t, err)
	assert.InDelta(t, math.Ln2, v, 1e-15)
}

func TestJSDErrors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	value, grad := make([]float64, 2), make([]float32, 4)
	ok := []float32{0, 1, 2, 3}
	eval := func(j rloo.JSD, student, teacher []float32, w []float64) error {
		return j.Eval(value, grad, student, teacher, w, 2)
	}
	assert.EqualError(t, eval(rloo.JSD{Beta: -0.1}, ok, ok, nil), "rloo: JSD.Beta = -0.1, must be in [0, 1]")
	assert.EqualError(t, eval(rloo.JSD{Beta: math.NaN()}, ok, ok, nil), "rloo: JSD.Beta = NaN, must be in [0, 1]")
	assert.EqualError(t, eval(rloo.JSD{Temperature: -1}, ok, ok, nil), "rloo: JSD.Temperature = -1, must be positive and finite, or 0 for 1")
	assert.ErrorContains(t, eval(rloo.JSD{Temperature: math.Inf(1)}, ok, ok, nil), "rloo: JSD.Temperature = +Inf")
	assert.EqualError(t, eval(rloo.JSD{}, []float32{0, 1, 2, nan}, ok, nil), "rloo: row 1 of the student: logit 1 is NaN")
	assert.EqualError(t, eval(rloo.JSD{}, ok, []float32{inf, 1, 2, 3}, nil), "rloo: row 0 of the teacher: logit 0 is +Inf")
	assert.EqualError(t, eval(rloo.JSD{}, []float32{-inf, -inf, 2, 3}, ok, nil), "rloo: row 0 of the student: all 2 logits are -Inf")
	assert.EqualError(t, eval(rloo.JSD{}, ok, ok, []float64{1, math.NaN()}), "rloo: w[1] = NaN, must be finite")
	// Defect 9: padding is not read.
	value[1], grad[2], grad[3] = 9, 9, 9
	require.NoError(t, eval(rloo.JSD{Beta: 0.5}, []float32{0, 1, nan, nan}, []float32{1, 1, nan, inf}, []float64{1, 0}))
	assert.Zero(t, value[1])
	assert.Equal(t, []float32{0, 0}, grad[2:])
	assert.NotZero(t, grad[0])
	value[1] = 9
	require.NoError(t, rloo.JSD{}.Eval(value, nil, ok, ok, []float64{1, 0}, 2))
	assert.Zero(t, value[1])

	value[0], grad[0] = 9, 9
	require.NoError(t, rloo.JSD{Beta: 0.5}.Eval(value[:1], grad[:1], ok[:1], ok[1:2], nil, 1), "a vocabulary of one")
	assert.Zero(t, value[0])
	assert.Zero(t, grad[0])

	for name, f := range map[string]func(){
		"student": func() { _ = eval(rloo.JSD{}, ok[:3], ok, nil) },
		"teacher": func() { _ = eval(rloo.JSD{}, ok, ok[:2], nil) },
		"weights": func() { _ = eval(rloo.JSD{}, ok, ok, []float64{1}) },
		"grad":    func() { _ = rloo.JSD{}.Eval(value, grad[:2], ok, ok, nil, 2) },
		"vocab":   func() { _ = rloo.JSD{}.Eval(nil, nil, nil, nil, nil, 0) },
	} {
		assert.PanicsWithValue(t, "rloo: slices of different lengths", f, name)
	}
}
