package elem

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/internal/cpu"
	"github.com/prefgrad/prefgrad/internal/oracle"
)

// same asserts equality, of NaN too.
func same(t *testing.T, want, got float64) {
	t.Helper()
	assert.True(t, want == got || want != want && got != got, "%v, want %v", got, want)
}

// bigLogSumExp is the sum as it is written.
func bigLogSumExp(x []float64) *big.Float {
	s := oracle.New(0)
	for _, v := range x {
		if !math.IsInf(v, -1) {
			s.Add(s, oracle.Exp(oracle.New(v)))
		}
	}
	return oracle.Log(s)
}

func TestLogSumExp(t *testing.T) {
	g := rand.New(rand.NewPCG(3, 4))
	for _, spread := range []float64{0, 1e-9, 1, 30, 300} {
		for _, shift := range []float64{0, -5, 200, -200} {
			x := make([]float64, 1+g.IntN(20))
			for i := range x {
				x[i] = shift + spread*g.NormFloat64()
			}
			x = append(x, -inf)
			want := oracle.Round(bigLogSumExp(x))
			tol := 1e-15 * max(1, math.Abs(want))
			assert.InDelta(t, want, LogSumExp(x), tol, "%v", x)
			p := make([]float64, len(x))
			same(t, LogSumExp(x), Softmax(p, x))
			z := bigLogSumExp(x)
			logp := append([]float64(nil), x...)
			same(t, LogSumExp(x), LogNormalize(logp, logp)) // in place
			for i, v := range x[:len(x)-1] {
				l := new(big.Float).SetPrec(oracle.Bits).Sub(oracle.New(v), z)
				assert.InDelta(t, oracle.Round(l), logp[i], 2*tol, "%v", x)
				assert.InDelta(t, oracle.Round(oracle.Exp(l)), p[i], 1e-15, "%v", x)
			}
			assert.Equal(t, -inf, logp[len(x)-1])
			assert.Zero(t, p[len(x)-1])
		}
	}
}

func TestLogSumExpOfOddThings(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name string
		x    []float64
		want float64
	}{
		{"nothing", nil, -inf}, {"zeros", []float64{-inf, -inf}, -inf}, {"one", []float64{-1e300}, -1e300},
		{"infinite", []float64{0, inf, -inf}, inf}, {"two infinities", []float64{inf, inf}, inf},
		{"NaN", []float64{0, nan}, nan}, {"NaN after infinity", []float64{inf, nan}, nan}, {"NaN before zeros", []float64{nan, -inf}, nan},
		{"huge", []float64{1e4, 1e4}, 1e4 + math.Ln2}, {"tiny", []float64{-1e4, -1e4}, -1e4 + math.Ln2},
	} {
		same(t, c.want, LogSumExp(c.x))
		if !math.IsInf(c.want, 0) && c.want == c.want {
			continue
		}
		for _, f := range []func(dst, x []float64) float64{LogNormalize, Softmax} {
			dst := append([]float64(nil), c.x...)
			same(t, c.want, f(dst, dst))
			for i := range dst {
				same(t, c.x[i], dst[i]) // left as it was
			}
		}
	}
}

// The largest term and NaN are found wherever they stand, with the same bits at each level.
func TestLargest(t *testing.T) {
	defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
	g := rand.New(rand.NewPCG(10, 10))
	for n := 1; n <= 50; n++ {
		for at := range n {
			x, _ := guarded(n, g.IntN(9))
			for i := range x {
				x[i] = 30 * g.NormFloat64()
			}
			x[g.IntN(n)] = -inf
			x[at] = 200
			var z uint64
			for _, l := range cpu.Levels() {
				cpu.Best = l
				x[at] = 200
				assert.Equal(t, 200.0, Max(x), "%v: %d of %d", l, at, n)
				got := math.Float64bits(LogSumExp(x))
				if l == cpu.Go {
					z = got
				}
				assert.Equal(t, z, got, "%v: n = %d", l, n)
				x[at] = nan
				assert.True(t, math.IsNaN(Max(x)), "%v: %d of %d", l, at, n)
			}
		}
	}
}
