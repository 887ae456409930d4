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

func TestLogAddExp(t *testing.T) {
	g := rand.New(rand.NewPCG(3, 4))
	for _, spread := range []float64{0, 1e-9, 1, 30, 300} {
		for _, shift := range []float64{0, -5, 200, -200} {
			a, b := shift+spread*g.NormFloat64(), shift+spread*g.NormFloat64()
			sum := new(big.Float).SetPrec(oracle.Bits).Add(oracle.Exp(oracle.New(a)), oracle.Exp(oracle.New(b)))
			want := oracle.Round(oracle.Log(sum))
			assert.InDelta(t, want, LogAddExp(a, b), 1e-15*max(1, math.Abs(a), math.Abs(b)), "%v %v", a, b)
		}
	}
	nan := math.NaN()
	for _, c := range [][3]float64{{-inf, -inf, -inf}, {inf, inf, inf}, {0, nan, nan}, {inf, nan, nan}, {nan, -inf, nan},
		{1e4, 1e4, 1e4 + math.Ln2}, {-1e4, -1e4, -1e4 + math.Ln2}, {-inf, 3, 3}} {
		same(t, c[2], LogAddExp(c[0], c[1]))
		same(t, c[2], LogAddExp(c[1], c[0]))
	}
}

func TestXMulLog(t *testing.T) {
	assert.Zero(t, XMulLog(0, -inf))
	assert.Zero(t, XMulLog(0, inf))
	assert.Equal(t, -inf, XMulLog(1e-300, -inf))
	assert.Equal(t, -1.5, XMulLog(0.5, -3))
	same(t, math.NaN(), XMulLog(math.NaN(), -1))
}
