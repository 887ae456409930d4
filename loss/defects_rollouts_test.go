package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// Mistakes found in other implementations of policy-gradient losses, one test each;
// TestDefectRatioOverflow is in extreme_rollouts_test.go.

// A mask that multiplies lets a NaN of the padding through, since 0·NaN is NaN.
func TestDefectMaskByMultiplication(t *testing.T) {
	nan := math.NaN()
	b := loss.Rollouts{Layout: loss.Layout{Begin: []int{0, 3}, Prompt: []int{1}, Mask: []bool{true, true, false}},
		LogProb: []float64{nan, -1, nan}, Old: []float64{nan, -1, inf}, Ref: []float64{nan, -1, nan},
		Advantage: []float64{nan, 1, inf}, Weight: []float64{nan, 1, nan}, Entropy: []float64{nan, 1, nan}}
	for _, l := range policyGradients {
		out, total := evalRollouts(t, l, b)
		assert.False(t, isNaN(total.Sum, total.K1, total.K3, total.Entropy) || isNaN(out.LogProb...) || isNaN(out.Entropy...), l.name)
	}
}

// A reply of which no token counts divides by 0, or is clamped to a length of 1 and dilutes the
// mean without a word: here it adds 0, and is counted.
func TestDefectEmptyRollout(t *testing.T) {
	b := loss.Rollouts{Layout: loss.Layout{Begin: []int{0, 1, 3}, Prompt: []int{1, 0}, Mask: []bool{true, true, false}},
		LogProb: []float64{-1, -1, -1}, Old: []float64{-1, -1, -1}, Ref: []float64{-1, -1, -1}, Advantage: []float64{1, 1, 1}, Entropy: []float64{1, 1, 1}}
	for _, l := range policyGradients {
		out, total := evalRollouts(t, l, b)
		assert.False(t, isNaN(total.Sum) || isNaN(out.Loss...), l.name)
		assert.Zero(t, out.Loss[0], l.name)
		assert.Equal(t, [3]int{2, 1, 1}, [3]int{total.Sequences, total.Empty, total.Tokens}, l.name)
	}
}

// A clamp on a factor that is computed and not used: every bound changes what it bounds.
func TestDefectUnreadClamp(t *testing.T) {
	b := randomRollouts(41, 20, 1, false, true)
	for _, pair := range [][2]loss.PolicyGradient{
		{loss.CISPO{Max: 1.2}, loss.CISPO{Max: inf}},
		{loss.CISPO{Min: 0.9, Max: 1.2}, loss.CISPO{Max: 1.2}},
		{loss.GMPO{Low: 0.1, High: 1}, loss.GMPO{Low: inf, High: 1}},
		{loss.GMPO{Low: 1, High: 0.1}, loss.GMPO{Low: 1, High: inf}},
		{loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens}, loss.PPO{ClipLow: 0.2, ClipHigh: inf, By: loss.SumTokens}},
		{loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens}, loss.PPO{ClipLow: 1, ClipHigh: 0.2, By: loss.SumTokens}},
		{loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, Dual: 1.4, By: loss.SumTokens}, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens}},
	} {
		x, tx := evalRollouts(t, pair[0], b)
		y, ty := evalRollouts(t, pair[1], b)
		assert.NotEqual(t, x.LogProb, y.LogProb, pair)
		assert.Greater(t, tx.ClippedLow+tx.ClippedHigh, ty.ClippedLow+ty.ClippedHigh, pair)
	}
}

// Padding that is counted in the means of KL and entropy.
func TestDefectPaddingInMeans(t *testing.T) {
	b := randomRollouts(42, 10, 0.5, true, true)
	_, total := evalRollouts(t, loss.Reinforce{By: loss.SumTokens}, b)
	k1, k3, h, n := 0.0, 0.0, 0.0, 0
	for i := range b.Len() {
		for _, p := range counted(b.Layout, i) {
			d := b.LogProb[p] - b.Old[p]
			k1, k3, h = k1-d, k3+math.Exp(d)-1-d, h+b.Entropy[p]
			n++
		}
	}
	assert.Equal(t, n, total.Tokens)
	assert.InDelta(t, k1, total.K1, 1e-13)
	assert.InDelta(t, k3, total.K3, 1e-13)
	assert.InDelta(t, h, total.Entropy, 1e-13)
}

// A loss that divides by the size of a micro-batch depends on how a step is split: with the
// denominator of the whole step, its parts add up, even where their lengths are unequal.
func TestDefectAccumulationOfTokenMeans(t *testing.T) {
	b := randomRollouts(43, 10, 0.5, true, true)
	l := loss.DAPO{ClipLow: 0.2, ClipHigh: 0.28}
	_, whole := evalRollouts(t, l, b)
	var sum loss.RolloutsTotal
	naive := 0.0
	for _, cut := range [][2]int{{0, 1}, {1, 10}} {
		_, part := evalRollouts(t, l, rolloutsPart(b, cut[0], cut[1]))
		sum.Add(part)
		naive += part.Sum / float64(part.Tokens) / 2
	}
	want := whole.Sum / float64(whole.Tokens)
	assert.InDelta(t, want, sum.Sum/float64(sum.Tokens), 1e-14)
	assert.Greater(t, math.Abs(naive-want), 1e-3, "what the mean of means would be")
}

// 0·(−∞) in an entropy is NaN before it gets here, and is refused; the entropy of a certain
// token is 0 and fine, at a log-probability of −Inf elsewhere as well.
func TestDefectEntropyNaN(t *testing.T) {
	b := replyOf([]float64{0, 0}, []float64{1, 1})
	b.Entropy = []float64{0, math.NaN()}
	_, err := loss.EntropyBonus{Coef: 1, By: loss.SumTokens}.Eval(loss.RolloutsOut{}, b)
	inputError(t, err, "Entropy", 1, math.NaN())
	b.Entropy[1] = 0
	b.LogProb[0] = -inf
	out, total := evalRollouts(t, loss.EntropyBonus{Coef: 1, By: loss.SumTokens}, b)
	assert.Zero(t, total.Sum)
	assert.Equal(t, []float64{-1, -1}, out.Entropy)
	assert.Equal(t, []float64{0, 0}, out.LogProb)
}

// The two meanings of ε_high of CISPO: TRL's is the bound, verl's is 1 + ε_high.
func TestDefectCISPOBound(t *testing.T) {
	b := replyOf([]float64{math.Log(10)}, []float64{1})
	for _, high := range []float64{1.5, 1 + 0.28} {
		out, total := evalRollouts(t, loss.CISPO{Max: high}, b)
		assert.Equal(t, -high, out.LogProb[0])
		assert.Equal(t, 1, total.ClippedHigh)
	}
	_, err := loss.CISPO{}.Eval(loss.RolloutsOut{}, b)
	assert.Error(t, err, "no bound is an infinite one, not 0")
}

// GSPO with another aggregation than asked for: here the one that it has is the type's, and
// whoever asks for another gets it.
func TestDefectGSPOAggregation(t *testing.T) {
	b := randomRollouts(44, 10, 0.2, false, true)
	clip := loss.Clip{Low: 0.05, High: 0.05}
	mean, _ := evalRollouts(t, loss.Surrogate{Ratio: loss.GeometricRatio{}, Gain: clip, By: loss.MeanTokens}, b)
	sum, _ := evalRollouts(t, loss.Surrogate{Ratio: loss.GeometricRatio{}, Gain: clip, By: loss.SumTokens}, b)
	gspo, _ := evalRollouts(t, loss.GSPO{ClipLow: 0.05, ClipHigh: 0.05}, b)
	luspo, _ := evalRollouts(t, loss.LUSPO{ClipLow: 0.05, ClipHigh: 0.05}, b)
	bits(t, mean.LogProb, gspo.LogProb)
	bits(t, sum.LogProb, luspo.LogProb)
	assert.NotEqual(t, mean.Loss, sum.Loss)
}

// A mask by the mean ratio of a reply that is said to clamp ratios and does not: here it keeps
// or drops, and what is kept has the weight that the caller gives it, whatever its size.
func TestDefectSequenceMaskIsNoClamp(t *testing.T) {
	b := replyOf([]float64{0, 0}, []float64{1, 1})
	b.Behaviour = []float64{-2 - math.Log(8), -2 + math.Log(8)} // ratios of 8 and ⅛, their mean 1
	keep := make([]bool, 2)
	dropped, err := loss.GeometricMask{Min: 0.5, Max: 2}.Keep(keep, b)
	require.NoError(t, err)
	assert.Zero(t, dropped)
	b.Weight = []float64{8, 0.125}
	loss.ZeroWeights(b.Weight, b.Weight, keep)
	assert.Equal(t, []float64{8, 0.125}, b.Weight)
	dropped, err = loss.IcePop{Min: 0.5, Max: 2}.Keep(keep, b)
	require.NoError(t, err)
	assert.Equal(t, 2, dropped, "token by token they are outside")
}
