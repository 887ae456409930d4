package coverage_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"gonum.org/v1/gonum/stat"

	"github.com/prefgrad/prefgrad/coverage"
)

func TestEmpiricalBernstein(t *testing.T) {
	// log(4/0.05) = log 80, written out.
	assert.InDelta(t, math.Sqrt(2*3*math.Log(80)/50)+7*2*math.Log(80)/(3*49), coverage.EmpiricalBernstein(50, 3, 2, 0.95), 1e-12)
	assert.InDelta(t, 7*math.Log(40)/3, coverage.EmpiricalBernstein(2, 0, 1, 0.9), 1e-12)
	for _, bad := range []func(){
		func() { coverage.EmpiricalBernstein(1, 1, 1, 0.9) },
		func() { coverage.EmpiricalBernstein(9, -1, 1, 0.9) },
		func() { coverage.EmpiricalBernstein(9, math.NaN(), 1, 0.9) },
		func() { coverage.EmpiricalBernstein(9, 1, -1, 0.9) },
		func() { coverage.EmpiricalBernstein(9, 1, 1, 1) },
	} {
		assert.Panics(t, bad)
	}
}

// TestEmpiricalBernsteinHolds estimates from samples of a reference what share of a policy is
// beyond a ratio: responses of ratios 0.8, 10 (which few samples show), and one that the
// reference never gives.
func TestEmpiricalBernsteinHolds(t *testing.T) {
	const n, width, runs = 200, 12.0, 2000
	ratio, ref := [2]float64{0.8, 10}, [2]float64{0.995, 0.005}
	beyond := 1 - ratio[0]*ref[0] - ratio[1]*ref[1] // 0.154, all of it where the reference is 0
	rng := rand.New(rand.NewPCG(1, 4))
	misses, normal := 0, 0
	x := make([]float64, n)
	for range runs {
		for i := range x {
			x[i] = ratio[0]
			if rng.Float64() < ref[1] {
				x[i] = ratio[1]
			}
		}
		mean, variance := stat.MeanVariance(x, nil)
		if math.Abs(1-mean-beyond) > coverage.EmpiricalBernstein(n, variance, width, 0.95) {
			misses++
		}
		if math.Abs(1-mean-beyond) > 1.96*math.Sqrt(variance/n) {
			normal++
		}
	}
	assert.LessOrEqual(t, misses, runs/20)
	assert.Greater(t, normal, runs/4, "the normal interval, blind to what no sample shows, does not hold here")
}
