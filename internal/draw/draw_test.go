package draw

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// random returns the log-probabilities of a distribution with some zeros and a wide
// spread.
func random(g *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	sum := 0.0
	for i := range x {
		if x[i] = math.Exp(4 * g.NormFloat64()); g.IntN(4) == 0 && i > 0 {
			x[i] = 0
		}
		sum += x[i]
	}
	for i := range x {
		x[i] = math.Log(x[i] / sum)
	}
	g.Shuffle(n, func(i, j int) { x[i], x[j] = x[j], x[i] })
	return x
}

// Equally spaced u hit every index as often as its probability says, to one.
func TestCategoricalIsExact(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 2))
	const grid = 1 << 12
	for range 50 {
		logp := random(g, 1+g.IntN(20))
		cdf := make([]float64, len(logp))
		CDF(cdf, logp)
		hits := make([]float64, len(logp))
		for i := range grid {
			u := (float64(i) + 0.5) / grid
			y := Categorical(logp, u)
			hits[y]++
			assert.Equal(t, y, Search(cdf, u))
		}
		for y, l := range logp {
			assert.LessOrEqual(t, math.Abs(hits[y]-grid*math.Exp(l)), 1+1e-9)
			if math.IsInf(l, -1) {
				assert.Zero(t, hits[y])
			}
		}
	}
}

func TestBothDrawsAgree(t *testing.T) {
	g := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		logp := random(g, 1+g.IntN(40))
		cdf := make([]float64, len(logp))
		CDF(cdf, logp)
		for _, u := range append(cdf, 0, g.Float64(), math.Nextafter(1, 0)) { // cdf: where one index ends
			for _, u := range []float64{math.Nextafter(u, 0), u, math.Nextafter(u, 1)} {
				if u >= 0 && u < 1 {
					assert.Equal(t, Categorical(logp, u), Search(cdf, u), "%v at %v", logp, u)
				}
			}
		}
	}
}

// The edges: a first or last probability of 0 is never drawn, also where rounding
// leaves a sliver above the last sum, and sums above 1 do no harm.
func TestEdges(t *testing.T) {
	inf := math.Inf(-1)
	third := math.Log(1. / 3)
	almost := math.Nextafter(1, 0)
	for _, c := range []struct {
		name string
		logp []float64
		u    float64
		want int
	}{
		{"zero first", []float64{inf, 0}, 0, 1},
		{"zero last", []float64{0, inf}, almost, 0},
		{"zeros around", []float64{inf, inf, 0, inf}, almost, 2},
		{"sliver", []float64{third, third, math.Log(1. / 3 * (1 - 1e-9)), inf}, almost, 2},
		{"sum above 1", []float64{math.Log(0.6), math.Log(0.6)}, almost, 1},
		{"underflow", []float64{0, -1e4}, almost, 0},
		{"one", []float64{0}, 0.5, 0},
		{"none", []float64{inf, inf}, 0.5, -1},
		{"empty", nil, 0.5, -1},
	} {
		assert.Equal(t, c.want, Categorical(c.logp, c.u), c.name)
		cdf := make([]float64, len(c.logp))
		CDF(cdf, c.logp)
		assert.Equal(t, c.want, Search(cdf, c.u), c.name)
	}
}

func TestUniform(t *testing.T) {
	var g rand.PCG
	sum, least, most := 0.0, 1.0, 0.0
	const n = 1 << 16
	for range n {
		u := Uniform(&g)
		sum, least, most = sum+u, min(least, u), max(most, u)
		assert.Zero(t, math.Mod(u*(1<<53), 1)) // a multiple of 2⁻⁵³
	}
	assert.InDelta(t, 0.5, sum/n, 6/math.Sqrt(12*n))
	assert.True(t, least >= 0 && least < 1e-3 && most < 1 && most > 1-1e-3)
}

func BenchmarkDraw(b *testing.B) {
	g := rand.New(rand.NewPCG(1, 2))
	logp := random(g, 64)
	cdf := make([]float64, 64)
	b.Run("Categorical", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Categorical(logp, g.Float64())
		}
	})
	b.Run("Search", func(b *testing.B) {
		b.ReportAllocs()
		CDF(cdf, logp)
		for b.Loop() {
			Search(cdf, g.Float64())
		}
	})
}
