package loss_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// The named objectives are compositions that anyone can write down.
func TestNamedObjectivesAreContrasts(t *testing.T) {
	b := randomPairs(1, manyPairs, 4)
	for _, c := range []struct {
		name string
		loss.Pairwise
		composed loss.Contrast
	}{
		{"DPO", loss.DPO{Beta: 0.1}, loss.Contrast{Score: loss.LogRatio{}, Link: loss.Logistic{}, Beta: 0.1}},
		{"DPO, ε = 0", loss.DPO{Beta: 0.1}, loss.Contrast{Score: loss.LogRatio{}, Link: loss.Smoothed{}, Beta: 0.1}},
		{"cDPO", loss.DPO{Beta: 0.1, LabelSmoothing: 0.3}, loss.Contrast{Score: loss.LogRatio{}, Link: loss.Smoothed{Epsilon: 0.3}, Beta: 0.1}},
		{"IPO sum", loss.IPO{Tau: 0.25, LogRatio: loss.Sum}, loss.Contrast{Score: loss.LogRatio{}, Link: loss.Squared{Target: 2}, Beta: 1}},
		{"IPO mean", loss.IPO{Tau: 0.25, LogRatio: loss.Mean}, loss.Contrast{Score: loss.MeanLogRatio{}, Link: loss.Squared{Target: 2}, Beta: 1}},
		{"IPO by γ", loss.IPO{Tau: 0.25, LogRatio: loss.Sum}, loss.Contrast{Score: loss.LogRatio{}, Link: loss.Squared{}, Beta: 1, Gamma: 2}},
	} {
		want, total := eval(t, c.Pairwise, b)
		got, composed := eval(t, c.composed, b)
		assert.Equal(t, total, composed, c.name)
		assert.Equal(t, want, got, c.name)
	}
}

func TestContrastByHand(t *testing.T) {
	// Means: ℓ⁺/2 = ½ and ℓ⁻/4 = −¼; z = 2·¾ − ½ = 1: log(1+e⁻¹) = 0.313261687518, slope
	// −0.268941421370. Derivatives: slope·2/2 and −slope·2/4. Rewards: 2·½ and −2·¼.
	b := loss.Pairs{
		Chosen: []float64{-1}, RefChosen: []float64{-2}, ChosenLen: []int{2},
		Rejected: []float64{-3}, RefRejected: []float64{-2}, RejectedLen: []int{4},
	}
	out, total := eval(t, loss.Contrast{Score: loss.MeanLogRatio{}, Link: loss.Logistic{}, Beta: 2, Gamma: 0.5}, b)
	assert.InDelta(t, 0.313261687518, out.Loss[0], 1e-12)
	assert.InDelta(t, -0.268941421370, out.Chosen[0], 1e-12)
	assert.InDelta(t, 0.134470710685, out.Rejected[0], 1e-12)
	assert.Equal(t, []float64{1, -0.5}, []float64{out.RewardChosen[0], out.RewardRejected[0]})
	assert.Equal(t, 1, total.Correct)
}

// likelihood is a score without reference, exponential a link, as a caller may write them.
type likelihood struct{ power float64 }

func (l likelihood) Score(s, ds []float64, r loss.Responses) error {
	if r.Ref != nil {
		return errors.New("no reference wanted")
	}
	for i, lp := range r.LogProb {
		if math.IsNaN(lp) {
			return &loss.InputError{Field: "LogProb", Index: i, Value: lp, Reason: "not a number"}
		}
		s[i] = math.Pow(-lp, l.power)
		ds[i] = -l.power * math.Pow(-lp, l.power-1)
	}
	return nil
}

type exponential struct{ scale float64 }

func (l exponential) Link(value, slope, z []float64) {
	for i, x := range z {
		value[i] = l.scale * math.Exp(-x)
		slope[i] = -value[i]
	}
}

func (l exponential) Check() error {
	if l.scale <= 0 {
		return &loss.ParamError{Param: "exponential.scale", Value: l.scale, Want: "positive"}
	}
	return nil
}

func TestContrastCustomParts(t *testing.T) {
	l := loss.Contrast{Score: likelihood{0.5}, Link: exponential{2}, Beta: 1.5, Gamma: 0.25}
	b := randomPairs(2, manyPairs, 1)
	b.RefChosen, b.RefRejected = nil, nil
	for i := range b.Chosen { // the square root wants probabilities below 1
		b.Chosen[i], b.Rejected[i] = -0.5-math.Abs(b.Chosen[i]), -0.5-math.Abs(b.Rejected[i])
	}
	out, _ := eval(t, l, b)
	for i := range b.Chosen {
		value := func(x []float64) float64 {
			return 2 * math.Exp(0.25-1.5*(math.Sqrt(-x[0])-math.Sqrt(-x[1])))
		}
		x := []float64{b.Chosen[i], b.Rejected[i]}
		within(t, value(x), out.Loss[i], 1e-13)
		d := gradient(value, x, 1e-5)
		assert.InDeltaSlice(t, d, []float64{out.Chosen[i], out.Rejected[i]}, 1e-6*(1+math.Abs(d[0])+math.Abs(d[1])))
		within(t, 1.5*math.Sqrt(-x[0]), out.RewardChosen[i], 1e-15)
	}

	b.Rejected[600] = math.NaN()
	_, err := l.Eval(loss.PairsOut{}, b)
	inputError(t, err, "Rejected", 600, math.NaN())
	_, err = l.Eval(loss.PairsOut{}, onePair(0, 0))
	require.EqualError(t, err, "no reference wanted")
	l.Link = exponential{-1}
	_, err = l.Eval(loss.PairsOut{}, b)
	paramError(t, err, "exponential.scale", -1)
}

// An error that a score returns again and again is not written to.
type failing struct{ err *loss.InputError }

func (f failing) Score(_, _ []float64, _ loss.Responses) error { return f.err }

func TestContrastLeavesScoreErrorsAlone(t *testing.T) {
	shared := loss.InputError{Field: "Ref", Index: 0, Value: 1, Reason: "always"}
	mine := shared
	_, err := loss.Contrast{Score: failing{&mine}, Link: loss.Logistic{}, Beta: 1}.Eval(loss.PairsOut{}, onePair(0, 0))
	inputError(t, err, "RefChosen", 0, 1)
	assert.Equal(t, shared, mine)
}

// undefined gives a score that is no number without saying so.
type undefined struct{}

func (undefined) Score(s, ds []float64, r loss.Responses) error {
	for i := range s {
		s[i], ds[i] = math.NaN(), 1
	}
	return nil
}

func TestContrastRefusesNaNScores(t *testing.T) {
	_, err := loss.Contrast{Score: undefined{}, Link: loss.Logistic{}, Beta: 1}.Eval(loss.PairsOut{}, onePair(0, 0))
	inputError(t, err, "Chosen", 0, -2)
}

func TestContrastParams(t *testing.T) {
	b := onePair(0, 0)
	good := loss.Contrast{Score: loss.LogRatio{}, Link: loss.Logistic{}, Beta: 1}
	for _, v := range []float64{0, -1, inf, math.NaN()} {
		l := good
		l.Beta = v
		_, err := l.Eval(loss.PairsOut{}, b)
		paramError(t, err, "Contrast.Beta", v)
	}
	for _, v := range []float64{inf, -inf, math.NaN()} {
		l := good
		l.Gamma = v
		_, err := l.Eval(loss.PairsOut{}, b)
		paramError(t, err, "Contrast.Gamma", v)
		l = good
		l.Link = loss.Squared{Target: v}
		_, err = l.Eval(loss.PairsOut{}, b)
		paramError(t, err, "Squared.Target", v)
	}
	l := good
	l.Link = loss.Smoothed{Epsilon: 0.5}
	_, err := l.Eval(loss.PairsOut{}, b)
	paramError(t, err, "Smoothed.Epsilon", 0.5)

	for _, l := range []loss.Contrast{{Link: loss.Logistic{}, Beta: 1}, {Score: loss.LogRatio{}, Beta: 1}} {
		assert.PanicsWithValue(t, "loss: Contrast without Score or Link", func() { l.Eval(loss.PairsOut{}, b) })
	}
}

// linear is the link z itself, whose values may cancel.
type linear struct{}

func (linear) Link(value, slope, z []float64) {
	copy(value, z)
	for i := range slope {
		slope[i] = 1
	}
}

func (linear) Check() error { return nil }

// A loss is not lost beside much larger ones of other blocks, before or after it, that cancel.
func TestSumOfLossesThatCancel(t *testing.T) {
	l := loss.Contrast{Score: loss.LogRatio{}, Link: linear{}, Beta: 1}
	for _, at := range [][3]int{{0, 300, 600}, {300, 0, 600}, {600, 0, 300}} {
		b := loss.Pairs{
			Chosen: make([]float64, manyPairs), Rejected: make([]float64, manyPairs),
			RefChosen: make([]float64, manyPairs), RefRejected: make([]float64, manyPairs),
		}
		b.Chosen[at[0]], b.Chosen[at[1]], b.Chosen[at[2]] = 1, 1e17, -1e17
		_, total := eval(t, l, b)
		assert.Equal(t, 1.0, total.Sum)
	}
}
