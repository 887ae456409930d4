package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// A weight multiplies the loss of a pair and its derivatives; a pair of weight 0 is absent
// from the sum even if its loss is infinite, and still counted and ordered.
func TestPairWeights(t *testing.T) {
	for _, l := range pairwise {
		t.Run(l.name, func(t *testing.T) {
			b := randomPairs(1, manyPairs, 3)
			plain, _ := eval(t, l, b)
			b.Weight = make([]float64, manyPairs)
			for i := range b.Weight {
				b.Weight[i] = float64(i%5) / 2
			}
			got, total := eval(t, l, b)
			sum := 0.0
			for i, w := range b.Weight {
				sum += w * plain.Loss[i]
				within(t, w*plain.Loss[i], got.Loss[i], 1e-15)
				within(t, w*plain.Chosen[i], got.Chosen[i], 1e-15)
				within(t, w*plain.Rejected[i], got.Rejected[i], 1e-15)
			}
			assert.InDelta(t, sum, total.Sum, 1e-11*(1+math.Abs(sum)))
			assert.Equal(t, manyPairs, total.Count)
			assert.Equal(t, plain.RewardChosen, got.RewardChosen)

			b.Weight[600] = 0
			b.Chosen[600] = -inf
			out, total := eval(t, l, b)
			assert.Equal(t, []float64{0, 0, 0}, []float64{out.Loss[600], out.Chosen[600], out.Rejected[600]})
			assert.False(t, math.IsNaN(total.Sum) || math.IsInf(total.Sum, 0))
			for _, w := range []float64{-1, inf, math.NaN()} {
				b.Weight[300] = w
				_, err := l.Eval(loss.PairsOut{}, b)
				inputError(t, err, "Weight", 300, w)
			}
			b.Weight = b.Weight[:5]
			assert.PanicsWithValue(t, "loss: slices of different lengths", func() { l.Eval(loss.PairsOut{}, b) })
		})
	}
}

// Both orders of a pair with weights p and 1−p are a soft label.
func TestWeightsAreSoftLabels(t *testing.T) {
	const p, beta, h = 0.8, 0.5, 1.3
	b := onePair(h, 0)
	both := loss.Pairs{
		Chosen: []float64{b.Chosen[0], b.Rejected[0]}, Rejected: []float64{b.Rejected[0], b.Chosen[0]},
		RefChosen: []float64{b.RefChosen[0], b.RefRejected[0]}, RefRejected: []float64{b.RefRejected[0], b.RefChosen[0]},
		Weight: []float64{p, 1 - p},
	}
	soft, total := eval(t, loss.DPO{Beta: beta}, both)
	hard, _ := eval(t, loss.DPO{Beta: beta, LabelSmoothing: 1 - p}, b)
	within(t, hard.Loss[0], total.Sum, 1e-15)
	within(t, hard.Chosen[0], soft.Chosen[0]+soft.Rejected[1], 1e-14)
}

// Margin and Win are read by some objectives and refused by the others.
func TestMarginAndWinAreNeverIgnored(t *testing.T) {
	b := randomPairs(2, 4, 2)
	for _, l := range pairwise {
		m := b
		m.Margin = []float64{0.5, -0.5, 0, 1}
		if l.is(readsMargin) {
			with, _ := eval(t, l, m)
			without, _ := eval(t, l, b)
			assert.NotEqual(t, without.Loss, with.Loss, l.name)
			assert.Equal(t, without.Loss[2], with.Loss[2], l.name)
			assert.Equal(t, without.RewardChosen, with.RewardChosen, l.name)
			for _, v := range []float64{inf, -inf, math.NaN()} {
				m.Margin = []float64{0, 0, v, 0}
				_, err := l.Eval(loss.PairsOut{}, m)
				inputError(t, err, "Margin", 2, v)
			}
			m.Margin = m.Margin[:3]
			assert.PanicsWithValue(t, "loss: slices of different lengths", func() { l.Eval(loss.PairsOut{}, m) })
		} else {
			assert.PanicsWithValue(t, "loss: Pairs.Margin is set, but the objective does not read it",
				func() { l.Eval(loss.PairsOut{}, m) }, l.name)
		}
		w := b
		w.Win = []float64{0.5, 1, 0, 0.75}
		if l.is(readsWin) {
			with, _ := eval(t, l, w)
			without, _ := eval(t, l, b)
			assert.NotEqual(t, without.Loss, with.Loss, l.name)
			assert.Equal(t, without.Loss[1], with.Loss[1], l.name)
			for _, v := range []float64{-0.1, 1.1, inf, math.NaN()} {
				w.Win = []float64{0, 0, 1, v}
				_, err := l.Eval(loss.PairsOut{}, w)
				inputError(t, err, "Win", 3, v)
			}
		} else {
			assert.PanicsWithValue(t, "loss: Pairs.Win is set, but the objective does not read it",
				func() { l.Eval(loss.PairsOut{}, w) }, l.name)
		}
	}
}

// Margins move the margin that the link sees, on the scale of implicit rewards.
func TestMarginsAreOnTheScaleOfRewards(t *testing.T) {
	b := onePair(3, 1)
	b.Margin = []float64{0.25}
	got, _ := eval(t, loss.ODPO{Beta: 0.5}, b)
	want, _ := eval(t, loss.DPO{Beta: 0.5}, onePair(2.5, 1))
	within(t, want.Loss[0], got.Loss[0], 1e-15)
	composed, _ := eval(t, loss.Contrast{Score: loss.LogRatio{}, Link: loss.Logistic{}, Beta: 0.5, Gamma: 0.25}, onePair(3, 1))
	assert.Equal(t, composed.Loss, got.Loss)
}

// Derivatives for the reference: central differences, and a refusal where there is none.
func TestReferenceDerivatives(t *testing.T) {
	for _, l := range pairwise {
		t.Run(l.name, func(t *testing.T) {
			b := randomPairs(3, 40, 2)
			out := loss.PairsOut{RefChosen: make([]float64, 40), RefRejected: make([]float64, 40)}
			if l.is(free) {
				assert.PanicsWithValue(t, "loss: the objective has no derivative for a reference", func() { l.Eval(out, b) })
				return
			}
			_, err := l.Eval(out, b)
			require.NoError(t, err)
			for i := range b.Chosen {
				value := func(x []float64) float64 {
					c := part(b, i, i+1)
					c.RefChosen, c.RefRejected = x[:1], x[1:]
					_, total := eval(t, l, c)
					return total.Sum
				}
				want := gradient(value, []float64{b.RefChosen[i], b.RefRejected[i]}, 1e-4)
				got := []float64{out.RefChosen[i], out.RefRejected[i]}
				assert.InDeltaSlice(t, want, got, 1e-7*(1+math.Abs(want[0])+math.Abs(want[1])))
			}
		})
	}
}

// The implicit rewards are those of the score that the loss uses: their order is what
// Correct counts, and losses of one margin are functions of their difference.
func TestRewardsAreOfTheScoreUsed(t *testing.T) {
	b := randomPairs(4, manyPairs, 4)
	for _, l := range pairwise {
		out, total := eval(t, l, b)
		correct := 0
		for i, r := range out.RewardChosen {
			if r > out.RewardRejected[i] {
				correct++
			}
		}
		assert.Equal(t, correct, total.Correct, l.name)
	}
}

// Clipped and Flat count what a clamp or a kink has made of pairs.
func TestClippedAndFlat(t *testing.T) {
	b := loss.Pairs{
		Chosen: []float64{3, 0.1, -3, 0, -1}, Rejected: []float64{0, 0, 0, 0, 0},
		RefChosen: make([]float64, 5), RefRejected: make([]float64, 5),
	}
	// φ(w) − φ(1): 22.1, 0.205, −3.95, 0, −1.63; against 2R = 2.
	out, total := eval(t, loss.ChiPO{Beta: 1, MaxReward: 1}, b)
	assert.Equal(t, [2]int{2, 2}, [2]int{total.Clipped, total.Flat})
	assert.Equal(t, []float64{0, 0}, []float64{out.Chosen[0], out.Chosen[2]})
	assert.Equal(t, out.Loss[0], math.Log1p(math.Exp(-2)))
	_, total = eval(t, loss.ChiPO{Beta: 1, MaxReward: inf}, b)
	assert.Equal(t, [2]int{0, 0}, [2]int{total.Clipped, total.Flat})
	// At the clamp itself the derivative is that from inside.
	exact := loss.Contrast{Score: loss.LogRatio{}, Link: loss.Logistic{}, Beta: 1, Clip: 3}
	out, total = eval(t, exact, b)
	assert.Equal(t, [2]int{0, 0}, [2]int{total.Clipped, total.Flat})
	assert.NotZero(t, out.Chosen[0])
	exact.Clip = math.Nextafter(3, 0)
	_, total = eval(t, exact, b)
	assert.Equal(t, 2, total.Clipped)
	_, total = eval(t, loss.RSO{Beta: 1}, b)
	assert.Equal(t, [2]int{0, 1}, [2]int{total.Clipped, total.Flat}) // 3 ≥ 1
	_, total = eval(t, loss.DPO{Beta: 1e3}, b)
	assert.Equal(t, 1, total.Flat) // e⁻³⁰⁰⁰
	var sum loss.Total
	sum.Add(loss.Total{Clipped: 2, Flat: 3})
	sum.Add(loss.Total{Clipped: 1, Flat: 1})
	assert.Equal(t, loss.Total{Clipped: 3, Flat: 4}, sum)
	_, err := loss.Contrast{Score: loss.LogRatio{}, Link: loss.Logistic{}, Beta: 1, Clip: -1}.Eval(loss.PairsOut{}, b)
	paramError(t, err, "Contrast.Clip", -1)
}
