package loss_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// plainCovariances are those of the tokens that count, and their positions.
func plainCovariances(b loss.Rollouts) (cov []float64, at []int) {
	var a, lp float64
	for i := range b.Len() {
		at = append(at, counted(b.Layout, i)...)
	}
	n := float64(len(at))
	for _, p := range at {
		a, lp = a+b.Advantage[p]/n, lp+b.LogProb[p]/n
	}
	for _, p := range at {
		cov = append(cov, (b.Advantage[p]-a)*(b.LogProb[p]-lp))
	}
	return cov, at
}

// KL-Cov's penalty is on the tokens of largest covariance, and on as many as its share says.
func TestKLCovChoice(t *testing.T) {
	b := randomRollouts(31, 40, 0.4, true, false)
	b.Weight = nil
	cov, at := plainCovariances(b)
	none, _ := evalRollouts(t, loss.KLCov{Coef: 0, Share: 1, By: loss.SumTokens}, b)
	for _, share := range []float64{1e-9, 0.01, 0.1, 0.5, 0.999, 1} {
		out, _ := evalRollouts(t, loss.KLCov{Coef: 1, Share: share, By: loss.SumTokens}, b)
		least, rest, n := inf, -inf, 0
		for j, p := range at {
			if out.LogProb[p] != none.LogProb[p] {
				within(t, math.Copysign(1, b.LogProb[p]-b.Old[p]), out.LogProb[p]-none.LogProb[p], 1e-12)
				least = min(least, cov[j])
				n++
			} else {
				rest = max(rest, cov[j])
			}
		}
		assert.Equal(t, max(1, int(share*float64(len(at)))), n, share)
		assert.Greater(t, least, rest)
	}
	// Ties: the first tokens.
	n := 7
	c := replyOf(slices.Repeat([]float64{0.5}, n), slices.Repeat([]float64{1}, n))
	out, _ := evalRollouts(t, loss.KLCov{Coef: 1, Share: 0.3, By: loss.SumTokens}, c)
	for p := range n {
		assert.InDelta(t, -math.Exp(0.5)+float64(min(1, max(0, 2-p))), out.LogProb[p], 1e-14)
	}
	c.LogProb[3] = -inf
	_, err := loss.KLCov{Coef: 1, Share: 0.3, By: loss.SumTokens}.Eval(loss.RolloutsOut{}, c)
	inputError(t, err, "LogProb", 3, -inf)
	c.LogProb[3], c.Advantage[2] = -1, math.NaN()
	_, err = loss.KLCov{Coef: 1, Share: 0.3, By: loss.SumTokens}.Eval(loss.RolloutsOut{}, c)
	inputError(t, err, "Advantage", 2, math.NaN())
}

// Clip-Cov draws without replacement, from what its bounds allow and PPO does not clip, and all
// of these equally often.
func TestClipCov(t *testing.T) {
	b := randomRollouts(32, 40, 0.4, true, false)
	cov, at := plainCovariances(b)
	c := loss.ClipCov{ClipLow: 0.2, ClipHigh: 0.2, Min: 0.1, Max: 2, Share: 0.05}
	able := map[int]bool{}
	for j, p := range at {
		rho, a := math.Exp(b.LogProb[p]-b.Old[p]), b.Advantage[p]
		if cov[j] > c.Min && cov[j] < c.Max && !(a > 0 && rho > 1.2 || a < 0 && rho < 0.8) {
			able[p] = true
		}
	}
	want := int(0.05 * float64(len(at)))
	require.Greater(t, len(able), 2*want)
	require.Greater(t, want, 3)
	g := rand.New(rand.NewPCG(5, 5))
	dst := make([]float64, len(b.LogProb))
	drawn := map[int]int{}
	const times = 2000
	for range times {
		n, err := c.Weights(dst, b, g)
		require.NoError(t, err)
		require.Equal(t, want, n)
		zeros := 0
		for _, p := range at {
			if dst[p] == 0 {
				require.True(t, able[p])
				drawn[p]++
				zeros++
			} else {
				require.Equal(t, b.Weight[p], dst[p])
			}
		}
		require.Equal(t, want, zeros)
	}
	expect := float64(times*want) / float64(len(able))
	chi := 0.0
	for p := range able {
		chi += (float64(drawn[p]) - expect) * (float64(drawn[p]) - expect) / expect
	}
	// Draws without replacement vary less than independent ones.
	k := float64(len(able))
	assert.Less(t, chi, k+5*math.Sqrt(2*k))
	for p := range dst {
		if b.LogProb[p] != b.LogProb[p] {
			assert.Zero(t, dst[p])
		}
	}
	// The same generator, the same draw; nothing to draw; weights in place.
	first, second := slices.Clone(dst), slices.Clone(dst)
	c.Weights(first, b, rand.New(rand.NewPCG(1, 1)))
	c.Weights(second, b, rand.New(rand.NewPCG(1, 1)))
	bits(t, first, second)
	n, err := loss.ClipCov{ClipLow: 0.2, ClipHigh: 0.2, Min: 1e9, Max: inf, Share: 1}.Weights(dst, b, g)
	require.NoError(t, err)
	assert.Zero(t, n)
	inPlace := b
	inPlace.Weight = slices.Clone(b.Weight)
	c.Weights(inPlace.Weight, inPlace, rand.New(rand.NewPCG(1, 1)))
	bits(t, first, inPlace.Weight)

	for param, c := range map[string]loss.ClipCov{
		"ClipCov.ClipLow": {}, "ClipCov.ClipHigh": {ClipLow: 1}, "ClipCov.Min": {ClipLow: 1, ClipHigh: 1, Share: 1, Min: math.NaN()},
		"ClipCov.Max": {ClipLow: 1, ClipHigh: 1, Share: 1, Min: 1, Max: 1}, "ClipCov.Share": {ClipLow: 1, ClipHigh: 1, Max: 1},
	} {
		_, err := c.Weights(dst, b, g)
		var bad *loss.ParamError
		require.ErrorAs(t, err, &bad, param)
		assert.Equal(t, param, bad.Param)
	}
	assert.Panics(t, func() { c.Weights(dst[:3], b, g) })
}
