package sampler_test

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/sampler"
)

// ∫₀¹ n·u^(n−1)·log(n·u^(n−1)) du by the trapezoid rule, after u = s² to tame the ends.
func TestBestOfNKL(t *testing.T) {
	for _, n := range []float64{1, 1.5, 2, 4, 17} {
		const steps = 200000
		want := 0.0
		for i := 1; i <= steps; i++ {
			s := float64(i) / steps
			w := n * math.Pow(s*s, n-1)
			f := 2 * s * w * math.Log(w)
			if i == steps {
				f /= 2
			}
			want += f / steps
		}
		assert.InDelta(t, want, sampler.BestOfNKL(n), 1e-8, "n = %v", n)
	}
	// Near 1, with 300 bits: log(1+d) − d/(1+d), the logarithm by its series.
	for _, d := range []float64{1e-9, 1e-5, 0.0099, 0.0101} {
		x := new(big.Float).SetPrec(300).SetFloat64((1 + d) - 1)
		power, log := new(big.Float).Copy(x), new(big.Float).SetPrec(300)
		for j := int64(1); j < 60; j++ {
			log.Add(log, new(big.Float).Quo(power, new(big.Float).SetPrec(300).SetInt64(j)))
			power.Mul(power, x).Neg(power)
		}
		log.Sub(log, new(big.Float).Quo(x, new(big.Float).Add(x, big.NewFloat(1).SetPrec(300))))
		want, _ := log.Float64()
		assert.InEpsilon(t, want, sampler.BestOfNKL(1+d), 1e-12, "d = %v", d)
	}
	assert.Zero(t, sampler.BestOfNKL(1))
	assert.Panics(t, func() { sampler.BestOfNKL(0.5) })
}

func TestNForKL(t *testing.T) {
	for _, kl := range []float64{0, 1e-12, 0.3, 2, 20, 600} {
		n, err := sampler.NForKL(kl)
		require.NoError(t, err)
		// A relative error of 2⁻⁵² in n makes one of (1 − 1/n)·2⁻⁵² in the KL.
		assert.InDelta(t, kl, sampler.BestOfNKL(n), 1e-13*max(1, kl)*min(1, n-1)+1e-30, "%v", kl)
	}
	for _, kl := range []float64{-1, nan, math.Inf(1), 1000} {
		_, err := sampler.NForKL(kl)
		assert.Error(t, err)
	}
}

func TestBetaForKL(t *testing.T) {
	// Two draws, rewards 0 and 1: w = σ(1/β).
	beta := 0.4
	p := 1 / (1 + math.Exp(-1/beta))
	kl := math.Log(2) + p*math.Log(p) + (1-p)*math.Log(1-p)
	got, err := sampler.BetaForKL([]float64{0, 1}, 2, kl)
	require.NoError(t, err)
	assert.InEpsilon(t, beta, got, 1e-12)
	// Shift and scale of rewards; a prompt without differences halves the mean.
	got, err = sampler.BetaForKL([]float64{1e3, 1e3 - 2, 5, 5}, 2, kl/2)
	require.NoError(t, err)
	assert.InEpsilon(t, 2*beta, got, 1e-12)
	// Ties at the top bound what can be reached.
	_, err = sampler.BetaForKL([]float64{1, 1, 0, 0}, 4, 0.7)
	assert.EqualError(t, err, "sampler: a KL of 0.7, must be positive and below 0.6931471805599453, the most that these rewards can give")
	got, err = sampler.BetaForKL([]float64{1, 1, 0, 0}, 4, 0.69)
	require.NoError(t, err)
	assert.Greater(t, got, 0.0)
	// At the edge of what can be reached, all but the best weigh next to nothing.
	got, err = sampler.BetaForKL([]float64{0, 1}, 2, math.Nextafter(math.Log(2), 0))
	require.NoError(t, err)
	assert.InDelta(t, 1.0/40, got, 0.01)
	// Small divergences, where KL = Var(r)/(2β²)·(1 + O(1/β)) is the difference of nearly equal
	// numbers.
	for _, kl := range []float64{1e-12, 1e-18, 1e-100, 1e-300} {
		got, err = sampler.BetaForKL([]float64{1e3, 1e3 + 1, 1e3 + 1, 1e3 + 2}, 4, kl)
		require.NoError(t, err)
		assert.InEpsilon(t, math.Sqrt(0.25/kl), got, 1e-11)
	}
	_, err = sampler.BetaForKL([]float64{-1e308, 1e308}, 2, 0.1)
	assert.EqualError(t, err, "sampler: rewards from -1e+308 to 1e+308, whose differences overflow")
	for _, kl := range []float64{0, -1, nan} {
		_, err = sampler.BetaForKL([]float64{0, 1}, 2, kl)
		assert.Error(t, err)
	}
	_, err = sampler.BetaForKL([]float64{0, 1, 2, nan}, 2, 0.1)
	assert.EqualError(t, err, "sampler: reward[3] = NaN, must be finite")
	assert.Panics(t, func() { _, _ = sampler.BetaForKL([]float64{1, 2, 3}, 2, 0.1) })
}

// In the limit of many reference draws the weights are the true density ratio: their mean is 1
// and they give the expectation under best-of-n.
func TestBestOfNWeights(t *testing.T) {
	const m = 4000
	ref, reward := make([]float64, m), make([]float64, m)
	for i := range ref {
		ref[i], reward[i] = float64(i), float64(i)+0.5
	}
	dst := make([]float64, m)
	for _, n := range []float64{1, 2, 4.5} {
		require.NoError(t, sampler.BestOfNWeights(dst, reward, ref, n))
		mean, second := 0.0, 0.0
		for i, w := range dst {
			mean += w / m
			second += w * reward[i] / m / m
		}
		assert.InDelta(t, 1, mean, 5.0/m)
		assert.InDelta(t, n/(n+1), second, 5.0/m, "E[max of n uniform numbers]")
	}
	require.NoError(t, sampler.BestOfNWeights(dst[:3], []float64{0, 1, 2}, []float64{1, 1}, 3))
	assert.Equal(t, []float64{0, 3 * 0.25, 3}, dst[:3], "mid-ranks")
	require.NoError(t, sampler.BestOfNWeights(dst[:1], []float64{0}, []float64{1}, 1))
	assert.Equal(t, 1.0, dst[0], "the best of one is the reference")

	// The stated bias, by enumeration of the ranks of m draws.
	const F, n, draws = 0.6, 4, 30
	exact := 0.0
	for k := 0; k <= draws; k++ {
		var c big.Int
		choose, _ := new(big.Float).SetInt(c.Binomial(draws, int64(k))).Float64()
		exact += choose * math.Pow(F, float64(k)) * math.Pow(1-F, float64(draws-k)) * n * math.Pow(float64(k)/draws, n-1)
	}
	bias := n * (n - 1) * (n - 2) / 2 * math.Pow(F, n-2) * (1 - F) / draws
	assert.InDelta(t, exact-n*math.Pow(F, n-1), bias, 0.05*bias)

	assert.EqualError(t, sampler.BestOfNWeights(dst[:1], []float64{1}, []float64{1}, 0.5), "sampler: n is 0.5, must be at least 1 and finite")
	assert.EqualError(t, sampler.BestOfNWeights(dst[:1], []float64{nan}, []float64{1}, 2), "sampler: reward[0] = NaN")
	assert.EqualError(t, sampler.BestOfNWeights(dst[:1], []float64{1}, []float64{1, nan}, 2), "sampler: ref[1] = NaN")
	assert.Panics(t, func() { _ = sampler.BestOfNWeights(dst[:1], []float64{1}, nil, 2) })
}

// Reward and WinRate are unbiased: enumerated over all draws from a distribution with ties.
func TestEstimateBestOfN(t *testing.T) {
	p, r := []float64{0.2, 0.5, 0.3}, []float64{-1, 0.5, 4}
	const n, size = 3, 6
	cdf := []float64{0, 0.2, 0.7, 1}
	wantReward, wantWin := 0.0, 0.0
	for a := range p {
		best := math.Pow(cdf[a+1], n) - math.Pow(cdf[a], n)
		wantReward += best * r[a]
		wantWin += best * (cdf[a] + p[a]/2)
	}
	gotReward, gotWin, total := 0.0, 0.0, 0.0
	reward := make([]float64, size)
	for code := range 729 {
		prob := 1.0
		for i, c := 0, code; i < size; i, c = i+1, c/3 {
			reward[i] = r[c%3]
			prob *= p[c%3]
		}
		b, err := sampler.EstimateBestOfN(reward, n)
		require.NoError(t, err)
		gotReward, gotWin, total = gotReward+prob*b.Reward, gotWin+prob*b.WinRate, total+prob
		require.LessOrEqual(t, b.KL, sampler.BestOfNKL(n))
		require.GreaterOrEqual(t, b.KL, 0.0)
	}
	require.InDelta(t, 1, total, 1e-12)
	assert.InDelta(t, wantReward, gotReward, 1e-12)
	assert.InDelta(t, wantWin, gotWin, 1e-12)

	// Draws as a distribution: half 0, half 1, best of two.
	b, err := sampler.EstimateBestOfN([]float64{0, 1, 1, 0}, 2)
	require.NoError(t, err)
	assert.InDelta(t, 0.25*math.Log(0.5)+0.75*math.Log(1.5), b.KL, 1e-15)
	b, err = sampler.EstimateBestOfN([]float64{2, 2, 2}, 2)
	require.NoError(t, err)
	assert.Equal(t, sampler.BestOfN{Reward: 2, WinRate: 0.5}, b)
	// Without ties the win rate is n/(n+1), whatever the rewards are.
	many := make([]float64, 500)
	for i := range many {
		many[i] = math.Sin(float64(i))
	}
	b, err = sampler.EstimateBestOfN(many, 4)
	require.NoError(t, err)
	assert.InDelta(t, 0.8, b.WinRate, 1e-12)
	assert.InDelta(t, sampler.BestOfNKL(4), b.KL, 0.02)
	for _, bad := range []struct {
		reward []float64
		n      int
	}{{[]float64{1, 2}, 2}, {[]float64{1, 2}, 0}, {[]float64{1, nan, 2}, 1}} {
		_, err = sampler.EstimateBestOfN(bad.reward, bad.n)
		assert.Error(t, err)
	}
}
