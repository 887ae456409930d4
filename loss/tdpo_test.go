package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// smallPair: chosen reply of two tokens, rejected reply of one.
// Log-ratios 1 and −½, against 1; KLs 0.2 + 0.3, against 0.1; Σp² of ½ and ¼, against ¼.
func smallPair() loss.TokenPairs {
	return loss.TokenPairs{
		Layout:  loss.Layout{Begin: []int{0, 2, 3}, Prompt: []int{0, 0}},
		LogProb: []float64{-1, -2, -0.5},
		Ref:     []float64{-2, -1.5, -1.5},
		KL:      []float64{0.2, 0.3, 0.1},
		SumSq:   []float64{-math.Ln2, -2 * math.Ln2, -2 * math.Ln2},
	}
}

func TestTDPOByHand(t *testing.T) {
	// h = (1 − ½) − 1 = −½, D⁺ = 0.5, D⁻ = 0.1. TDPO1: β(h − (0.1 − 0.5)) = 2·(−0.1) = −0.2:
	// log(1+e^0.2) = 0.798138869382, slope −σ(0.2) = −0.549833997312, times β = 2. Rewards
	// 2·(½ + ½) and 2·(1 + 0.1).
	out, total := evalTokens(t, loss.TDPO1{Beta: 2}, smallPair())
	assert.InDelta(t, 0.798138869382, out.Loss[0], 1e-12)
	const d = 1.099667994625
	assert.InDeltaSlice(t, []float64{-d, -d, d}, out.LogProb, 1e-11)
	assert.InDeltaSlice(t, []float64{-d, -d, d}, out.KL, 1e-11)
	assert.InDeltaSlice(t, []float64{2, 2.2}, []float64{out.RewardChosen[0], out.RewardRejected[0]}, 1e-14)
	assert.Equal(t, 0, total.Correct)

	// TDPO2 with α = ½: 2·(−½ + ½·0.4) = −0.6: log(1+e^0.6) = 1.037487950485, slope −σ(0.6) =
	// −0.645656306226, times 2; KLs half of it, and none for the chosen reply.
	out, _ = evalTokens(t, loss.TDPO2{Beta: 2, Alpha: 0.5}, smallPair())
	assert.InDelta(t, 1.037487950485, out.Loss[0], 1e-12)
	assert.InDeltaSlice(t, []float64{-1.291312612451, -1.291312612451, 1.291312612451}, out.LogProb, 1e-11)
	assert.InDeltaSlice(t, []float64{0, 0, 0.645656306226}, out.KL, 1e-11)
	assert.InDeltaSlice(t, []float64{1.5, 2.1}, []float64{out.RewardChosen[0], out.RewardRejected[0]}, 1e-14)
}

// At π = π_ref the loss is log 2, and the derivatives with respect to log-probabilities are
// DPO's; the KLs there are at their minimum.
func TestTDPOAtInitialisation(t *testing.T) {
	b := smallPair()
	b.Ref, b.KL = b.LogProb, make([]float64, 3)
	for _, l := range []loss.TokenPairwise{loss.TDPO1{Beta: 0.4}, loss.TDPO2{Beta: 0.4, Alpha: 0.5}} {
		out, total := evalTokens(t, l, b)
		assert.InDelta(t, math.Ln2, total.Sum, 1e-15)
		assert.Equal(t, 1, total.Ties)
		assert.InDeltaSlice(t, []float64{-0.2, -0.2, 0.2}, out.LogProb, 1e-15)
	}
}

func TestTDPOErrors(t *testing.T) {
	for _, v := range []float64{0, -1, inf, math.NaN()} {
		_, err := loss.TDPO1{Beta: v}.Eval(loss.TokenPairsOut{}, smallPair())
		paramError(t, err, "TDPO1.Beta", v)
		_, err = loss.TDPO2{Beta: v, Alpha: 0.5}.Eval(loss.TokenPairsOut{}, smallPair())
		paramError(t, err, "TDPO2.Beta", v)
	}
	for _, v := range []float64{-0.1, inf, math.NaN()} {
		_, err := loss.TDPO2{Beta: 1, Alpha: v}.Eval(loss.TokenPairsOut{}, smallPair())
		paramError(t, err, "TDPO2.Alpha", v)
	}
	for _, v := range []float64{inf, -inf, math.NaN()} {
		b := smallPair()
		b.KL[1] = v
		for _, l := range []loss.TokenPairwise{loss.TDPO1{Beta: 1}, loss.TDPO2{Beta: 1, Alpha: 0.5}} {
			_, err := l.Eval(loss.TokenPairsOut{}, b)
			inputError(t, err, "KL", 1, v)
		}
	}
	for _, change := range []func(b *loss.TokenPairs){
		func(b *loss.TokenPairs) { b.KL = nil }, func(b *loss.TokenPairs) { b.Ref = nil },
	} {
		b := smallPair()
		change(&b)
		assert.PanicsWithValue(t, "loss: TDPO without KL or Ref", func() { loss.TDPO1{Beta: 1}.Eval(loss.TokenPairsOut{}, b) })
		assert.PanicsWithValue(t, "loss: TDPO without KL or Ref", func() { loss.TDPO2{Beta: 1}.Eval(loss.TokenPairsOut{}, b) })
	}
}

func TestLDDPOByHand(t *testing.T) {
	// The shorter reply has one token: h = 1 − α·½ − 1 = −¼ for α = ½. β = 2, z = −½:
	// log(1+e^½) = 0.974076984180, slope −σ(½) = −0.622459331202, times 2; the tail's half of it.
	out, _ := evalTokens(t, loss.LDDPO{Loss: loss.DPO{Beta: 2}, Alpha: 0.5}, smallPair())
	assert.InDelta(t, 0.974076984180, out.Loss[0], 1e-12)
	assert.InDeltaSlice(t, []float64{-1.244918662404, -0.622459331202, 1.244918662404}, out.LogProb, 1e-11)
	assert.Equal(t, []float64{1.5, 2}, []float64{out.RewardChosen[0], out.RewardRejected[0]})

	for _, v := range []float64{-0.1, 1.1, math.NaN()} {
		_, err := loss.LDDPO{Loss: loss.DPO{Beta: 1}, Alpha: v}.Eval(loss.TokenPairsOut{}, smallPair())
		paramError(t, err, "LDDPO.Alpha", v)
	}
	// At α = 0 the tail is not looked at: 0·(−∞) is 0.
	b := smallPair()
	b.LogProb[1] = -inf
	out, _ = evalTokens(t, loss.LDDPO{Loss: loss.DPO{Beta: 2}, Alpha: 0}, b)
	assert.InDelta(t, math.Ln2, out.Loss[0], 1e-15)
	assert.Equal(t, []float64{-1, 0, 1}, []float64{out.LogProb[0], out.LogProb[1] + 0, out.LogProb[2]})
}

func TestWPOByHand(t *testing.T) {
	// Aligned log-probabilities −1 + 0.693147180560, −2 + 1.386294361120, of mean
	// −0.460279229160, and −0.5 + 1.386294361120 = 0.886294361120: weight e^0.426015131960 =
	// 1.531143944167. h = −½, β = 2, z = −1: log(1+e) = 1.313261687518, slope −σ(1) = −0.731058578630.
	const weight = 1.531143944167
	inner := loss.Summed{Loss: loss.DPO{Beta: 2}}
	out, total := evalTokens(t, loss.WPO{Loss: inner}, smallPair())
	assert.InDelta(t, weight*1.313261687518, out.Loss[0], 1e-11)
	assert.InDelta(t, weight*1.313261687518, total.Sum, 1e-11)
	assert.InDeltaSlice(t, []float64{-weight * 2 * 0.731058578630, -weight * 2 * 0.731058578630, weight * 2 * 0.731058578630}, out.LogProb, 1e-11)
	assert.Equal(t, []float64{1, 2}, []float64{out.RewardChosen[0], out.RewardRejected[0]})
	assert.Zero(t, total.Clipped)

	// Capped at 1, as the authors' code.
	plain, _ := evalTokens(t, inner, smallPair())
	out, total = evalTokens(t, loss.WPO{Loss: inner, Cap: 1}, smallPair())
	assert.Equal(t, plain, out)
	assert.Equal(t, 1, total.Clipped)
}

// A policy that knows its tokens has weight 1, whatever the temperature: Σp² = p² under a
// deterministic policy; and so has a uniform one, with p = Σp² = 1/V.
func TestWPOWeights(t *testing.T) {
	b := smallPair()
	weights := make([]float64, 1)
	b.LogProb, b.SumSq = []float64{0, 0, 0}, []float64{0, 0, 0}
	_, err := loss.WPO{}.Weights(weights, b)
	require.NoError(t, err)
	assert.Equal(t, 1.0, weights[0])
	uniform := []float64{-math.Log(7), -math.Log(7), -math.Log(7)}
	b.LogProb, b.SumSq = uniform, uniform
	_, err = loss.WPO{}.Weights(weights, b)
	require.NoError(t, err)
	assert.Equal(t, 1.0, weights[0])

	b = smallPair()
	b.LogProb[0] = -inf // impossible: weight 0, and no loss, though DPO's is infinite
	out, total := evalTokens(t, loss.WPO{Loss: loss.Summed{Loss: loss.DPO{Beta: 1}}}, b)
	assert.Zero(t, total.Sum)
	assert.Zero(t, out.LogProb[0])
}

func TestWPOErrors(t *testing.T) {
	l := loss.WPO{Loss: loss.Summed{Loss: loss.DPO{Beta: 1}}}
	for _, v := range []float64{inf, -inf, math.NaN()} {
		b := smallPair()
		b.SumSq[2] = v
		_, err := l.Eval(loss.TokenPairsOut{}, b)
		inputError(t, err, "SumSq", 2, v)
	}
	b := smallPair()
	b.SumSq[0] = -1e4 // no distribution has this
	_, err := l.Eval(loss.TokenPairsOut{}, b)
	inputError(t, err, "SumSq", 0, -1e4)
	for _, v := range []float64{-1, inf, math.NaN()} {
		_, err := loss.WPO{Loss: l.Loss, Cap: v}.Eval(loss.TokenPairsOut{}, smallPair())
		paramError(t, err, "WPO.Cap", v)
	}
	_, err = loss.WPO{Loss: loss.Summed{Loss: loss.DPO{}}}.Eval(loss.TokenPairsOut{}, smallPair())
	paramError(t, err, "DPO.Beta", 0)
	b = smallPair()
	b.SumSq = nil
	assert.PanicsWithValue(t, "loss: WPO without SumSq", func() { l.Eval(loss.TokenPairsOut{}, b) })
	assert.PanicsWithValue(t, "loss: slices of different lengths", func() { l.Weights(make([]float64, 2), smallPair()) })
}
