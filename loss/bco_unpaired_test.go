package loss_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

func TestBCOUnpairedByHand(t *testing.T) {
	// Rewards ½·3 = 1.5 and ½·(−1) = −0.5, δ = ½: logits 1 and −1.
	// −log σ(1) = 0.313261687518, −log σ(−1) = 1.313261687518; slopes −σ(−1) = −0.268941421370
	// and −σ(1) = −0.731058578630, times ±½.
	b := loss.Unpaired{LogProb: []float64{-1, -1, -5, -5}, Ref: []float64{-4, -4, -4, -4}, Desirable: []bool{true, false, true, false}}
	out, total := evalUnpaired(t, loss.BCOUnpaired{Beta: 0.5, Delta: 0.5}, b)
	assert.InDeltaSlice(t, []float64{0.313261687518, 1.313261687518, 1.313261687518, 0.313261687518}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.134470710685, 0.365529289315, -0.365529289315, 0.134470710685}, out.LogProb, 1e-12)
	assert.Equal(t, []float64{1.5, 1.5, -0.5, -0.5}, out.Reward)
	assert.InDelta(t, 3.253046750072, total.Sum, 1e-12)
}

// With both verdicts for a reply the minimiser is δ plus the log-odds, and it is unique.
func TestTheoryBCOUnpairedMinimiser(t *testing.T) {
	const beta, delta = 0.5, -0.75
	l := loss.BCOUnpaired{Beta: beta, Delta: delta}
	for _, p := range []float64{0.02, 0.5, 0.9} {
		at := (delta + math.Log(p/(1-p))) / beta
		for _, d := range []float64{-3, -0.01, 0, 0.01, 3} {
			good, _ := evalUnpaired(t, l, oneReply(at+d, true))
			bad, _ := evalUnpaired(t, l, oneReply(at+d, false))
			slope := p*good.LogProb[0] + (1-p)*bad.LogProb[0]
			if d == 0 {
				assert.InDelta(t, 0, slope, 1e-15)
			} else {
				assert.Greater(t, slope*d, 1e-8)
			}
		}
	}
}

// On a pair the two log-losses are an upper bound of DPO's, whatever δ is.
func TestTheoryBCOUnpairedBoundsDPO(t *testing.T) {
	p := randomPairs(3, 200, 20)
	dpo, _ := eval(t, loss.DPO{Beta: 0.3}, p)
	for _, delta := range []float64{-2, 0, 0.7} {
		l := loss.BCOUnpaired{Beta: 0.3, Delta: delta}
		for i := range p.Chosen {
			b := loss.Unpaired{LogProb: []float64{p.Chosen[i], p.Rejected[i]}, Ref: []float64{p.RefChosen[i], p.RefRejected[i]},
				Desirable: []bool{true, false}}
			_, total := evalUnpaired(t, l, b)
			assert.Greater(t, total.Sum, dpo.Loss[i])
		}
	}
}

func TestBCOUnpairedLimits(t *testing.T) {
	l := loss.BCOUnpaired{Beta: 2, Delta: 1}
	for _, c := range []struct {
		logp, ref   float64
		good        bool
		loss, slope float64
	}{
		{-inf, -1, true, inf, -2}, {-inf, -1, false, 0, 0}, {-1, -inf, true, 0, 0}, {-1, -inf, false, inf, 2},
		{-1e4, 0, true, 2e4 + 1, -2}, {0, -1e4, false, 2e4 - 1, 2},
	} {
		out, _ := evalUnpaired(t, l, loss.Unpaired{LogProb: []float64{c.logp}, Ref: []float64{c.ref}, Desirable: []bool{c.good}})
		assert.Equal(t, c.loss, out.Loss[0], "%v", c)
		assert.Equal(t, c.slope, out.LogProb[0]+0, "%v", c)
	}
}

func TestRewardShift(t *testing.T) {
	var s loss.RewardShift
	delta := func(of loss.ShiftOf) float64 {
		d, err := s.Delta(of)
		require.NoError(t, err)
		return d
	}
	assert.Zero(t, delta(loss.Pooled))
	assert.Zero(t, delta(loss.Balanced))

	require.NoError(t, s.Add([]float64{1, 3}, []bool{true, true}))
	assert.Equal(t, 2.0, delta(loss.Pooled))
	assert.Equal(t, 2.0, delta(loss.Balanced)) // no undesirable reply yet
	require.NoError(t, s.Add([]float64{5, -4}, []bool{true, false}))
	assert.InDelta(t, 1.25, delta(loss.Pooled), 1e-15)   // (1 + 3 + 5 − 4)/4
	assert.InDelta(t, -0.5, delta(loss.Balanced), 1e-15) // ½(3 − 4)

	// Half the weight: 4 replies count as 2. (2·1.25 + 2·(−1))/4 = 0.125; the desirable mean
	// (1.5·3 + 0)/1.5, the undesirable one (0.5·(−4) + 2·(−1))/2.5 = −1.6: ½(3 − 1.6) = 0.7.
	require.NoError(t, s.Discount(0.5))
	require.NoError(t, s.Add([]float64{-3, 1}, []bool{false, false}))
	assert.InDelta(t, 0.125, delta(loss.Pooled), 1e-15)
	assert.InDelta(t, 0.7, delta(loss.Balanced), 1e-15)
	require.NoError(t, s.Discount(1))
	assert.InDelta(t, 0.7, delta(loss.Balanced), 1e-15)
	require.NoError(t, s.Discount(0))
	require.NoError(t, s.Add([]float64{7, 9}, []bool{false, true}))
	assert.Equal(t, 8.0, delta(loss.Pooled))
}

// The mean of a large constant is that constant: nothing is summed that could lose it.
func TestRewardShiftKeepsDigits(t *testing.T) {
	var s loss.RewardShift
	for range 1000 {
		require.NoError(t, s.Add([]float64{1e8 + 0.1, 1e8 + 0.1}, []bool{true, false}))
	}
	d, err := s.Delta(loss.Balanced)
	require.NoError(t, err)
	assert.Equal(t, 1e8+0.1, d)
}

func TestRewardShiftMerge(t *testing.T) {
	b := randomUnpaired(6, 50, 4)
	var whole, left, right loss.RewardShift
	require.NoError(t, whole.Add(b.LogProb, b.Desirable))
	require.NoError(t, left.Add(b.LogProb[:13], b.Desirable[:13]))
	require.NoError(t, right.Add(b.LogProb[13:], b.Desirable[13:]))
	left.Merge(loss.RewardShift{})
	left.Merge(right)
	for _, of := range []loss.ShiftOf{loss.Pooled, loss.Balanced} {
		want, err := whole.Delta(of)
		require.NoError(t, err)
		got, err := left.Delta(of)
		require.NoError(t, err)
		within(t, want, got, 1e-14)
	}
}

func TestRewardShiftJSON(t *testing.T) {
	var s loss.RewardShift
	require.NoError(t, s.Add([]float64{0.1, 1.0 / 3, -7}, []bool{true, true, false}))
	text, err := json.Marshal(s)
	require.NoError(t, err)
	var back loss.RewardShift
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, s, back)

	var fresh loss.RewardShift
	text, err = json.Marshal(fresh)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &fresh))
	assert.Equal(t, loss.RewardShift{}, fresh)

	assert.Error(t, json.Unmarshal([]byte(`{"Desirable":{"Mean":"x"}}`), &back))
	err = json.Unmarshal([]byte(`{"Desirable":{"Mean":1,"Weight":-1}}`), &back)
	paramError(t, err, "RewardShift weight", -1)
	assert.Equal(t, s, back)
}

func TestRewardShiftErrors(t *testing.T) {
	var s loss.RewardShift
	require.NoError(t, s.Add([]float64{1}, []bool{true}))
	before := s
	for _, v := range []float64{math.NaN(), inf, -inf} {
		inputError(t, s.Add([]float64{2, v}, []bool{true, true}), "Reward", 1, v)
	}
	for _, v := range []float64{-0.1, 1.1, math.NaN(), inf} {
		paramError(t, s.Discount(v), "RewardShift.Discount", v)
	}
	_, err := s.Delta(0)
	paramError(t, err, "RewardShift.Delta", 0)
	_, err = s.Delta(3)
	paramError(t, err, "RewardShift.Delta", 3)
	assert.PanicsWithValue(t, "loss: slices of different lengths", func() { s.Add([]float64{1}, nil) })
	assert.Equal(t, before, s)
	allocatesNothing(t, func() { s.Add([]float64{1, 2}, []bool{true, false}) })
}

// One step: evaluate with the δ so far, then add the step's rewards.
func ExampleBCOUnpaired() {
	batch := loss.Unpaired{
		LogProb:   []float64{-11, -14, -25},
		Ref:       []float64{-12, -12, -22},
		Desirable: []bool{true, false, false},
	}
	var shift loss.RewardShift
	reward := make([]float64, 3)
	for step := range 2 {
		delta, err := shift.Delta(loss.Balanced)
		if err != nil {
			fmt.Println(err)
			return
		}
		total, err := loss.BCOUnpaired{Beta: 0.1, Delta: delta}.Eval(loss.UnpairedOut{Reward: reward}, batch)
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := shift.Add(reward, batch.Desirable); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("step %d: δ = %.3f, loss %.4f\n", step, delta, total.Mean())
	}
	// Output:
	// step 0: δ = 0.000, loss 0.5990
	// step 1: δ = -0.075, loss 0.6097
}
