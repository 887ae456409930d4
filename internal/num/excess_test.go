package num_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/num"
	"github.com/prefgrad/prefgrad/internal/oracle"
)

// exactExcess is eˣ − 1 − x to more digits than a float64 has.
func exactExcess(x float64) float64 {
	e := oracle.Exp(oracle.New(x))
	e.Sub(e, oracle.New(1))
	v, _ := e.Sub(e, oracle.New(x)).Float64()
	return v
}

func TestExcess(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	xs := []float64{1e-300, 1e-150, 1e-9, 0.1, 0.25, 0.4999, 0.5, math.Nextafter(0.5, 1), 1, 30, 700, 709.7}
	for range 300 {
		xs = append(xs, rng.ExpFloat64()*0.3, math.Pow(10, -12*rng.Float64()))
	}
	for _, x := range xs {
		for _, x := range []float64{x, -x} {
			want := exactExcess(x)
			require.InDelta(t, 0, (num.Excess(x)-want)/max(want, 0x1p-1022), 8*0x1p-53, "x = %v", x)
			require.GreaterOrEqual(t, num.Excess(x), 0.0)
			e, _ := new(big.Float).Set(oracle.Exp(oracle.New(x))).Float64()
			require.InDelta(t, 0, (num.ExcessOf(x, e)-want)/max(want, 0x1p-1022), 12*0x1p-53, "x = %v", x)
		}
	}
	naive := func(x float64) float64 { return math.Exp(x) - 1 - x }
	assert.Greater(t, math.Abs(naive(1e-8)/exactExcess(1e-8)-1), 0.1, "the obvious formula fails this check")
}

func TestExcessLimits(t *testing.T) {
	inf := math.Inf(1)
	assert.Zero(t, num.Excess(0))
	for _, x := range []float64{710, inf, -inf} {
		assert.Equal(t, inf, num.Excess(x), "x = %v", x)
		assert.Equal(t, inf, num.ExcessOf(x, math.Exp(x)), "x = %v", x)
	}
	assert.Equal(t, 1e300, num.Excess(-1e300))
	assert.True(t, math.IsNaN(num.Excess(math.NaN())))
	assert.True(t, math.IsNaN(num.ExcessOf(math.NaN(), math.NaN())))
}
