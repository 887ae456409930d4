package coverage_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/sampler"
)

// The numbers of arviz.psislw.
func TestPSISGolden(t *testing.T) {
	var cases []struct {
		Name           string
		LogW, Smoothed []jsonnum.Float
		K              jsonnum.Float
		LogESS         float64
	}
	golden(t, "psis.json", &cases)
	require.Greater(t, len(cases), 35)
	var s coverage.PSIS // one workspace for all
	for _, c := range cases {
		logw, smoothed := make([]float64, len(c.LogW)), make([]float64, len(c.LogW))
		for i, v := range c.LogW {
			logw[i] = float64(v)
		}
		p, err := s.Smooth(smoothed, logw)
		require.NoError(t, err, c.Name)
		relative(t, float64(c.K), p.K, 1e-12, c.Name)
		assert.InDelta(t, c.LogESS, -logSumSquares(smoothed), 1e-12, c.Name)
		// Which of equal weights gets which quantile is left open: compare in sorted order.
		want, got := make([][2]float64, len(c.Smoothed)), make([][2]float64, len(c.Smoothed))
		for i, v := range c.Smoothed {
			want[i], got[i] = [2]float64{logw[i], float64(v)}, [2]float64{logw[i], smoothed[i]}
		}
		order := func(a, b [2]float64) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }
		slices.SortFunc(want, order)
		slices.SortFunc(got, order)
		for i := range want {
			assert.True(t, near(want[i][1], got[i][1], 1e-12), "%s: %v, want %v", c.Name, got[i], want[i])
		}
		aliased, err := s.Smooth(logw, logw)
		require.NoError(t, err)
		assert.Equal(t, p.K, aliased.K)
		assert.Equal(t, smoothed, logw)
	}
}

func logSumSquares(logw []float64) float64 {
	twice := make([]float64, len(logw))
	floats.AddScaled(twice, 2, logw)
	return floats.LogSumExp(twice)
}

// Smoothed weights are log-ratios for sampler.Importance, which makes their mean 1.
func TestPSISForSampler(t *testing.T) {
	logw := logNormal(rand.New(rand.NewPCG(8, 1)), 500, 1.5)
	smoothed, w := make([]float64, len(logw)), make([]float64, len(logw))
	_, err := new(coverage.PSIS).Smooth(smoothed, logw)
	require.NoError(t, err)
	s, err := sampler.Importance{SelfNormalise: true}.Weights(w, smoothed)
	require.NoError(t, err)
	for i, v := range smoothed {
		relative(t, 500*math.Exp(v), w[i], 1e-12, i)
	}
	relative(t, math.Exp(-logSumSquares(smoothed)), s.ESS, 1e-12)
}

func TestTailLen(t *testing.T) {
	for n, want := range map[int]int{1: 1, 5: 1, 6: 2, 25: 5, 225: 45, 226: 46, 1000: 95, 10000: 300, 10_000_000: 9487} {
		assert.Equal(t, want, coverage.TailLen(n), n)
	}
}

func TestParetoVerdict(t *testing.T) {
	p := coverage.Pareto{K: 0.4, N: 100}
	assert.InDelta(t, 0.5, p.Threshold(), 1e-15)
	assert.True(t, p.Reliable(1))
	assert.False(t, p.Reliable(2))
	assert.False(t, p.Reliable(1.25))
	assert.Equal(t, 0.7, coverage.Pareto{N: 1e6}.Threshold())
	assert.False(t, coverage.Pareto{K: inf, N: 1e6}.Reliable(1))
	assert.False(t, coverage.Pareto{K: 0.3, N: 1}.Reliable(1))
}

func logNormal(rng *rand.Rand, n int, spread float64) []float64 {
	l := make([]float64, n)
	for i := range l {
		l[i] = spread * rng.NormFloat64()
	}
	return l
}

// k̂ does not depend on the unit of the weights; and that of w^α is about α times it.
func TestTheoryKHatScale(t *testing.T) {
	var s coverage.PSIS
	law(t, "k̂ is scale-invariant", 20, 1e-3, func(rng *rand.Rand, err float64) bool {
		l := logNormal(rng, 50+rng.IntN(500), 2)
		want, e1 := s.Smooth(nil, l)
		c := 1024 * rng.NormFloat64()
		for i := range l {
			l[i] += c + err*l[i]
		}
		got, e2 := s.Smooth(nil, l)
		return e1 == nil && e2 == nil && near(want.K, got.K, 1e-9) && near(want.Sigma, got.Sigma, 1e-9) && want.Tail == got.Tail
	})
	law(t, "k̂ recovers the shape of a Pareto distribution; k̂(w^α) = α·k̂(w)", 3, 0.5, func(rng *rand.Rand, err float64) bool {
		const n, k = 100000, 0.5
		l := make([]float64, n)
		for i := range l {
			l[i] = k * rng.ExpFloat64()
		}
		p, e1 := s.Smooth(nil, l)
		floats.Scale(2, l)
		q, e2 := s.Smooth(nil, l)
		return e1 == nil && e2 == nil && math.Abs(p.K*(1+err)-k) < 0.17 && math.Abs(q.K*(1+err)-2*k) < 0.24
	})
}

// Sharded = unsharded, to the bit, in any grouping and order.
func TestTheoryKHatSharded(t *testing.T) {
	law(t, "sharded k̂ = unsharded k̂", 20, 1, func(rng *rand.Rand, err float64) bool {
		n := 30 + rng.IntN(3000)
		l := logNormal(rng, n, 300)
		want, e := new(coverage.PSIS).Smooth(nil, l)
		var shards []*coverage.Tail
		for lo := int(err); lo < n; {
			hi := min(n, lo+1+rng.IntN(n))
			shards = append(shards, tailOf(t, n+5, l[lo:hi]))
			lo = hi
		}
		rng.Shuffle(len(shards), func(i, j int) { shards[i], shards[j] = shards[j], shards[i] })
		for _, s := range shards[1:] {
			require.NoError(t, shards[0].Merge(s))
		}
		got, e2 := shards[0].Pareto()
		one, _ := tailOf(t, n+5, l).MarshalBinary()
		merged, _ := shards[0].MarshalBinary()
		return e == nil && e2 == nil && got == want && shards[0].MaxSeen() == floats.Max(l) && string(one) == string(merged)
	})
}

func tailOf(t *testing.T, limit int, l []float64) *coverage.Tail {
	t.Helper()
	tail := coverage.NewTail(limit)
	require.NoError(t, tail.Add(l))
	return tail
}

func TestTail(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	tail := coverage.NewTail(1000)
	assert.Equal(t, -inf, tail.MaxSeen())
	_, err := tail.Pareto()
	assert.ErrorContains(t, err, "no positive weight")
	l := make([]float64, 1000)
	for i := range l {
		l[i] = float64(i)
	}
	rng.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
	require.NoError(t, tail.Add(l[:990]))
	assert.ErrorContains(t, tail.Add(l[:11]), "1001 samples, declared were at most 1000")
	assert.ErrorContains(t, tail.Add([]float64{1, math.NaN()}), "l[1] = NaN")
	assert.Equal(t, 990, tail.N())
	require.NoError(t, tail.Add(l[990:]))
	assert.ErrorContains(t, tail.Merge(tailOf(t, 1000, l[:1])), "declared")
	assert.Equal(t, 999.0, tail.Quantile(0))
	assert.Equal(t, 949.0, tail.Quantile(0.05)) // fifty are larger
	assert.True(t, math.IsNaN(tail.Quantile(0.5)) && math.IsNaN(tail.Quantile(1)) && math.IsNaN(tail.Quantile(-1)))
	assert.Panics(t, func() { _ = tail.Merge(coverage.NewTail(999)) })
	assert.Panics(t, func() { coverage.NewTail(0) })

	b, err := tail.MarshalBinary()
	require.NoError(t, err)
	var back coverage.Tail
	require.NoError(t, back.UnmarshalBinary(b))
	again, err := back.MarshalBinary()
	require.NoError(t, err)
	assert.Equal(t, b, again)
	assert.Error(t, back.UnmarshalBinary(b[:len(b)-1]))
	assert.Error(t, back.UnmarshalBinary(append(b, 0)))

	_, err = tailOf(t, 9, []float64{1, inf}).Pareto()
	assert.ErrorContains(t, err, "+Inf")
	free := coverage.NewTail(math.MaxInt32)
	assert.Zero(t, testing.AllocsPerRun(10, func() { _ = free.Add(l) }))
}

func TestPSISErrors(t *testing.T) {
	var s coverage.PSIS
	dst := []float64{1, 2}
	for _, c := range []struct {
		logw []float64
		want string
	}{
		{[]float64{0, math.NaN()}, "logw[1] = NaN"}, {[]float64{inf, 0}, "logw[0] = +Inf"}, {[]float64{-inf, -inf}, "no positive weight"},
	} {
		_, err := s.Smooth(dst, c.logw)
		assert.ErrorContains(t, err, c.want)
		assert.Equal(t, []float64{1, 2}, dst)
	}
	_, err := s.Smooth(nil, nil)
	assert.ErrorContains(t, err, "no positive weight")
	p, err := s.Smooth(dst[:1], []float64{-3})
	require.NoError(t, err)
	assert.True(t, p.K == inf && dst[0] == 0)
	assert.Panics(t, func() { _, _ = s.Smooth(dst, make([]float64, 3)) })
	l := logNormal(rand.New(rand.NewPCG(1, 1)), 1000, 1)
	out := make([]float64, len(l))
	assert.Zero(t, testing.AllocsPerRun(5, func() { _, _ = s.Smooth(out, l) }))
}
