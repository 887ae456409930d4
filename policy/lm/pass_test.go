package lm_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
)

func TestForwardAgainstOracle(t *testing.T) {
	for name, c := range configs() {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, c)
			c.Seed, c.Dim, c.Order = 100, 3, 1
			other := newModel(t, c)
			b := randomTokens(1, 12, c.Vocab, 9)
			b.Mask = make([]bool, len(b.IDs))
			for i := range b.Mask {
				b.Mask[i] = i%4 != 0
			}
			ref := newOracle(other)
			want, got := newOracle(m).stats(b, &ref), newStats(len(b.IDs))
			require.NoError(t, m.Against(other.Freeze()).NewTokenPass().Forward(ctx, got, b))
			for i := range b.IDs {
				assert.InDelta(t, want.LogProb[i], got.LogProb[i], 2e-5)
				assert.InDelta(t, want.Entropy[i], got.Entropy[i], 2e-5)
				assert.InDelta(t, want.KL[i], got.KL[i], 2e-5)
				assert.InDelta(t, want.SumSq[i], got.SumSq[i], 2e-5)
			}
		})
	}
}

// The oracle is in float64, so its differences are exact enough to show the float32
// rounding of the gradient and nothing else.
func TestPullbackAgainstDifferences(t *testing.T) {
	for name, c := range configs() {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, c)
			c.Seed = 100
			other := newModel(t, c)
			b := randomTokens(2, 4, c.Vocab, 5)
			b.Mask = make([]bool, len(b.IDs))
			for i := range b.Mask {
				b.Mask[i] = i%5 != 0
			}
			g := rand.New(rand.NewPCG(3, 0))
			w := newStats(len(b.IDs))
			for i := range b.IDs {
				w.LogProb[i], w.Entropy[i], w.KL[i], w.SumSq[i] = g.NormFloat64(), g.NormFloat64(), g.NormFloat64(), g.NormFloat64()
				if !b.Mask[i] {
					w.LogProb[i] = math.NaN() // never read
				}
			}
			pass := m.Against(other.Freeze()).NewTokenPass()
			require.NoError(t, pass.Forward(ctx, policy.TokenStats{LogProb: newStats(len(b.IDs)).LogProb}, b))
			require.NoError(t, pass.Pullback(ctx, w))
			o, ref := newOracle(m), newOracle(other)
			largest := 0.0
			for _, v := range m.Grad() {
				largest = max(largest, math.Abs(v))
			}
			for i := range o.theta {
				if len(o.theta) > 1000 && g.IntN(len(o.theta)) > 25 {
					continue // a sample of a large model is enough
				}
				const h = 1e-4
				at := func(d float64) float64 {
					keep := o.theta[i]
					defer func() { o.theta[i] = keep }()
					o.theta[i] += d
					return dot(w, o.stats(b, &ref), b)
				}
				want := (at(h) - at(-h)) / (2 * h)
				require.InDelta(t, want, m.Grad()[i], 2e-6*largest+2e-5*math.Abs(want), "parameter %d", i)
			}
		})
	}
}
