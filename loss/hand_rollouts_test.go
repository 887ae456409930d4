package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// replyOf is a batch of one reply with log-ratios log ρ to π_old, whose log-probability is −2.
func replyOf(logRatio, advantage []float64) loss.Rollouts {
	n := len(logRatio)
	b := loss.Rollouts{Layout: loss.Layout{Begin: []int{0, n}, Prompt: []int{0}}, Advantage: advantage}
	for _, z := range logRatio {
		b.Old = append(b.Old, -2)
		b.LogProb = append(b.LogProb, -2+z)
	}
	b.Ref = b.Old
	return b
}

// Values worked out by hand, at ρ = 1, e^{±ln 2} = 2 and ½: loss and derivative of each token.
func TestPolicyGradientByHand(t *testing.T) {
	ln2 := math.Ln2
	one, two, half := []float64{0}, []float64{ln2}, []float64{-ln2}
	up, down := []float64{3}, []float64{-3}
	ppo := loss.PPO{ClipLow: 0.25, ClipHigh: 0.5, By: loss.SumTokens}
	dual := loss.PPO{ClipLow: 0.25, ClipHigh: 0.5, Dual: 1.75, By: loss.SumTokens}
	for _, c := range []struct {
		name      string
		l         loss.PolicyGradient
		ratio     []float64
		advantage []float64
		loss      float64
		slope     []float64
	}{
		{"PPO on-policy", ppo, one, up, -3, []float64{-3}},
		{"PPO clipped above", ppo, two, up, -4.5, []float64{0}},
		{"PPO too low, pulled up", ppo, half, up, -1.5, []float64{-1.5}},
		{"PPO clipped below", ppo, half, down, 2.25, []float64{0}},
		{"PPO too high, pushed down", ppo, two, down, 6, []float64{6}},
		{"PPO dual clip", dual, two, down, 5.25, []float64{0}},
		{"PPO without an upper bound, dual clip for the other sign", loss.PPO{ClipLow: 1, ClipHigh: math.Inf(1), Dual: 1.5, By: loss.SumTokens}, two, []float64{0.5}, -1, []float64{-1}},
		{"PPO no signal", ppo, two, []float64{0}, 0, []float64{0}},
		{"REINFORCE", loss.Reinforce{By: loss.SumTokens}, two, up, 3 * (2 - ln2), []float64{-3}},
		{"CISPO", loss.CISPO{Max: 1.25}, two, up, 3 * 1.25 * (2 - ln2), []float64{-3.75}},
		{"CISPO below its cap", loss.CISPO{Max: 4}, two, up, 6 * (2 - ln2), []float64{-6}},
		{"RLOO, ratios multiply", loss.RLOO{ClipLow: 0.5, ClipHigh: 4}, []float64{ln2, ln2}, []float64{1, 1}, -4, []float64{-4, -4}},
		{"RLOO clipped as a whole", loss.RLOO{ClipLow: 0.5, ClipHigh: 2}, []float64{ln2, ln2}, []float64{1, 1}, -3, []float64{0, 0}},
		{"GSPO, the geometric mean", loss.GSPO{ClipLow: 0.5, ClipHigh: 4}, []float64{2 * ln2, 0}, []float64{1, 1}, -2, []float64{-1, -1}},
		{"LUSPO, times the length", loss.LUSPO{ClipLow: 0.5, ClipHigh: 4}, []float64{2 * ln2, 0}, []float64{1, 1}, -4, []float64{-2, -2}},
		{"GMPO, one token clipped", loss.GMPO{Low: 1, High: 1.5}, []float64{2, 0.5}, []float64{1, 1}, -math.E, []float64{0, -math.E / 2}},
		{"SAPO on-policy", loss.SAPO{TauPos: 2, TauNeg: 1}, one, up, -3, []float64{-3}},
		{"SAPO, negative", loss.SAPO{TauPos: 2, TauNeg: 1}, one, down, 6, []float64{3}},
		{"VESPO on-policy", loss.VESPO{K: 2, Lambda: 3, NegativeK: 3, NegativeLambda: 2}, one, up, 6, []float64{-3}},
		{"VESPO, w = 2", loss.VESPO{K: 2, Lambda: 3, NegativeK: 3, NegativeLambda: 2}, two, down, -3 * 8 * math.Exp(-2) * (2 - ln2), []float64{24 * math.Exp(-2)}},
		{"KL-Cov", loss.KLCov{Coef: 5, Share: 1, By: loss.SumTokens}, two, up, -6 + 5*ln2, []float64{-1}},
		{"A*-PO", loss.AStarPO{Beta: 0.5}, []float64{ln2, ln2}, []float64{1, 1}, (ln2 - 1) * (ln2 - 1), []float64{ln2 - 1, ln2 - 1}},
		{"CISPO with a bound below 1", loss.CISPO{Max: 0.5}, one, up, 3, []float64{-1.5}},
		{"φ of tokens' ratios", loss.Detached{Ratio: loss.TokenRatio{}, Factor: loss.Gamma{K: 1, Lambda: 1, NegativeK: 1, NegativeLambda: 1}, By: loss.SumTokens},
			[]float64{ln2, 0, 0}, []float64{1, 1, -1}, 2/math.E*(2-ln2) + 2 - 2, []float64{-2 / math.E, -1, 1}},
		{"reverse KL at ℓ = 1", loss.ReverseKLTerm{Beta: 1, By: loss.SumTokens}, []float64{1}, up, 1, []float64{math.E}},
		{"forward KL", loss.ForwardKLTerm{Beta: 2, By: loss.SumTokens}, two, up, 2 * (0.5 - 1 + ln2), []float64{1}},
		{"reverse KL", loss.ReverseKLTerm{Beta: 2, By: loss.SumTokens}, two, up, 4 * (0.5 - 1 + ln2), []float64{4 * ln2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, total := evalRollouts(t, c.l, replyOf(c.ratio, c.advantage))
			within(t, c.loss, total.Sum, 4e-15)
			for i, want := range c.slope {
				assert.InDelta(t, want, out.LogProb[i], 1e-14)
			}
		})
	}
}

// At a bound the slope is that without it; one unit in the last place further it is 0.
func TestPolicyGradientKinks(t *testing.T) {
	const ln2 = math.Ln2
	require.Equal(t, 2.0, math.Exp(ln2))
	require.Equal(t, 0.5, math.Exp(-ln2))
	past := math.Nextafter
	for _, c := range []struct {
		name      string
		l         loss.PolicyGradient
		at, after float64
		advantage float64
		low, high int
	}{
		{"PPO, 1+ε", loss.PPO{ClipLow: 0.5, ClipHigh: 1, By: loss.SumTokens}, ln2, past(ln2, 1), 1, 0, 1},
		{"PPO, 1−ε", loss.PPO{ClipLow: 0.5, ClipHigh: 1, By: loss.SumTokens}, -ln2, past(-ln2, -1), -1, 1, 0},
		{"PPO, dual", loss.PPO{ClipLow: 0.5, ClipHigh: 0.5, Dual: 2, By: loss.SumTokens}, ln2, past(ln2, 1), -1, 0, 1},
		{"GSPO, 1+ε", loss.GSPO{ClipLow: 0.5, ClipHigh: 1}, ln2, past(ln2, 1), 1, 0, 1},
		{"GMPO, High", loss.GMPO{Low: 1, High: 0.5}, 0.5, past(0.5, 1), 1, 0, 1},
		{"GMPO, Low", loss.GMPO{Low: 0.5, High: 1}, -0.5, past(-0.5, -1), -1, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			slope := func(z float64) (float64, loss.RolloutsTotal) {
				b := replyOf([]float64{z}, []float64{c.advantage})
				b.Old, b.LogProb = []float64{0}, []float64{z} // exact differences
				out, total := evalRollouts(t, c.l, b)
				return out.LogProb[0], total
			}
			at, total := slope(c.at)
			within(t, -c.advantage*math.Exp(c.at), at, 1e-15)
			assert.Zero(t, total.ClippedLow+total.ClippedHigh+total.DualClipped)
			// One unit in the last place of log ρ need not move ρ: a few do.
			after := c.after
			for range 3 {
				after = past(after, 10*after)
			}
			beyond, total := slope(after)
			assert.Zero(t, beyond)
			assert.Equal(t, [2]int{c.low, c.high}, [2]int{total.ClippedLow, total.ClippedHigh})
		})
	}
	// The penalty of KL-Cov has no slope where nothing has moved.
	out, _ := evalRollouts(t, loss.KLCov{Coef: 9, Share: 1, By: loss.SumTokens}, replyOf([]float64{0}, []float64{1}))
	assert.Equal(t, []float64{-1}, out.LogProb)
}

// What every objective reports: sums and counts of tokens that count.
func TestRolloutsTotal(t *testing.T) {
	nan := math.NaN()
	b := loss.Rollouts{
		Layout:  loss.Layout{Begin: []int{0, 4, 7, 8}, Prompt: []int{1, 0, 1}, Mask: []bool{true, true, false, true, true, true, true, true}},
		LogProb: []float64{nan, -1, nan, -2, -1, -1, -3, nan},
		Old:     []float64{nan, -1 - math.Ln2, nan, -2, -1, -1, -3 + math.Ln2, nan},
		// The third reply has no token at all.
		Advantage: []float64{nan, 1, nan, 0, 1, -1, -1, nan},
		Entropy:   []float64{nan, 0.5, nan, 0, 0.25, 1, 2, nan},
	}
	_, total := evalRollouts(t, loss.DAPO{ClipLow: 0.2, ClipHigh: 0.28}, b)
	assert.Equal(t, 5, total.Tokens)
	assert.Equal(t, 3, total.Sequences)
	assert.Equal(t, 1, total.Empty)
	assert.Equal(t, 1, total.Masked)
	assert.Equal(t, 4, total.Signals)
	assert.Equal(t, 1, total.ClippedLow)
	assert.Equal(t, 1, total.ClippedHigh)
	assert.Zero(t, total.DualClipped)
	assert.Equal(t, 3.75, total.Entropy)
	assert.InDelta(t, 0, total.K1, 1e-15)
	assert.InDelta(t, 2-1-math.Ln2+0.5-1+math.Ln2, total.K3, 1e-15)
	assert.InDelta(t, -1.28+0-1+1+0.8, total.Sum, 1e-15)

	b.Old = nil // one step: no ratio, and the derivative of ρ all the same
	out, total := evalRollouts(t, loss.DAPO{ClipLow: 0.2, ClipHigh: 0.28}, b)
	assert.Equal(t, []float64{0, -1, 0, 0, -1, 1, 1, 0}, out.LogProb)
	assert.Zero(t, total.K1)
	assert.Zero(t, total.K3)
	assert.Zero(t, total.ClippedLow+total.ClippedHigh)
}

// The k3 of a total keeps its digits where the terms cancel, and is never negative.
func TestRolloutsK3NearZero(t *testing.T) {
	for _, z := range []float64{1e-20, -1e-20, 1e-9, -1e-9, 1e-5, -1e-5, 0.01, 0.1, -0.1, 0.24, -0.24, 0.2499, -0.2499, 0.26, -0.26, 1, -1} {
		b := replyOf([]float64{0}, []float64{1})
		b.LogProb, b.Old = []float64{z}, []float64{0}
		_, total := evalRollouts(t, loss.Reinforce{By: loss.SumTokens}, b)
		// The series, summed from the smallest term.
		want := 0.0
		for n := 25; n >= 2; n-- {
			want += math.Pow(z, float64(n)) / math.Gamma(float64(n)+1)
		}
		within(t, want, total.K3, 4e-15, z)
		assert.Positive(t, total.K3, z)
		assert.Equal(t, -z, total.K1)
	}
}

// The weights of entropies, in sums and in means.
func TestEntropyBonusWeights(t *testing.T) {
	b := replyOf([]float64{0, 0}, []float64{1, 1})
	b.Entropy = []float64{0.5, 0.25}
	out, total := evalRollouts(t, loss.EntropyBonus{Coef: 0.1, By: loss.MeanTokens}, b)
	assert.Equal(t, []float64{-0.05, -0.05}, out.Entropy)
	within(t, -0.0375, total.Sum, 1e-15)
	out, total = evalRollouts(t, loss.EntropyBonus{Coef: -1, By: loss.SumTokens}, b)
	assert.Equal(t, []float64{1, 1}, out.Entropy)
	assert.Equal(t, 0.75, total.Sum)
}

// rootRatio is a ratio that a caller makes, √ρ_t.
type rootRatio struct{}

func (rootRatio) LogRatios(z, d, _ []float64) loss.Clips {
	for i := range z {
		z[i] = d[i] / 2
	}
	return loss.Clips{Low: 1}
}

func (rootRatio) Pullback(slope, _, _ []float64) {
	for i := range slope {
		slope[i] /= 2
	}
}

func (rootRatio) Check() error { return nil }

func TestRatioOfACaller(t *testing.T) {
	b := replyOf([]float64{2 * math.Ln2, 0, -2 * math.Ln2, -2 * math.Ln2}, []float64{1, 1, 1, 1})
	out, total := evalRollouts(t, loss.Surrogate{Ratio: rootRatio{}, Gain: loss.Unclipped{}, By: loss.SumTokens}, b)
	assert.InDeltaSlice(t, []float64{-1, -0.5, -0.25, -0.25}, out.LogProb, 1e-15)
	assert.InDelta(t, -4, total.Sum, 1e-15)
	assert.Equal(t, 1, total.ClippedLow)
	out, total = evalRollouts(t, loss.Detached{Ratio: rootRatio{}, Factor: loss.Truncated{Max: 1.5}, By: loss.SumTokens}, b)
	assert.InDeltaSlice(t, []float64{-1.5, -1, -0.5, -0.5}, out.LogProb, 1e-15)
	assert.Equal(t, [2]int{1, 1}, [2]int{total.ClippedLow, total.ClippedHigh})
}
