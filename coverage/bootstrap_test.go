package coverage_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"

	"github.com/prefgrad/prefgrad/coverage"
)

// clustered makes samples of π_ref with log-ratios that share an offset per prompt.
func clustered(rng *rand.Rand, prompts, k int, between, within float64) coverage.Batch {
	var b coverage.Batch
	for i, l := range clusters(rng, prompts, k, 0, between, within) {
		b.Prompt = append(b.Prompt, rng.Uint64()|uint64(1)<<63)
		if i%k > 0 {
			b.Prompt[i] = b.Prompt[i-1]
		}
		b.LogP = append(b.LogP, l-10)
		b.LogRef = append(b.LogRef, -10)
	}
	return b
}

// The standard error is that of a ratio of sums over prompts, which has a closed form; that
// of independent samples would be half of it.
func TestBootstrapStandardError(t *testing.T) {
	const prompts, k = 400, 8
	law(t, "clustered standard error", 4, -0.5, func(rng *rand.Rand, err float64) bool {
		b := clustered(rng, prompts, k, 0.3, 0.3)
		m := moments(t, coverage.FromRef, 400)
		require.NoError(t, m.Add(b))
		means := make([]float64, prompts)
		for i := range b.LogP {
			means[i/k] += math.Exp(b.LogP[i]-b.LogRef[i]) / k
		}
		mean, sd := stat.MeanStdDev(means, nil)
		want := sd / math.Sqrt(prompts) / mean // of the logarithm
		got := m.LogMean(1)
		return near(got.Value, math.Log(mean), 1e-12) && math.Abs(got.SE*(1+err)/want-1) < 0.15 &&
			math.Abs(got.Hi-got.Value-1.96*want) < 0.5*want && math.Abs(got.Lo-got.Value+1.96*want) < 0.5*want
	})
}

// The band holds the whole profile in about 19 of 20 samples.
func TestProfileBandHoldsTheProfile(t *testing.T) {
	const repeats, prompts = 150, 150
	held := 0
	rng := rand.New(rand.NewPCG(8, 8))
	for range repeats {
		h := histogram(t, coverage.HistogramConfig{Lo: -4, Hi: 4, Bins: 32, Replicates: 100})
		require.NoError(t, h.Add(clustered(rng, prompts, 4, 0.8, 0.6))) // ℓ is N(0, 1)
		inside := true
		for _, p := range h.Profile() {
			truth := 0.5 * math.Erfc(p.LogN/math.Sqrt2)
			inside = inside && p.Lo <= truth && truth <= p.Hi
		}
		if inside {
			held++
		}
	}
	// Three standard errors of the frequency are 0.053.
	assert.InDelta(t, 0.94, float64(held)/repeats, 0.06)
}

// The frequencies of the weights are those of Poisson(1), independent between replicates and
// prompts: seen through the histogram, whose replicates count.
func TestPoissonWeights(t *testing.T) {
	const prompts = 20000

	// Half of the prompts have ℓ = 1. In a replicate that share is a ratio of two
	// independent Poisson sums, with standard deviation 1/(2√n).
	b := coverage.Batch{Prompt: make([]uint64, prompts), LogP: make([]float64, prompts), LogRef: make([]float64, prompts)}
	for i := range prompts {
		b.Prompt[i] = uint64(i) // consecutive ids must do
		b.LogRef[i] = -float64(i & 1)
	}
	m := moments(t, coverage.FromRef, 300)
	require.NoError(t, m.Add(b))
	e := math.E
	mean, sd := (1+e)/2, (e-1)/2
	assert.InEpsilon(t, sd/math.Sqrt(prompts)/mean, m.LogMean(1).SE, 0.12)
	// Names as ids: distinct, and spread over all bits.
	seen := map[uint64]bool{}
	high := 0
	for i := range 1000 {
		id := coverage.PromptID(string(rune('a' + i)))
		seen[id] = true
		high += int(id >> 63)
	}
	assert.Len(t, seen, 1000)
	assert.InDelta(t, 500, high, 60)
}

// k1 has the standard error of KLEstimator where prompts stand together; a prompt that comes
// back counts once.
func TestPromptKLIsKLEstimator(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	l := clusters(rng, 50, 4, 1, 1, 1)
	var want coverage.KLEstimator
	add(t, &want, l, 4)
	var b coverage.Batch
	for i, v := range l {
		b.Prompt, b.LogP, b.LogRef = append(b.Prompt, uint64(i/4)), append(b.LogP, v-9), append(b.LogRef, -9)
	}
	rng.Shuffle(len(l), func(i, j int) {
		b.Prompt[i], b.Prompt[j] = b.Prompt[j], b.Prompt[i]
		b.LogP[i], b.LogP[j] = b.LogP[j], b.LogP[i]
	})
	var kl coverage.PromptKL
	require.NoError(t, kl.Add(b))
	got, k3 := kl.Result()
	assert.InEpsilon(t, want.Result().Value, got.Value, 1e-13)
	assert.InEpsilon(t, want.Result().SE, got.SE, 1e-13)
	assert.Equal(t, 50, got.N)
	assert.Positive(t, k3.SE)
	worst := kl.Worst(3)
	assert.True(t, len(worst) == 3 && worst[0].K1 >= worst[1].K1 && worst[1].K1 >= worst[2].K1 && worst[0].N == 4)
	lo, hi := coverage.Estimate{Value: 1, SE: 2, N: 5}.Interval(0.95)
	assert.InDelta(t, 1-2*2.7764451, lo, 1e-6) // t₄ at 0.975
	assert.InDelta(t, 1+2*2.7764451, hi, 1e-6)
	lo, _ = coverage.Estimate{N: 1}.Interval(0.95)
	assert.True(t, math.IsNaN(lo))
}

func TestHistogramByHand(t *testing.T) {
	h := histogram(t, coverage.HistogramConfig{Lo: 0, Hi: 1, Bins: 4})
	b := coverage.Batch{Prompt: make([]uint64, 8), LogRef: make([]float64, 8), LogP: []float64{-0.1, 0, 0.2, 0.25, 0.3, 0.99, 1, 50}}
	require.NoError(t, h.Add(b))
	below, bins, above := h.Counts()
	assert.Equal(t, []uint64{1, 2, 2, 0, 1, 2}, append([]uint64{below}, append(bins, above)...))
	assert.Equal(t, []float64{0, 0.25, 0.5, 0.75, 1}, h.Edges())
	var profile []float64
	for _, p := range h.Profile() {
		profile = append(profile, p.P)
	}
	assert.Equal(t, []float64{7. / 8, 5. / 8, 3. / 8, 3. / 8, 2. / 8}, profile)
	for _, c := range [][3]float64{{0.125, -inf, 0}, {0.2, 0, 0.25}, {0.5, 0.25, 0.5}, {0.75, 0.75, 1}, {1, 1, inf}} {
		lo, hi := h.Quantile(c[0])
		assert.Equal(t, c[1:], []float64{lo, hi}, c)
	}
	assert.Equal(t, 8, h.N())
	// Edges that are no binary fractions: every ℓ is in the bin that says so.
	h = histogram(t, coverage.HistogramConfig{Lo: -0.1, Hi: 0.7, Bins: 7})
	for i, edge := range h.Edges()[:7] {
		require.NoError(t, h.Add(coverage.Batch{Prompt: []uint64{1}, LogRef: []float64{0}, LogP: []float64{edge}}))
		_, bins, _ := h.Counts()
		assert.Equal(t, uint64(1), bins[i])
	}
}

func TestShares(t *testing.T) {
	lo, hi := coverage.ClopperPearson(0, 10, 0.95)
	assert.True(t, lo == 0 && math.Abs(hi-(1-math.Pow(0.025, 0.1))) < 1e-12)
	lo, hi = coverage.ClopperPearson(10, 10, 0.9)
	assert.True(t, hi == 1 && math.Abs(lo-math.Pow(0.05, 0.1)) < 1e-12)
	// The limits are where the tails of the binomial distribution are 2.5%.
	const k, n = 3, 12
	lo, hi = coverage.ClopperPearson(k, n, 0.95)
	tail := func(p float64, from, to int) float64 {
		sum := 0.0
		for i := from; i <= to; i++ {
			lc, _ := math.Lgamma(n + 1)
			la, _ := math.Lgamma(float64(i) + 1)
			lb, _ := math.Lgamma(float64(n-i) + 1)
			sum += math.Exp(lc-la-lb) * math.Pow(p, float64(i)) * math.Pow(1-p, float64(n-i))
		}
		return sum
	}
	assert.InDelta(t, 0.025, tail(lo, k, n), 1e-10)
	assert.InDelta(t, 0.025, tail(hi, 0, k), 1e-10)
	assert.InDelta(t, math.Sqrt(ln(40)/200), coverage.DKW(100, 0.95), 1e-15)
	assert.Panics(t, func() { coverage.ClopperPearson(3, 2, 0.9) })
	assert.Panics(t, func() { coverage.DKW(0, 0.9) })
	assert.Panics(t, func() { coverage.DKW(1, 1) })
}
