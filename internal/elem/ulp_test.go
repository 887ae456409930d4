package elem

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/internal/oracle"
)

// units returns the distance of got from an exact number, in units of the last place of its nearest float64.
func units(got float64, exact *big.Float) float64 {
	nearest := math.Abs(oracle.Round(exact))
	d := new(big.Float).SetPrec(oracle.Bits).Sub(oracle.New(got), exact)
	return math.Abs(oracle.Round(d)) / (math.Nextafter(nearest, math.Inf(1)) - nearest)
}

// The exponential and the logarithm of the comments of expOf and log1p, against 1,400 bits: everywhere, near 0, and where
// one entry of a table follows another.
func TestUnitsInTheLastPlace(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	worstExp, worstLog := 0.0, 0.0
	one := oracle.New(1)
	for i := range 800 {
		y := [...]float64{
			(2*rng.Float64() - 1) * Far, rng.NormFloat64(), math.Ldexp(rng.NormFloat64(), -rng.IntN(60)),
			math.Ln2 / 32 * float64(2*rng.IntN(2000)-1999) * (1 + 1e-15*rng.NormFloat64()),
		}[i%4]
		worstExp = max(worstExp, units(expOf(y), oracle.Exp(oracle.New(y))))
		e := [...]float64{
			1 - rng.Float64(), math.Ldexp(1-rng.Float64(), -rng.IntN(1000)), (float64(rng.IntN(15)) + 0.5) / 15 * (1 + 1e-15*rng.NormFloat64()), 1 - math.Ldexp(rng.Float64(), -rng.IntN(50)),
		}[i%4]
		worstLog = max(worstLog, units(log1p(e), oracle.Log(new(big.Float).SetPrec(oracle.Bits).Add(oracle.New(e), one))))
	}
	t.Logf("exp %.3f, log1p %.3f", worstExp, worstLog)
	assert.Less(t, worstExp, 1.2, "exp")
	assert.Less(t, worstLog, 2.0, "log1p")
}
