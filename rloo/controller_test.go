package rloo_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/rloo"
)

// verl and OpenRLHF, executed: they multiply by 1 + x where this multiplies by e^x, so that
// the two differ by x − log(1 + x) in the logarithm, where 1 + x is positive at all.
func TestAdaptiveAgainstPeers(t *testing.T) {
	for _, c := range readKL(t).Adaptive {
		require.Equal(t, c.Verl, c.OpenRLHF)
		a := rloo.Adaptive{Target: c.Target, Rate: c.Rate, Coef: c.Init}
		excess, clipped, last := 0.0, 0, c.Init
		for i, kl := range c.KL {
			relative := kl/c.Target - 1
			x := c.Rate * min(max(relative, -0.2), 0.2)
			if math.Abs(relative) > 0.2 {
				clipped++
			}
			require.NoError(t, a.Update(kl))
			require.Positive(t, a.Coefficient())
			if excess += x - math.Log1p(x); !math.IsNaN(excess) {
				assert.InEpsilon(t, c.Verl[i], a.Coefficient()*math.Exp(-excess), 1e-13)
			}
			if x < -1 {
				assert.Negative(t, c.Verl[i]*last, "defect 15: the sign changes there")
			}
			last = c.Verl[i]
		}
		assert.Equal(t, clipped, a.Clipped)
	}
	peer := readKL(t).Adaptive[2].Verl
	assert.Negative(t, peer[0], "the case that turns negative elsewhere")
}

func TestAdaptiveByHand(t *testing.T) {
	kl := rloo.Adaptive{Target: 2, Rate: 0.5, Clip: 0.5, Coef: 1}
	entropy := rloo.Adaptive{Target: 2, Rate: 0.5, Clip: 0.5, Coef: 1, Floor: true}
	for _, c := range []struct{ measured, log float64 }{
		{2, 0},             // on the target nothing moves
		{3, 0.25},          // +½, at the bound, which does not act
		{9, 0.5},           // +½
		{-5, 0.25},         // −½: estimates can be negative
		{1.8, 0.25 - 0.05}, // −0.1
	} {
		require.NoError(t, kl.Update(c.measured))
		require.NoError(t, entropy.Update(c.measured))
		assert.InDelta(t, c.log, math.Log(kl.Coefficient()), 1e-15)
		assert.InDelta(t, -c.log, math.Log(entropy.Coefficient()), 1e-15, "an entropy's bonus falls while there is enough")
	}
	assert.Equal(t, 2, kl.Clipped)
	free := rloo.Adaptive{Target: 1, Rate: 1, Clip: math.Inf(1), Coef: 1}
	require.NoError(t, free.Update(4))
	assert.InEpsilon(t, math.Exp(3), free.Coef, 1e-15)
	assert.Zero(t, free.Clipped)
}

// A checkpoint is the value itself.
func TestControllersResume(t *testing.T) {
	a := rloo.Adaptive{Target: 2, Rate: 0.3, Coef: 0.1}
	require.NoError(t, a.Update(5))
	text, err := json.Marshal(a)
	require.NoError(t, err)
	var b rloo.Adaptive
	require.NoError(t, json.Unmarshal(text, &b))
	require.NoError(t, a.Update(1.7))
	require.NoError(t, b.Update(1.7))
	assert.Equal(t, a, b)
}

func TestControllers(t *testing.T) {
	dual := &rloo.Dual{Budget: 1, Rate: 0.5, Lambda: 0.25}
	for _, c := range []struct {
		name        string
		c           rloo.Controller
		want, after float64
	}{
		{"fixed", rloo.Fixed(0.3), 0.3, 0.3},
		{"adaptive", &rloo.Adaptive{Target: 1, Rate: 1, Coef: 2}, 2, 2 * math.Exp(0.2)},
		{"dual", dual, 0.25, 0.75},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, c.c.Coefficient())
			require.NoError(t, c.c.Update(2))
			assert.InDelta(t, c.after, c.c.Coefficient(), 1e-15)
			for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				assert.Error(t, c.c.Update(v))
				assert.InDelta(t, c.after, c.c.Coefficient(), 1e-15)
			}
		})
	}
}

func TestControllerErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		a    rloo.Adaptive
		text string
	}{
		{rloo.Adaptive{Rate: 1, Coef: 1}, "rloo: Adaptive.Target = 0, must be positive and finite"},
		{rloo.Adaptive{Target: inf, Rate: 1, Coef: 1}, "rloo: Adaptive.Target = +Inf, must be positive and finite"},
		{rloo.Adaptive{Target: 1, Rate: -1, Coef: 1}, "rloo: Adaptive.Rate = -1, must be positive and finite"},
		{rloo.Adaptive{Target: 1, Rate: 1}, "rloo: Adaptive.Coef = 0, must be positive and finite"},
		{rloo.Adaptive{Target: 1, Rate: 1, Coef: nan}, "rloo: Adaptive.Coef = NaN, must be positive and finite"},
		{rloo.Adaptive{Target: 1, Rate: 1, Coef: 1, Clip: -0.2}, "rloo: Adaptive.Clip = -0.2, must be positive, or 0 for 0.2"},
		{rloo.Adaptive{Target: 1, Rate: 1, Coef: 1, Clip: nan}, "rloo: Adaptive.Clip = NaN, must be positive, or 0 for 0.2"},
	} {
		assert.EqualError(t, c.a.Check(), c.text)
		assert.EqualError(t, c.a.Update(1), c.text)
	}
	a := rloo.Adaptive{Target: 1, Rate: 1, Clip: inf, Coef: 1}
	assert.EqualError(t, a.Update(nan), "rloo: Adaptive.Update: measured = NaN, must be finite")
	assert.EqualError(t, a.Update(1e3), "rloo: Adaptive.Update: measured = 1000 makes Coef +Inf")
	assert.EqualError(t, a.Update(-1e3), "rloo: Adaptive.Update: measured = -1000 makes Coef 0")
	assert.Equal(t, rloo.Adaptive{Target: 1, Rate: 1, Clip: inf, Coef: 1}, a)
	assert.NoError(t, rloo.Fixed(0).Update(1), "no penalty is a coefficient, too")
	for _, f := range []rloo.Fixed{-1, rloo.Fixed(nan), rloo.Fixed(inf)} {
		assert.ErrorContains(t, f.Update(1), "rloo: Fixed = ")
	}
	assert.EqualError(t, rloo.Fixed(1).Update(nan), "rloo: Fixed.Update: measured = NaN, must be finite")
}
