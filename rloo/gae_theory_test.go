package rloo_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/rloo"
)

// values is V of each prefix: the expected reward of what follows it.
func (w writer) values() []float64 {
	sum, mass := make([]float64, 7), make([]float64, 7)
	for _, r := range w.replies {
		each, _ := tokenReward(r)
		p := math.Exp(floats.Sum(r.logp(w.logits)))
		for t, c := range r.contexts {
			sum[c] += p * floats.Sum(each[t:])
			mass[c] += p
		}
	}
	floats.Div(sum, mass)
	return sum
}

// Over all replies: with γ = λ = 1 the estimate is unbiased for any value function, with
// γ = 1 and any λ for the true one; with another and λ < 1 it is not.
func TestTheoryGAE(t *testing.T) {
	w := newWriter(4)
	want := gradient(w.logits, func(logits []float64) float64 {
		return w.expect(logits, func(_ int, r reply) float64 { _, sum := tokenReward(r); return sum })
	})
	wrong := []float64{1, -2, 3, 0, 0.5, 7, -4}
	for _, c := range []struct {
		name     string
		value    []float64
		lambda   float64
		unbiased bool
	}{
		{"any value, λ = 1", wrong, 1, true},
		{"true value, λ = 0", w.values(), 0, true},
		{"true value, λ = 0.6", w.values(), 0.6, true},
		{"any value, λ = 0.9", wrong, 0.9, false},
	} {
		mean := make([]float64, len(want))
		for y, r := range w.replies {
			b := w.batch([]int{y})
			tr := rloo.Trajectories{Layout: b.layout, Reward: append([]float64(nil), b.logp...), Value: append([]float64(nil), b.logp...)}
			each, _ := tokenReward(r)
			for p, ctx := range b.contexts {
				if ctx >= 0 {
					tr.Reward[p], tr.Value[p], each = each[0], c.value[ctx], each[1:]
				}
			}
			a := make([]float64, len(b.logp))
			require.NoError(t, rloo.GAE{Gamma: 1, Lambda: c.lambda}.Eval(rloo.TokenAdvantages{Advantage: a}, tr))
			floats.AddScaled(mean, math.Exp(floats.Sum(r.logp(w.logits))), b.pullback(t, a))
		}
		if off := floats.Distance(want, mean, math.Inf(1)); c.unbiased {
			assert.Less(t, off, 1e-8, c.name)
		} else {
			assert.Greater(t, off, 1e-2, c.name)
		}
	}
}
