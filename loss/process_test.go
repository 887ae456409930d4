package loss_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

func stepsOut(b loss.Steps) loss.StepsOut {
	return loss.StepsOut{Loss: make([]float64, len(b.Begin)-1), Logit: make([]float64, len(b.Logit))}
}

func TestProcessRewardByHand(t *testing.T) {
	// log(1+e⁻¹) = 0.313261687518 for z = 1, q = 1; log 2 for z = 0; with q = ¼ and z = 1:
	// ¼·0.313261687518 + ¾·1.313261687518 = 1.063261687518. Derivatives σ(z) − q:
	// −0.268941421370, ½, 0.481058578630.
	b := loss.Steps{Logit: []float64{1, 0, 1}, Label: []float64{1, 0, 0.25}, Begin: []int{0, 2, 3}}
	out := stepsOut(b)
	total, err := loss.ProcessReward{By: loss.SumTokens}.Eval(out, b)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{1.006408868078, 1.063261687518}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.268941421370, 0.5, 0.481058578630}, out.Logit, 1e-12)
	assert.Equal(t, [2]int{3, 2}, [2]int{total.Tokens, total.Sequences})
	assert.InDelta(t, 2.069670555596, total.Sum, 1e-12)
	total, err = loss.ProcessReward{By: loss.MeanTokens}.Eval(out, b)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{0.503204434039, 1.063261687518}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.134470710685, 0.25, 0.481058578630}, out.Logit, 1e-12)
	assert.InDelta(t, 1.566466121557, total.Sum, 1e-12)
}

func TestProcessRewardGradientAndExtremes(t *testing.T) {
	l := loss.ProcessReward{By: loss.SumTokens}
	for _, q := range []float64{0, 0.3, 1} {
		for _, z := range []float64{0, 1e-9, -2, 5, 100, -100, 1e4, -1e4} {
			b := loss.Steps{Logit: []float64{z}, Label: []float64{q}, Begin: []int{0, 1}}
			out := stepsOut(b)
			_, err := l.Eval(out, b)
			require.NoError(t, err)
			value := func(x []float64) float64 {
				total, err := l.Eval(loss.StepsOut{}, loss.Steps{Logit: x, Label: b.Label, Begin: b.Begin})
				require.NoError(t, err)
				return total.Sum
			}
			assert.InDelta(t, gradient(value, b.Logit, 1e-3)[0], out.Logit[0], 1e-7)
		}
	}
	b := loss.Steps{Logit: []float64{300, -300}, Label: []float64{1, 0}, Begin: []int{0, 2}}
	out := stepsOut(b)
	_, err := l.Eval(out, b)
	require.NoError(t, err)
	within(t, 2*math.Exp(-300), out.Loss[0], 1e-13)
	within(t, -math.Exp(-300), out.Logit[0], 1e-13)
	within(t, math.Exp(-300), out.Logit[1], 1e-13)
}

func TestTheoryProcessRewardMinimiser(t *testing.T) {
	for _, q := range []float64{0.01, 0.5, 0.8} {
		at := math.Log(q / (1 - q))
		b := loss.Steps{Logit: []float64{at, at + 0.1, at - 0.1}, Label: []float64{q, q, q}, Begin: []int{0, 3}}
		out := stepsOut(b)
		_, err := loss.ProcessReward{By: loss.SumTokens}.Eval(out, b)
		require.NoError(t, err)
		assert.InDelta(t, 0, out.Logit[0], 1e-16)
		assert.Greater(t, out.Logit[1], 1e-4)
		assert.Less(t, out.Logit[2], -1e-4)
	}
}

func TestProcessRewardErrors(t *testing.T) {
	b := func() loss.Steps {
		return loss.Steps{Logit: make([]float64, 3), Label: make([]float64, 3), Begin: []int{0, 2, 3}}
	}
	l := loss.ProcessReward{By: loss.SumTokens}
	_, err := loss.ProcessReward{}.Eval(loss.StepsOut{}, b())
	paramError(t, err, "ProcessReward.By", 0)
	for _, v := range []float64{math.NaN(), inf, -inf} {
		s := b()
		s.Logit[1] = v
		_, err := l.Eval(loss.StepsOut{}, s)
		inputError(t, err, "Logit", 1, v)
	}
	for _, v := range []float64{math.NaN(), -0.1, 1.1, -100} {
		s := b()
		s.Label[2] = v
		_, err := l.Eval(loss.StepsOut{}, s)
		inputError(t, err, "Label", 2, v)
	}
	s := b()
	s.Begin = []int{0, 3, 3}
	total, err := l.Eval(loss.StepsOut{}, s) // a solution of no steps
	require.NoError(t, err)
	assert.Equal(t, 2, total.Sequences)
	_, err = loss.ProcessReward{By: loss.MeanTokens}.Eval(loss.StepsOut{}, s)
	inputError(t, err, "Len", 1, 0)
	for name, change := range map[string]func(s *loss.Steps, out *loss.StepsOut){
		"short labels":      func(s *loss.Steps, _ *loss.StepsOut) { s.Label = s.Label[:2] },
		"no offsets":        func(s *loss.Steps, _ *loss.StepsOut) { s.Begin = nil },
		"starts late":       func(s *loss.Steps, _ *loss.StepsOut) { s.Begin[0] = 1 },
		"ends early":        func(s *loss.Steps, _ *loss.StepsOut) { s.Begin[2] = 2 },
		"decreasing":        func(s *loss.Steps, _ *loss.StepsOut) { s.Begin = []int{0, 4, 3} },
		"long losses":       func(_ *loss.Steps, out *loss.StepsOut) { out.Loss = make([]float64, 3) },
		"short derivatives": func(_ *loss.Steps, out *loss.StepsOut) { out.Logit = make([]float64, 2) },
	} {
		s, out := b(), stepsOut(b())
		change(&s, &out)
		assert.Panics(t, func() { l.Eval(out, s) }, name)
	}
	s = b()
	s.Begin = []int{0, 4, 3}
	assert.PanicsWithValue(t, "loss: Steps.Begin does not span the batch", func() { l.Eval(loss.StepsOut{}, s) })
	total, err = l.Eval(loss.StepsOut{}, loss.Steps{})
	require.NoError(t, err)
	assert.Equal(t, loss.TokenTotal{}, total)
}

func TestProcessRewardAllocatesNothing(t *testing.T) {
	b := loss.Steps{Logit: make([]float64, 100), Label: make([]float64, 100), Begin: []int{0, 50, 100}}
	out := stepsOut(b)
	allocatesNothing(t, func() { loss.ProcessReward{By: loss.MeanTokens}.Eval(out, b) })
}

func BenchmarkProcessReward(b *testing.B) {
	for _, n := range sizes {
		p := randomPairs(1, n, 3)
		s := loss.Steps{Logit: p.Chosen, Label: make([]float64, n), Begin: []int{0, n}}
		out := stepsOut(s)
		bench(b, n, func() error { _, err := loss.ProcessReward{By: loss.SumTokens}.Eval(out, s); return err })
	}
}

// A solution of three steps, the last of which is wrong, and one whose first step led to a
// right answer in a quarter of the rollouts.
func ExampleProcessReward() {
	batch := loss.Steps{
		Logit: []float64{2, 1, 0.5, -1},
		Label: []float64{1, 1, 0, 0.25},
		Begin: []int{0, 3, 4},
	}
	grad := make([]float64, 4)
	total, err := loss.ProcessReward{By: loss.SumTokens}.Eval(loss.StepsOut{Logit: grad}, batch)
	fmt.Printf("%.4f per step, ∂logit %.3f, %v\n", total.Sum/float64(total.Tokens), grad, err)
	// Output:
	// 0.4944 per step, ∂logit [-0.119 -0.269 0.622 0.019], <nil>
}
