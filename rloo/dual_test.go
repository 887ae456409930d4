package rloo_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/rloo"
)

func TestDualByHand(t *testing.T) {
	d := rloo.Dual{Budget: 0.5, Rate: 2, Lambda: 1}
	for _, c := range []struct{ kl, lambda float64 }{
		{0.75, 1.5},  // 1 + 2·(0.75 − 0.5)
		{0.5, 1.5},   // on the budget nothing moves
		{0.25, 1},    // 1.5 − 2·0.25
		{-0.25, 0},   // 1 − 2·0.75 is below 0
		{0, 0},       // and stays there
		{0.625, .25}, // until the budget is exceeded again
	} {
		require.NoError(t, d.Update(c.kl))
		assert.Equal(t, c.lambda, d.Lambda)
	}
	assert.Equal(t, rloo.Dual{Budget: 0.5, Rate: 2, Lambda: 0.25}, d)
}

func TestDualErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		dual rloo.Dual
		text string
	}{
		{rloo.Dual{Rate: 1}, "rloo: Dual.Budget = 0, must be positive and finite"},
		{rloo.Dual{Budget: -1, Rate: 1}, "rloo: Dual.Budget = -1, must be positive and finite"},
		{rloo.Dual{Budget: inf, Rate: 1}, "rloo: Dual.Budget = +Inf, must be positive and finite"},
		{rloo.Dual{Budget: nan, Rate: 1}, "rloo: Dual.Budget = NaN, must be positive and finite"},
		{rloo.Dual{Budget: 1}, "rloo: Dual.Rate = 0, must be positive and finite"},
		{rloo.Dual{Budget: 1, Rate: nan}, "rloo: Dual.Rate = NaN, must be positive and finite"},
		{rloo.Dual{Budget: 1, Rate: 1, Lambda: -1}, "rloo: Dual.Lambda = -1, must be finite and not negative"},
		{rloo.Dual{Budget: 1, Rate: 1, Lambda: nan}, "rloo: Dual.Lambda = NaN, must be finite and not negative"},
		{rloo.Dual{Budget: 1, Rate: 1, Lambda: inf}, "rloo: Dual.Lambda = +Inf, must be finite and not negative"},
	} {
		assert.EqualError(t, c.dual.Check(), c.text)
		assert.EqualError(t, c.dual.Update(1), c.text)
	}
	d := rloo.Dual{Budget: 1, Rate: 10, Lambda: 3}
	require.NoError(t, d.Check())
	for _, kl := range []float64{nan, inf, -inf, 1e308} {
		assert.ErrorContains(t, d.Update(kl), "rloo: Dual.Update: kl = ")
		assert.Equal(t, 3.0, d.Lambda)
	}
}

// kl is KL(π‖π_ref).
func (p softmax) kl(logits []float64) float64 {
	return -softmax{nil, p.ref, make([]float64, len(p.ref))}.value(logits, 1)
}

// tilted is the solution for a multiplier, π_ref·e^{r/λ}.
func (p softmax) tilted(lambda float64) []float64 {
	logits := append([]float64(nil), p.ref...)
	floats.AddScaled(logits, 1/lambda, p.reward)
	return logits
}

// Gradient ascent on E[r] − λ·KL, with λ updated after each step, ends at the budget, with
// the multiplier for which π_ref·e^{r/λ} is there.
func TestDualReachesBudget(t *testing.T) {
	const budget = 0.2
	for seed := range uint64(3) {
		p := randomSoftmax(seed, 4)
		lo, hi := 1e-2, 1e2
		require.Greater(t, p.kl(p.tilted(lo)), budget)
		for range 100 { // the KL falls as λ grows
			if mid := math.Sqrt(lo * hi); p.kl(p.tilted(mid)) > budget {
				lo = mid
			} else {
				hi = mid
			}
		}
		d := rloo.Dual{Budget: budget, Rate: 0.05}
		copy(p.logits, p.ref)
		for range 20000 {
			step(p, d.Lambda)
			require.NoError(t, d.Update(p.kl(p.logits)))
		}
		assert.InDelta(t, budget, p.kl(p.logits), 1e-9)
		assert.InEpsilon(t, lo, d.Lambda, 1e-8)
	}
}

// A budget that does not bind costs nothing: λ falls to 0 and the KL stays below.
func TestDualSlackBudget(t *testing.T) {
	p := randomSoftmax(1, 4)
	const beta = 1.5 // a regulariser of its own
	free := p.kl(p.tilted(beta))
	d := rloo.Dual{Budget: 2 * free, Rate: 0.1, Lambda: 1}
	copy(p.logits, p.ref)
	for range 20000 {
		step(p, beta+d.Lambda)
		require.NoError(t, d.Update(p.kl(p.logits)))
	}
	assert.Zero(t, d.Lambda)
	assert.InDelta(t, free, p.kl(p.logits), 1e-9)
}

// step moves the logits along the gradient of E[r] − λ·KL.
func step(p softmax, lambda float64) {
	logp, v := logSoftmax(p.logits), p.value(p.logits, lambda)
	for y, lp := range logp {
		p.logits[y] += 0.5 * math.Exp(lp) * (p.reward[y] - lambda*(lp-p.ref[y]) - v)
	}
}
