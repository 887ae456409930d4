package coverage_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// law tests a statement on random instances, and then the same statement with an error
// planted in it, which must fail: a property that accepts the error shows nothing. holds
// adds (or multiplies by 1 +) the error to the quantity that the statement is about.
func law(t *testing.T, name string, instances uint64, planted float64, holds func(rng *rand.Rand, err float64) bool) {
	t.Helper()
	caught := false
	for seed := range instances {
		assert.True(t, holds(rand.New(rand.NewPCG(seed, 17)), 0), "%s: seed %d", name, seed)
		caught = caught || !holds(rand.New(rand.NewPCG(seed, 17)), planted)
	}
	assert.True(t, caught, "%s: holds even with an error of %v planted", name, planted)
}

// near says that two numbers agree, relative to their size above 1.
func near(a, b, tol float64) bool {
	return a == b || math.Abs(a-b) <= tol*(1+math.Abs(a)+math.Abs(b))
}

// simplex returns log-probabilities of n responses.
func simplex(rng *rand.Rand, n int, spread float64) []float64 {
	logp := make([]float64, n)
	for i := range logp {
		logp[i] = spread * rng.NormFloat64()
	}
	normalize(logp)
	return logp
}
