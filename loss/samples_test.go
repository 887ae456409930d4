package loss_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

func samplesOut(n int) loss.SamplesOut {
	return loss.SamplesOut{Loss: make([]float64, n), LogProb: make([]float64, n)}
}

func randomSamples(seed uint64, prompts, k int) loss.Samples {
	rng := rand.New(rand.NewPCG(seed, 1))
	n := prompts * k
	s := loss.Samples{LogProb: make([]float64, n), Ref: make([]float64, n), Reward: make([]float64, n), K: k}
	for i := range n {
		s.Ref[i] = -40 * rng.Float64()
		s.LogProb[i] = s.Ref[i] + 2*rng.NormFloat64()
		s.Reward[i] = rng.NormFloat64()
	}
	return s
}

func TestRLHFByHand(t *testing.T) {
	// Log-ratios ℓ = 1, −1, 0, 2 in two groups of two; with β = ½ the shaped rewards
	// r − ℓ/2 are 3 − ½ = 2.5, 1 + ½ = 1.5 and 0 − 0 = 0, 4 − 1 = 3. For k = 2 the
	// advantage of each is its difference to the other: 1, −1 and −3, 3.
	s := loss.Samples{
		LogProb: []float64{-1, -3, -5, -2}, Ref: []float64{-2, -2, -5, -4},
		Reward: []float64{3, 1, 0, 4}, K: 2,
	}
	out := samplesOut(4)
	total, err := loss.RLHF{Beta: 0.5}.Eval(out, s)
	require.NoError(t, err)
	assert.Equal(t, []float64{-2.5, -1.5, 0, -3}, out.Loss)
	assert.Equal(t, []float64{-1, 1, 3, -3}, out.LogProb)
	assert.Equal(t, loss.Total{Sum: -7, Count: 4}, total)
	assert.Equal(t, -1.75, total.Mean())
}

func TestKLPenaltyByHand(t *testing.T) {
	// ℓ = 1, −1, 3 in one group of three: the mean of the other two is 1, 2, 0, so the
	// advantages are 0, −3, 3. All times λ = 2.
	s := loss.Samples{
		LogProb: []float64{-1, -3, -2}, Ref: []float64{-2, -2, -5}, K: 3,
		Reward: []float64{math.NaN(), 5, 5}, // not read
	}
	out := samplesOut(3)
	total, err := loss.KLPenalty{Lambda: 2}.Eval(out, s)
	require.NoError(t, err)
	assert.Equal(t, []float64{2, -2, 6}, out.Loss)
	assert.Equal(t, []float64{0, -6, 6}, out.LogProb)
	assert.Equal(t, loss.Total{Sum: 6, Count: 3}, total)
}

// RLHF without reward is KLPenalty, and without KL it does not depend on the reference.
func TestRLHFParts(t *testing.T) {
	s := randomSamples(3, 5, 4)
	n := len(s.LogProb)
	reward := s.Reward
	s.Reward = make([]float64, n)
	a, b := samplesOut(n), samplesOut(n)
	_, err := loss.RLHF{Beta: 0.3}.Eval(a, s)
	require.NoError(t, err)
	_, err = loss.KLPenalty{Lambda: 0.3}.Eval(b, s)
	require.NoError(t, err)
	assert.Equal(t, b.Loss, a.Loss)
	assert.InDeltaSlice(t, b.LogProb, a.LogProb, 1e-14)

	s.Reward = reward
	_, err = loss.RLHF{Beta: 0}.Eval(a, s)
	require.NoError(t, err)
	s.Ref = make([]float64, n)
	_, err = loss.RLHF{Beta: 0}.Eval(b, s)
	require.NoError(t, err)
	assert.Equal(t, b, a)
}

// Whole groups may be split off: weights stay, sums add up.
func TestSamplesSplit(t *testing.T) {
	const prompts, k, at = 7, 3, 4 * 3
	s := randomSamples(5, prompts, k)
	n := prompts * k
	for name, evaluate := range map[string]func(loss.SamplesOut, loss.Samples) (loss.Total, error){
		"RLHF": loss.RLHF{Beta: 0.2}.Eval, "KLPenalty": loss.KLPenalty{Lambda: 0.7}.Eval,
	} {
		whole, split := samplesOut(n), samplesOut(n)
		total, err := evaluate(whole, s)
		require.NoError(t, err)
		var sum loss.Total
		for _, r := range [][2]int{{0, at}, {at, n}} {
			lo, hi := r[0], r[1]
			p, err := evaluate(loss.SamplesOut{Loss: split.Loss[lo:hi], LogProb: split.LogProb[lo:hi]},
				loss.Samples{LogProb: s.LogProb[lo:hi], Ref: s.Ref[lo:hi], Reward: s.Reward[lo:hi], K: k})
			require.NoError(t, err)
			sum.Add(p)
		}
		bits(t, whole.Loss, split.Loss, name)
		bits(t, whole.LogProb, split.LogProb, name)
		assert.Equal(t, total.Count, sum.Count)
		assert.InDelta(t, total.Sum, sum.Sum, 1e-12)
	}
}

func TestSamplesErrors(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name  string
		field string
		index int
		value float64
		set   func(s *loss.Samples)
	}{
		{"NaN", "LogProb", 3, nan, func(s *loss.Samples) { s.LogProb[3] = nan }},
		{"a draw has positive probability", "LogProb", 1, -inf, func(s *loss.Samples) { s.LogProb[1] = -inf }},
		{"outside the reference's support", "Ref", 5, -inf, func(s *loss.Samples) { s.Ref[5] = -inf }},
		{"infinite reference", "Ref", 0, inf, func(s *loss.Samples) { s.Ref[0] = inf }},
		{"missing reward", "Reward", 2, nan, func(s *loss.Samples) { s.Reward[2] = nan }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := randomSamples(1, 2, 3)
			c.set(&s)
			_, err := loss.RLHF{Beta: 1}.Eval(loss.SamplesOut{}, s)
			inputError(t, err, c.field, c.index, c.value)
			_, err = loss.KLPenalty{Lambda: 1}.Eval(loss.SamplesOut{}, s)
			if c.field == "Reward" {
				require.NoError(t, err)
			} else {
				inputError(t, err, c.field, c.index, c.value)
			}
		})
	}
	// Finite log-probabilities with a log-ratio that is not.
	s := loss.Samples{LogProb: []float64{1e308, 0}, Ref: []float64{-1e308, 0}, K: 2}
	_, err := loss.KLPenalty{Lambda: 1}.Eval(samplesOut(2), s)
	assert.ErrorContains(t, err, "logp[0]")
}

func TestSamplesParams(t *testing.T) {
	s := randomSamples(1, 2, 3)
	for _, v := range []float64{-1e-300, -1, inf, -inf, math.NaN()} {
		_, err := loss.RLHF{Beta: v}.Eval(loss.SamplesOut{}, s)
		paramError(t, err, "RLHF.Beta", v)
		_, err = loss.KLPenalty{Lambda: v}.Eval(loss.SamplesOut{}, s)
		paramError(t, err, "KLPenalty.Lambda", v)
		_, err = loss.HyPO{Offline: loss.DPO{Beta: 1}, Lambda: v}.Eval(loss.HyPOOut{}, onePair(0, 0), s)
		paramError(t, err, "HyPO.Lambda", v)
		_, err = loss.HyPO{Offline: loss.DPO{Beta: 1}, Lambda: v}.Eval(loss.HyPOOut{}, onePair(0, 0), loss.Samples{})
		paramError(t, err, "HyPO.Lambda", v)
	}
}

func TestSamplesPanics(t *testing.T) {
	for name, change := range map[string]func(s *loss.Samples, out *loss.SamplesOut){
		"K = 0":               func(s *loss.Samples, _ *loss.SamplesOut) { s.K = 0 },
		"K = 1":               func(s *loss.Samples, _ *loss.SamplesOut) { s.K = 1 },
		"K does not divide n": func(s *loss.Samples, _ *loss.SamplesOut) { s.K = 4 },
		"no reference":        func(s *loss.Samples, _ *loss.SamplesOut) { s.Ref = nil },
		"short reference":     func(s *loss.Samples, _ *loss.SamplesOut) { s.Ref = s.Ref[:5] },
		"long weights":        func(_ *loss.Samples, out *loss.SamplesOut) { out.LogProb = make([]float64, 7) },
		"short losses":        func(_ *loss.Samples, out *loss.SamplesOut) { out.Loss = out.Loss[:5] },
	} {
		s, out := randomSamples(1, 2, 3), samplesOut(6)
		change(&s, &out)
		assert.Panics(t, func() { loss.RLHF{Beta: 1}.Eval(out, s) }, name)
		assert.Panics(t, func() { loss.KLPenalty{Lambda: 1}.Eval(out, s) }, name)
	}
	s := randomSamples(1, 2, 3)
	s.Reward = s.Reward[:5]
	assert.Panics(t, func() { loss.RLHF{Beta: 1}.Eval(loss.SamplesOut{}, s) })
	s.Reward = nil
	assert.PanicsWithValue(t, "loss: RLHF without rewards", func() { loss.RLHF{Beta: 1}.Eval(loss.SamplesOut{}, s) })
}
