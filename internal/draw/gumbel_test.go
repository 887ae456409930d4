package draw

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestGumbel holds quantiles of many numbers against the distribution function, and each
// number against the bits it is made of.
func TestGumbel(t *testing.T) {
	const n = 100000
	g, same := rand.NewPCG(3, 4), rand.NewPCG(3, 4)
	at := []float64{-2, -1, 0, 0.5, 1, 3}
	below := make([]float64, len(at))
	for range n {
		x := Gumbel(g)
		u := (float64(same.Uint64()>>12) + 0.5) * 0x1p-52
		assert.InDelta(t, u, math.Exp(-math.Exp(-x)), 1e-14)
		for i, a := range at {
			if x <= a {
				below[i]++
			}
		}
	}
	for i, a := range at {
		p := math.Exp(-math.Exp(-a))
		assert.InDelta(t, p, below[i]/n, 4*math.Sqrt(p*(1-p)/n), "P(G ≤ %v)", a)
	}
	// The ends are finite: the least and the greatest number that Open can return.
	for _, u := range []float64{0.5 / (1 << 52), (1<<52 - 0.5) / (1 << 52)} {
		assert.True(t, 0 < u && u < 1)
		assert.False(t, math.IsInf(math.Log(-math.Log(u)), 0))
	}
}
