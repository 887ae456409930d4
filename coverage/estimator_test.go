package coverage_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/prefgrad/prefgrad/coverage"
)

// clusters makes k values for each of n prompts, which share an offset per prompt.
func clusters(rng *rand.Rand, n, k int, mean, between, within float64) []float64 {
	l := make([]float64, 0, n*k)
	for range n {
		m := mean + between*rng.NormFloat64()
		for range k {
			l = append(l, m+within*rng.NormFloat64())
		}
	}
	return l
}

func add(t *testing.T, e *coverage.KLEstimator, l []float64, k int) {
	t.Helper()
	require.NoError(t, e.Add(l, k))
}

func TestKLEstimatorByHand(t *testing.T) {
	var e coverage.KLEstimator
	add(t, &e, []float64{1, 3, 2, 4, -1, 3}, 2)
	// Prompt means 2, 3, 1: mean 2, variance (0 + 1 + 1)/2 = 1, standard error √(1/3).
	assert.Equal(t, coverage.Estimate{Value: 2, SE: math.Sqrt(1. / 3), N: 3}, e.Result())
	// Prompts count alike, with however many samples: 2, 3, 1, 6 have mean 3 and variance
	// (1 + 0 + 4 + 9)/3.
	add(t, &e, []float64{5, 6, 7}, 3)
	r := e.Result()
	assert.Equal(t, 3.0, r.Value)
	assert.InDelta(t, math.Sqrt(14./3/4), r.SE, 1e-15)
	assert.Equal(t, 4, r.N)
}

func TestKLEstimatorFewPrompts(t *testing.T) {
	var e coverage.KLEstimator
	r := e.Result()
	assert.True(t, math.IsNaN(r.Value) && math.IsNaN(r.SE) && r.N == 0, "%v", r)
	add(t, &e, nil, 4)
	assert.Zero(t, e.Result().N)
	add(t, &e, []float64{1, 2, 3}, 3) // three samples of one prompt say nothing about prompts
	r = e.Result()
	assert.Equal(t, 2.0, r.Value)
	assert.True(t, math.IsNaN(r.SE))
	assert.Equal(t, 1, r.N)
}

func TestKLEstimatorAgainstDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		n, k      int
		mean, tol float64
	}{{2, 1, 0, 1e-13}, {10, 4, 3, 1e-13}, {1000, 3, 0.5, 1e-13}, {50, 8, 1e8, 1e-8}} { // the last: a large mean must not swallow the spread
		l := clusters(rng, c.n, c.k, c.mean, 1, 2)
		means := make([]float64, c.n)
		for i := range means {
			means[i] = stat.Mean(l[i*c.k:(i+1)*c.k], nil)
		}
		var e coverage.KLEstimator
		add(t, &e, l, c.k)
		r := e.Result()
		assert.InEpsilon(t, stat.Mean(means, nil), r.Value, 1e-13)
		assert.InEpsilon(t, stat.StdErr(stat.StdDev(means, nil), float64(c.n)), r.SE, c.tol)
		assert.Equal(t, c.n, r.N)
	}
}

// Any grouping of whole prompts into estimators gives the same result, in any order.
func TestKLEstimatorMerge(t *testing.T) {
	const n, k = 200, 3
	rng := rand.New(rand.NewPCG(2, 2))
	l := clusters(rng, n, k, 2, 1, 1)
	var whole coverage.KLEstimator
	add(t, &whole, l, k)
	want := whole.Result()
	for range 20 {
		var parts []coverage.KLEstimator
		for lo := 0; lo < n; {
			hi := min(n, lo+rng.IntN(60)) // some are empty
			var e coverage.KLEstimator
			add(t, &e, l[lo*k:hi*k], k)
			parts = append(parts, e)
			lo = hi
		}
		rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		var merged coverage.KLEstimator
		for _, e := range parts {
			merged.Merge(e)
		}
		got := merged.Result()
		assert.InEpsilon(t, want.Value, got.Value, 1e-14)
		assert.InEpsilon(t, want.SE, got.SE, 1e-13)
		assert.Equal(t, want.N, got.N)
	}
	before := whole
	whole.Merge(coverage.KLEstimator{})
	assert.Equal(t, before, whole)
}

// Nineteen in twenty intervals of two standard errors hold the mean, as they should for 30
// prompts. Taking the samples for independent would give half as many.
func TestKLEstimatorInterval(t *testing.T) {
	const mean, n, k, repeats = 0.7, 30, 8, 4000
	rng := rand.New(rand.NewPCG(3, 3))
	covered, naive := 0, 0
	for range repeats {
		l := clusters(rng, n, k, mean, 1, 0.5)
		var e coverage.KLEstimator
		add(t, &e, l, k)
		r := e.Result()
		if math.Abs(r.Value-mean) < 2*r.SE {
			covered++
		}
		if math.Abs(r.Value-mean) < 2*stat.StdErr(stat.StdDev(l, nil), n*k) {
			naive++
		}
	}
	// P(|t₂₉| < 2) = 0.9451; the standard error of the frequency is 0.0036.
	assert.InDelta(t, 0.9451, float64(covered)/repeats, 0.0108)
	assert.Less(t, float64(naive)/repeats, 0.6)
}

// Samples of a policy estimate the divergence that enumeration gives.
func TestKLEstimatorOnPolicy(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	p := []float64{0.5, 0.3, 0.2}
	q := []float64{0.2, 0.3, 0.5}
	logp, logq := make([]float64, 3), make([]float64, 3)
	for i := range p {
		logp[i], logq[i] = math.Log(p[i]), math.Log(q[i])
	}
	var e coverage.KLEstimator
	for range 5000 {
		u, y := rng.Float64(), 0
		for u > p[y] {
			u -= p[y]
			y++
		}
		add(t, &e, []float64{logp[y] - logq[y]}, 1)
	}
	r := e.Result()
	assert.InDelta(t, coverage.KL(logp, logq), r.Value, 3*r.SE)
	assert.Less(t, r.SE, 0.011) // sd(ℓ) = 0.70, over √5000
	assert.Greater(t, r.SE, 0.009)
}

func TestKLEstimatorErrors(t *testing.T) {
	for _, v := range []float64{math.NaN(), inf, -inf} {
		var e coverage.KLEstimator
		add(t, &e, []float64{1, 2}, 2)
		before := e
		err := e.Add([]float64{1, 2, 3, v}, 2)
		assert.ErrorContains(t, err, "coverage: l[3] = ")
		assert.ErrorContains(t, err, "must be finite")
		assert.Equal(t, before, e, "nothing is added")
	}
	for _, k := range []int{0, -1, 2} {
		assert.PanicsWithValue(t, "coverage: k < 1, or a length that is not a multiple of k", func() {
			new(coverage.KLEstimator).Add(make([]float64, 3), k)
		})
	}
}

func TestAllocatesNothing(t *testing.T) {
	l := make([]float64, 64)
	floats.AddConst(1, l)
	var e coverage.KLEstimator
	assert.Zero(t, testing.AllocsPerRun(50, func() {
		if e.Add(l, 4) != nil || coverage.KL(l, l) != 0 {
			t.Error("failed")
		}
		e.Merge(e)
	}))
}
