package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

func TestHyPOByHand(t *testing.T) {
	// The pair: ℓ⁺ = 1, ℓ⁻ = −1, β = ½, so z = 1: loss log(1+e⁻¹) = 0.313261687518 and
	// slopes ∓½·0.268941421370. The samples: ℓ = 1, −1 in a group of two, so the
	// advantages are 2, −2; with λ = 3 the losses are 3, −3 and the weights 6, −6.
	pairs := loss.Pairs{Chosen: []float64{-1}, Rejected: []float64{-3}, RefChosen: []float64{-2}, RefRejected: []float64{-2}}
	samples := loss.Samples{LogProb: []float64{-1, -3}, Ref: []float64{-2, -2}, K: 2}
	out := loss.HyPOOut{Pairs: pairsOut(1), Samples: samplesOut(2)}
	total, err := loss.HyPO{Offline: loss.DPO{Beta: 0.5}, Lambda: 3}.Eval(out, pairs, samples)
	require.NoError(t, err)
	assert.InDelta(t, 0.313261687518, out.Pairs.Loss[0], 1e-12)
	assert.InDelta(t, -0.134470710685, out.Pairs.Chosen[0], 1e-12)
	assert.InDelta(t, 0.134470710685, out.Pairs.Rejected[0], 1e-12)
	assert.Equal(t, []float64{3, -3}, out.Samples.Loss)
	assert.Equal(t, []float64{6, -6}, out.Samples.LogProb)
	assert.Equal(t, loss.Total{Sum: out.Pairs.Loss[0], Count: 1, Correct: 1}, total.Pairs)
	assert.Equal(t, loss.Total{Count: 2}, total.KL) // 3 − 3 = 0
}

// With λ = 0 HyPO is the offline objective, whether or not there are samples.
func TestHyPOZeroLambdaIsOfflineBitForBit(t *testing.T) {
	b := randomPairs(11, manyPairs, 6)
	b.Chosen[3] = -inf
	b.Chosen[4], b.Rejected[4] = -1e5, -2e4
	s := randomSamples(11, 9, 4)
	for _, l := range pairwise {
		t.Run(l.name, func(t *testing.T) {
			want, total := eval(t, l, b)
			h := loss.HyPO{Offline: l.Pairwise}

			alone := loss.HyPOOut{Pairs: pairsOut(manyPairs)}
			got, err := h.Eval(alone, b, loss.Samples{})
			require.NoError(t, err)
			assert.Equal(t, loss.HyPOTotal{Pairs: total}, got)

			with := loss.HyPOOut{Pairs: pairsOut(manyPairs), Samples: samplesOut(36)}
			for i := range with.Samples.LogProb {
				with.Samples.LogProb[i], with.Samples.Loss[i] = math.NaN(), math.NaN()
			}
			got, err = h.Eval(with, b, s)
			require.NoError(t, err)
			assert.Equal(t, total, got.Pairs)
			assert.Equal(t, loss.Total{Count: 36}, got.KL)
			for i := range with.Samples.LogProb {
				assert.Zero(t, with.Samples.LogProb[i])
				assert.Zero(t, with.Samples.Loss[i])
			}
			for _, out := range []loss.PairsOut{alone.Pairs, with.Pairs} {
				bits(t, want.Loss, out.Loss)
				bits(t, want.Chosen, out.Chosen)
				bits(t, want.Rejected, out.Rejected)
				bits(t, want.RewardChosen, out.RewardChosen)
				bits(t, want.RewardRejected, out.RewardRejected)
			}
		})
	}
}

func TestHyPOPassesErrorsOn(t *testing.T) {
	s := randomSamples(1, 1, 2)
	_, err := loss.HyPO{Offline: loss.DPO{}, Lambda: 1}.Eval(loss.HyPOOut{}, onePair(0, 0), s)
	paramError(t, err, "DPO.Beta", 0)
	b := onePair(0, 0)
	b.Rejected[0] = inf
	_, err = loss.HyPO{Offline: loss.DPO{Beta: 1}, Lambda: 1}.Eval(loss.HyPOOut{}, b, s)
	inputError(t, err, "Rejected", 0, inf)
	s.Ref[1] = -inf
	for _, lambda := range []float64{0, 1} { // samples are checked even if they do not count
		_, err = loss.HyPO{Offline: loss.DPO{Beta: 1}, Lambda: lambda}.Eval(loss.HyPOOut{}, onePair(0, 0), s)
		inputError(t, err, "Ref", 1, -inf)
	}
}

func TestHyPOPanics(t *testing.T) {
	assert.PanicsWithValue(t, "loss: HyPO without Offline", func() {
		loss.HyPO{Lambda: 1}.Eval(loss.HyPOOut{}, onePair(0, 0), randomSamples(1, 1, 2))
	})
	h := loss.HyPO{Offline: loss.DPO{Beta: 1}}
	assert.PanicsWithValue(t, "loss: slices of different lengths", func() {
		h.Eval(loss.HyPOOut{Samples: samplesOut(2)}, onePair(0, 0), loss.Samples{}) // nothing would be stored
	})
	h.Lambda = 1
	assert.PanicsWithValue(t, "loss: Samples.K < 2, or a batch that is not a multiple of it", func() {
		h.Eval(loss.HyPOOut{}, onePair(0, 0), loss.Samples{}) // λ > 0 needs samples
	})
}
