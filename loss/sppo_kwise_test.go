package loss_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

func TestSPPOKWiseByHand(t *testing.T) {
	// β = ¼: targets (P − ½)·4 = 1.2, −2, 0. Log-ratios 1, 1, 0.5: residuals −0.2, 3, 0.5.
	b := loss.Unpaired{LogProb: []float64{-4, -4, -4.5}, Ref: []float64{-5, -5, -5}}
	out := unpairedOut(3)
	total, err := loss.SPPOKWise{Beta: 0.25}.Eval(out, b, []float64{0.8, 0, 0.5})
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{0.04, 9, 0.25}, out.Loss, 1e-14)
	assert.InDeltaSlice(t, []float64{-0.4, 6, 1}, out.LogProb, 1e-14)
	assert.Equal(t, []float64{1, 1, 0.5}, out.Reward)
	assert.InDelta(t, 9.29, total.Sum, 1e-14)
	assert.Equal(t, [3]int{3, 1, 1}, [3]int{total.Count, total.Correct, total.Ties})

	b.Weight = []float64{2, 0, 0.5}
	total, err = loss.SPPOKWise{Beta: 0.25}.Eval(out, b, []float64{0.8, 0, 0.5})
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{0.08, 0, 0.125}, out.Loss, 1e-14)
	assert.InDeltaSlice(t, []float64{-0.8, 0, 0.5}, out.LogProb, 1e-14)
	assert.InDelta(t, 0.205, total.Sum, 1e-14)
	assert.Equal(t, 1, total.Flat)
}

func TestSPPOKWiseGradient(t *testing.T) {
	b := randomUnpaired(1, 20, 3)
	win := make([]float64, 20)
	for i := range win {
		win[i] = float64(i) / 19
	}
	out := unpairedOut(20)
	_, err := loss.SPPOKWise{Beta: 0.1}.Eval(out, b, win)
	require.NoError(t, err)
	value := func(x []float64) float64 {
		sum := 0.0
		for i := range x {
			sum += math.Pow(x[i]-b.Ref[i]-(win[i]-0.5)/0.1, 2)
		}
		return sum
	}
	assert.InDeltaSlice(t, gradient(value, b.LogProb, 1e-3), out.LogProb, 1e-7)
}

// The unique minimiser is π_ref·e^{(P−½)/β}.
func TestTheorySPPOKWiseMinimiser(t *testing.T) {
	const beta = 0.3
	win := []float64{0, 0.2, 0.5, 1}
	b := loss.Unpaired{Ref: []float64{-1, -2, -3, -4}, LogProb: make([]float64, 4)}
	for i, p := range win {
		b.LogProb[i] = b.Ref[i] + (p-0.5)/beta
	}
	out := unpairedOut(4)
	total, err := loss.SPPOKWise{Beta: beta}.Eval(out, b, win)
	require.NoError(t, err)
	assert.InDelta(t, 0, total.Sum, 1e-28)
	assert.InDeltaSlice(t, make([]float64, 4), out.LogProb, 1e-14)
}

func TestSPPOKWiseLimitsAndErrors(t *testing.T) {
	l := loss.SPPOKWise{Beta: 1}
	out := unpairedOut(2)
	_, err := l.Eval(out, loss.Unpaired{LogProb: []float64{-inf, -1}, Ref: []float64{-1, -inf}}, []float64{0.5, 0.5})
	require.NoError(t, err)
	assert.Equal(t, []float64{inf, inf}, out.Loss)
	assert.Equal(t, []float64{-inf, inf}, out.LogProb)

	b := loss.Unpaired{LogProb: []float64{-1, -1}, Ref: []float64{-1, -1}}
	for _, v := range []float64{-0.1, 1.1, math.NaN(), inf} {
		_, err := l.Eval(out, b, []float64{1, v})
		inputError(t, err, "Win", 1, v)
	}
	for _, v := range []float64{0, -1, inf, math.NaN(), 1e-320} {
		_, err := loss.SPPOKWise{Beta: v}.Eval(out, b, []float64{1, 0})
		paramError(t, err, "SPPOKWise.Beta", v)
	}
	total, err := loss.SPPOKWise{Beta: 4e-309}.Eval(out, b, []float64{1, 0}) // ½/β is still finite
	require.NoError(t, err)
	assert.Equal(t, 2, total.Ties)
	// Log-ratios ½, 2, −1 against win rates above, below and above ½: only the first agrees.
	total, err = l.Eval(loss.UnpairedOut{}, loss.Unpaired{LogProb: []float64{-1.5, -1, -3}, Ref: []float64{-2, -3, -2}}, []float64{0.75, 0.25, 0.75})
	require.NoError(t, err)
	assert.Equal(t, [2]int{1, 0}, [2]int{total.Correct, total.Ties})
	b.Ref[1] = math.NaN()
	_, err = l.Eval(out, b, []float64{1, 0})
	inputError(t, err, "Ref", 1, math.NaN())
	b.LogProb[0], b.Ref[0] = -inf, -inf
	_, err = l.Eval(out, b, []float64{1, 0})
	inputError(t, err, "Ref", 1, math.NaN())
	for _, f := range []func(){
		func() { l.Eval(out, b, []float64{1}) },
		func() { l.Eval(loss.UnpairedOut{Loss: make([]float64, 1)}, b, []float64{1, 0}) },
		func() { l.Eval(out, loss.Unpaired{LogProb: b.LogProb}, []float64{1, 0}) },
	} {
		assert.PanicsWithValue(t, "loss: slices of different lengths", f)
	}
}

func TestWinRates(t *testing.T) {
	dst := make([]float64, 4)
	require.NoError(t, loss.WinRates(dst, []float64{
		0.5, 0.9, // prompt 0
		0.1, 0.5,
		0.5, 1, // prompt 1
		0, 0.5,
	}, 2))
	assert.InDeltaSlice(t, []float64{0.7, 0.3, 0.75, 0.25}, dst, 1e-15)
	inputError(t, loss.WinRates(dst[:2], []float64{0.5, 2, 0, 0.5}, 2), "Prefer", 1, 2)
	for _, f := range []func(){
		func() { loss.WinRates(dst[:1], []float64{0.5}, 1) },
		func() { loss.WinRates(dst[:3], make([]float64, 6), 2) },
		func() { loss.WinRates(dst, make([]float64, 6), 2) },
	} {
		assert.Panics(t, f)
	}
}

func TestSPPOKWiseAllocatesNothing(t *testing.T) {
	b, out := randomUnpaired(10, manyPairs, 2), unpairedOut(manyPairs)
	win := make([]float64, manyPairs)
	run := func() { loss.SPPOKWise{Beta: 0.1}.Eval(out, b, win) }
	allocatesNothing(t, run)
}

func BenchmarkSPPOKWise(b *testing.B) {
	for _, n := range sizes {
		u, out := randomUnpaired(1, n, 3), unpairedOut(n)
		win := make([]float64, n)
		bench(b, n, func() error { _, err := loss.SPPOKWise{Beta: 0.1}.Eval(out, u, win); return err })
	}
}

// Three replies to one prompt, each compared with each by a judge.
func ExampleSPPOKWise() {
	win := make([]float64, 3)
	err := loss.WinRates(win, []float64{
		0.5, 0.9, 0.8,
		0.1, 0.5, 0.3,
		0.2, 0.7, 0.5,
	}, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	batch := loss.Unpaired{LogProb: []float64{-11, -14, -25}, Ref: []float64{-12, -12, -22}}
	grad := make([]float64, 3)
	total, err := loss.SPPOKWise{Beta: 0.1}.Eval(loss.UnpairedOut{LogProb: grad}, batch, win)
	fmt.Printf("win rates %.3f, loss %.2f, ∂logprob %.2f, %v\n", win, total.Sum, grad, err)
	// Output:
	// win rates [0.733 0.300 0.467], loss 8.89, ∂logprob [-2.67 0.00 -5.33], <nil>
}
