package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

func TestIPOByHand(t *testing.T) {
	b := loss.Pairs{
		Chosen: []float64{-1, -6, -4}, Rejected: []float64{-3, -3, -8},
		RefChosen: []float64{-2, -5, -5}, RefRejected: []float64{-2, -4, -7},
		ChosenLen: []int{2, 4, 1}, RejectedLen: []int{4, 1, 1},
	}
	// τ = ¼, so the target is 1/(2τ) = 2. Log-ratios: 1 and −1, −1 and 1, 1 and −1.
	// Sums: h = 2, −2, 2; h − 2 = 0, −4, 0; squares 0, 16, 0; slopes 0, −8, 0.
	out, total := eval(t, loss.IPO{Tau: 0.25, LogRatio: loss.Sum}, b)
	assert.Equal(t, []float64{0, 16, 0}, out.Loss)
	assert.Equal(t, []float64{0, -8, 0}, out.Chosen)
	assert.InDeltaSlice(t, []float64{0, 8, 0}, out.Rejected, 0)
	assert.Equal(t, []float64{1, -1, 1}, out.RewardChosen)
	assert.Equal(t, []float64{-1, 1, -1}, out.RewardRejected)
	assert.Equal(t, loss.Total{Sum: 16, Count: 3, Correct: 2, Flat: 2}, total)

	// Means: ½ and −¼, −¼ and 1, 1 and −1; h = ¾, −1¼, 2; h − 2 = −1¼, −3¼, 0;
	// squares 1.5625, 10.5625, 0; slopes −2.5, −6.5, 0, divided by the lengths.
	out, total = eval(t, loss.IPO{Tau: 0.25, LogRatio: loss.Mean}, b)
	assert.Equal(t, []float64{1.5625, 10.5625, 0}, out.Loss)
	assert.Equal(t, []float64{-1.25, -1.625, 0}, out.Chosen)
	assert.InDeltaSlice(t, []float64{0.625, 6.5, 0}, out.Rejected, 0)
	assert.Equal(t, []float64{0.5, -0.25, 1}, out.RewardChosen)
	assert.Equal(t, []float64{-0.25, 1, -1}, out.RewardRejected)
	assert.Equal(t, loss.Total{Sum: 12.125, Count: 3, Correct: 2, Flat: 1}, total)
}

func TestIPOAtInitialisation(t *testing.T) {
	for _, kind := range []loss.LogRatioOf{loss.Sum, loss.Mean} {
		out, _ := eval(t, loss.IPO{Tau: 0.1, LogRatio: kind}, randomPairs(1, 20, 0))
		for _, v := range out.Loss {
			assert.InDelta(t, 25, v, 1e-13) // 1/(4τ²)
		}
	}
}

// With replies of one token the two conventions are one.
func TestIPOMeanOfOneToken(t *testing.T) {
	b := randomPairs(2, 30, 4)
	for i := range b.ChosenLen {
		b.ChosenLen[i], b.RejectedLen[i] = 1, 1
	}
	sum, _ := eval(t, loss.IPO{Tau: 0.2, LogRatio: loss.Sum}, b)
	mean, _ := eval(t, loss.IPO{Tau: 0.2, LogRatio: loss.Mean}, b)
	assert.Equal(t, sum, mean)
}

// Labels won with probability p: the expected loss is smallest at a margin of (p−½)/τ,
// which is finite even for p = 1.
func TestIPOMinimiser(t *testing.T) {
	const tau = 0.1
	l := loss.IPO{Tau: tau, LogRatio: loss.Sum}
	slope := func(p, h float64) float64 {
		win, _ := eval(t, l, onePair(h, 0))
		lose, _ := eval(t, l, onePair(-h, 0)) // the same two replies, labelled the other way
		return p*win.Chosen[0] - (1-p)*lose.Chosen[0]
	}
	for _, p := range []float64{0.5, 0.6, 0.75, 1} {
		h := (p - 0.5) / tau
		assert.InDelta(t, 0, slope(p, h), 1e-13, "p = %v", p)
		assert.InDelta(t, 0.2, slope(p, h+0.1), 1e-12, "p = %v", p) // the curvature is 2
	}
}

func TestIPOLimits(t *testing.T) {
	for name, b := range map[string]loss.Pairs{
		"chosen impossible": {Chosen: []float64{-inf}, RefChosen: []float64{-1}, Rejected: []float64{-1}, RefRejected: []float64{-1}},
		"rejected new":      {Chosen: []float64{-1}, RefChosen: []float64{-1}, Rejected: []float64{-1}, RefRejected: []float64{-inf}},
	} {
		out, total := eval(t, loss.IPO{Tau: 1, LogRatio: loss.Sum}, b)
		assert.Equal(t, []float64{inf, -inf, inf, inf}, []float64{out.Loss[0], out.Chosen[0], out.Rejected[0], total.Sum}, name)
		assert.Zero(t, total.Correct)
	}
	b := onePair(0, 0)
	b.Rejected[0] = -inf
	out, total := eval(t, loss.IPO{Tau: 1, LogRatio: loss.Mean}, b)
	assert.Equal(t, []float64{inf, inf, -inf}, []float64{out.Loss[0], out.Chosen[0], out.Rejected[0]})
	assert.Equal(t, 1, total.Correct)
}

func TestIPOParams(t *testing.T) {
	b := onePair(1, 0)
	for _, v := range []float64{0, -1, inf, math.NaN(), 1e-309} { // 1/(2·1e-309) overflows
		_, err := loss.IPO{Tau: v, LogRatio: loss.Sum}.Eval(loss.PairsOut{}, b)
		paramError(t, err, "IPO.Tau", v)
	}
	for _, v := range []loss.LogRatioOf{0, 3} {
		_, err := loss.IPO{Tau: 1, LogRatio: v}.Eval(loss.PairsOut{}, b)
		paramError(t, err, "IPO.LogRatio", float64(v))
	}
	_, err := loss.IPO{Tau: 1}.Eval(loss.PairsOut{}, b)
	require.EqualError(t, err, "loss: IPO.LogRatio = 0, must be loss.Sum or loss.Mean")
}
