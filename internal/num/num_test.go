package num

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/internal/oracle"
)

var inf = math.Inf(1)

// near asserts that got is within ulps units in the last place of want.
func near(t *testing.T, want, got, ulps float64, what string, x ...float64) {
	t.Helper()
	unit := math.Nextafter(math.Abs(want), inf) - math.Abs(want)
	assert.LessOrEqual(t, math.Abs(got-want), ulps*unit, "%s%v: %v, want %v", what, x, got, want)
}

// points are arguments from 0 to where the functions saturate, of both signs.
func points() []float64 {
	x := []float64{0, 1e-320, 1e-300, 1e-17, 1e-8, 1e-3, 0.5, 1, 2, 10, 30, 36, 37, 38, 100, 500, 708, 709.7, 710, 744, 745}
	g := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		x = append(x, 40*g.Float64())
	}
	for _, v := range x {
		x = append(x, -v)
	}
	return x
}

func TestScalars(t *testing.T) {
	one := oracle.New(1)
	for _, x := range points() {
		e := oracle.Exp(oracle.New(x))
		e1 := new(big.Float).SetPrec(oracle.Bits).Add(e, one)
		sigmoid := oracle.Round(new(big.Float).SetPrec(oracle.Bits).Quo(e, e1))
		softplus := oracle.Round(oracle.Log(e1))
		near(t, softplus, Softplus(x), 2, "softplus", x)
		near(t, -softplus, LogSigmoid(-x), 2, "log σ", -x)
		near(t, sigmoid, Sigmoid(x), 3, "σ", x)
	}
}

func TestScalarsAtInfinity(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct{ x, softplus, logSigmoid, sigmoid float64 }{
		{inf, inf, 0, 1}, {-inf, 0, -inf, 0}, {nan, nan, nan, nan},
		{1e308, 1e308, 0, 1}, {-1e308, 0, -1e308, 0},
	} {
		same(t, c.softplus, Softplus(c.x))
		same(t, c.logSigmoid, LogSigmoid(c.x))
		same(t, c.sigmoid, Sigmoid(c.x))
	}
}

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
			x := make([]float64, 1+g.IntN(6))
			for i := range x {
				x[i] = shift + spread*g.NormFloat64()
			}
			x = append(x, -inf)
			want := oracle.Round(bigLogSumExp(x))
			tol := 1e-15 * max(1, math.Abs(want))
			assert.InDelta(t, want, LogSumExp(x), tol, "%v", x)
			if len(x) > 2 {
				assert.InDelta(t, oracle.Round(bigLogSumExp(x[:2])), LogAddExp(x[0], x[1]), 1e-15*max(1, math.Abs(x[0]), math.Abs(x[1])), "%v", x[:2])
			}
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
		if len(c.x) == 2 {
			same(t, c.want, LogAddExp(c.x[0], c.x[1]))
			same(t, c.want, LogAddExp(c.x[1], c.x[0]))
		}
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

func TestXMulLog(t *testing.T) {
	assert.Zero(t, XMulLog(0, -inf))
	assert.Zero(t, XMulLog(0, inf))
	assert.Equal(t, -inf, XMulLog(1e-300, -inf))
	assert.Equal(t, -1.5, XMulLog(0.5, -3))
	same(t, math.NaN(), XMulLog(math.NaN(), -1))
}
