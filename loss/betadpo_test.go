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

// twoMargins is a batch with h = 3 and h = −1.
func twoMargins() loss.Pairs {
	return loss.Pairs{
		Chosen: []float64{-1, -6}, RefChosen: []float64{-2, -5},
		Rejected: []float64{-4, -5}, RefRejected: []float64{-2, -5},
	}
}

func TestBetaDPOByHand(t *testing.T) {
	// Mean of h: 1. β_B = ½·(1 + ½·(1 − (−1))) = 1. −log σ(3) = log(1+e⁻³) = 0.048587351574,
	// −log σ(−1) = 1.313261687518; slopes −σ(−3) = −0.047425873178, −σ(1) = −0.731058578630.
	l := loss.BetaDPO{Beta: 0.5, Alpha: 0.5, Center: -1}
	out, total := eval(t, l, twoMargins())
	assert.InDeltaSlice(t, []float64{0.048587351574, 1.313261687518}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.047425873178, -0.731058578630}, out.Chosen, 1e-12)
	assert.InDeltaSlice(t, []float64{0.047425873178, 0.731058578630}, out.Rejected, 1e-12)
	assert.Equal(t, []float64{1, -1}, out.RewardChosen)
	assert.Equal(t, [3]int{2, 1, 0}, [3]int{total.Count, total.Correct, total.Clipped})

	// Floor: ½·(1 + ½·(1 − 4)) = −¼, raised to ½: DPO.
	out, total = eval(t, loss.BetaDPO{Beta: 0.5, Alpha: 0.5, Center: 4, Floor: 0.5}, twoMargins())
	want, _ := eval(t, loss.DPO{Beta: 0.5}, twoMargins())
	assert.Equal(t, want, out)
	assert.Equal(t, 2, total.Clipped)
	_, total = eval(t, loss.BetaDPO{Beta: 0.5, Alpha: 0.5, Center: -1, Floor: 1}, twoMargins()) // 1 as it is
	assert.Zero(t, total.Clipped)
	_, err := loss.BetaDPO{Beta: 0.5, Alpha: 0.5, Center: 4}.Eval(out, twoMargins())
	paramError(t, err, "BetaDPO's β of this batch", -0.25)
}

// With α = 0, or margins at the centre, it is DPO; β_B has no derivative.
func TestBetaDPODetachesBeta(t *testing.T) {
	b := randomPairs(1, 20, 3)
	want, _ := eval(t, loss.DPO{Beta: 0.3}, b)
	got, _ := eval(t, loss.BetaDPO{Beta: 0.3, Center: 7}, b)
	assert.Equal(t, want, got)

	l := loss.BetaDPO{Beta: 0.3, Alpha: 0.4, Center: -1}
	out, _ := eval(t, l, b)
	beta, _, err := l.At(b)
	require.NoError(t, err)
	held := func(x []float64) float64 {
		c := b
		c.Chosen = x
		_, total := eval(t, loss.DPO{Beta: beta}, c)
		return total.Sum
	}
	assert.InDeltaSlice(t, gradient(held, b.Chosen, 1e-4), out.Chosen, 1e-8)
	free := func(x []float64) float64 {
		c := b
		c.Chosen = x
		_, total := eval(t, l, c)
		return total.Sum
	}
	assert.Greater(t, math.Abs(gradient(free, b.Chosen, 1e-4)[0]-out.Chosen[0]), 1e-4)
}

func TestRunningMargin(t *testing.T) {
	// h = 3, −1: mean 1, standard deviation √8. Twice with momentum ¾: 1/4, then 7/16.
	g := loss.RunningMargin{Momentum: 0.75}
	require.NoError(t, g.Add(twoMargins()))
	assert.InDelta(t, 0.25, g.Mean, 1e-15)
	assert.InDelta(t, math.Sqrt(8)/4, g.Std, 1e-15)
	require.NoError(t, g.Add(twoMargins()))
	assert.InDelta(t, 7.0/16, g.Mean, 1e-15)
	assert.InDelta(t, math.Sqrt(8)*7/16, g.Std, 1e-15)

	// h = 0, 3, 6: deviation √((9 + 0 + 9)/2) = 3.
	var three loss.RunningMargin
	require.NoError(t, three.Add(loss.Pairs{
		Chosen: []float64{-1, -1, -1}, Rejected: []float64{-1, -4, -7},
		RefChosen: []float64{-2, -2, -2}, RefRejected: []float64{-2, -2, -2},
	}))
	assert.Equal(t, loss.RunningMargin{Mean: 3, Std: 3}, three)

	w := make([]float64, 2)
	g.Mean, g.Std = 1, 4
	require.NoError(t, g.LogWeights(w, twoMargins()))
	assert.Equal(t, []float64{-0.125, -0.125}, w) // −½·(±2/4)²

	text, err := json.Marshal(g)
	require.NoError(t, err)
	var back loss.RunningMargin
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, g, back)
}

// Defect 30: mean and deviation of margins with a large common part keep their digits.
func TestDefectMarginMoments(t *testing.T) {
	b := twoMargins()
	b.Chosen[0] += 1e8
	b.Chosen[1] += 1e8
	var g loss.RunningMargin
	require.NoError(t, g.Add(b))
	assert.Equal(t, 1e8+1, g.Mean)
	assert.InDelta(t, math.Sqrt(8), g.Std, 1e-7)
}

func TestBetaDPOErrors(t *testing.T) {
	b := twoMargins()
	good := loss.BetaDPO{Beta: 1, Alpha: 0.1, Floor: 0.1}
	for _, v := range []float64{-1, inf, math.NaN()} {
		l := good
		l.Beta = v
		_, err := l.Eval(loss.PairsOut{}, b)
		paramError(t, err, "BetaDPO.Beta", v)
		l = good
		l.Alpha = v
		_, err = l.Eval(loss.PairsOut{}, b)
		paramError(t, err, "BetaDPO.Alpha", v)
		l = good
		l.Floor = v
		_, err = l.Eval(loss.PairsOut{}, b)
		paramError(t, err, "BetaDPO.Floor", v)
	}
	for _, v := range []float64{inf, -inf, math.NaN()} {
		l := good
		l.Center = v
		_, err := l.Eval(loss.PairsOut{}, b)
		paramError(t, err, "BetaDPO.Center", v)
		for field, of := range map[string][]float64{
			"Chosen": b.Chosen, "Rejected": b.Rejected, "RefChosen": b.RefChosen, "RefRejected": b.RefRejected,
		} {
			before := of[1]
			of[1] = v
			_, err := good.Eval(loss.PairsOut{}, b)
			inputError(t, err, field, 1, v)
			g := loss.RunningMargin{Mean: 1, Std: 2}
			inputError(t, g.Add(b), field, 1, v)
			inputError(t, g.LogWeights(make([]float64, 2), b), field, 1, v)
			assert.Equal(t, loss.RunningMargin{Mean: 1, Std: 2}, g)
			of[1] = before
		}
	}
	for _, v := range []float64{-0.1, 1, math.NaN()} {
		g := loss.RunningMargin{Momentum: v}
		paramError(t, g.Add(b), "RunningMargin.Momentum", v)
	}
	var g loss.RunningMargin
	paramError(t, g.LogWeights(make([]float64, 2), b), "RunningMargin.Std", 0)
	for _, f := range []func(){
		func() { g.Add(onePair(1, 0)) },
		func() { g.LogWeights(make([]float64, 3), b) },
		func() { good.Eval(loss.PairsOut{}, loss.Pairs{Chosen: b.Chosen, Rejected: b.Rejected}) },
		func() { good.Eval(loss.PairsOut{Loss: make([]float64, 3)}, b) },
		func() { w := b; w.Weight = b.Chosen; good.Eval(loss.PairsOut{}, w) },
	} {
		assert.Panics(t, f)
	}
	total, err := good.Eval(loss.PairsOut{}, loss.Pairs{})
	require.NoError(t, err)
	assert.Equal(t, loss.Total{}, total)
	assert.True(t, loss.IsCoupled(good))
}

func TestBetaDPOAllocatesNothing(t *testing.T) {
	b, out := randomPairs(10, manyPairs, 2), pairsOut(manyPairs)
	l := loss.BetaDPO{Beta: 0.1, Alpha: 0.1, Floor: 0.01}
	allocatesNothing(t, func() { l.Eval(out, b) })
}

func BenchmarkBetaDPO(b *testing.B) {
	for _, n := range sizes {
		p, out := randomPairs(1, n, 3), pairsOut(n)
		l := loss.BetaDPO{Beta: 0.1, Alpha: 0.1, Floor: 0.01}
		bench(b, n, func() error { _, err := l.Eval(out, p); return err })
	}
}

// A step as the authors take it, but for the drawing of pairs.
func ExampleBetaDPO() {
	batch := loss.Pairs{
		Chosen: []float64{-11, -25, -6}, Rejected: []float64{-14, -20, -9},
		RefChosen: []float64{-12, -22, -9}, RefRejected: []float64{-12, -21, -9},
	}
	running := loss.RunningMargin{Momentum: 0.9}
	if err := running.Add(batch); err != nil {
		fmt.Println(err)
		return
	}
	objective := loss.BetaDPO{Beta: 0.1, Alpha: 0.6, Center: running.Mean, Floor: 1e-3}
	beta, _, err := objective.At(batch)
	if err != nil {
		fmt.Println(err)
		return
	}
	total, err := objective.Eval(loss.PairsOut{}, batch)
	fmt.Printf("M₀ = %.3f, β = %.4f, loss %.4f, %v\n", running.Mean, beta, total.Mean(), err)
	// Output:
	// M₀ = 0.067, β = 0.1360, loss 0.6738, <nil>
}
