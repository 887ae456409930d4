package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// With V* exact for β, A*-PO's loss and derivative are 0 for every reply at π ∝ π_ref·e^{r/β}.
func TestAStarPOMinimiser(t *testing.T) {
	const beta = 0.5
	count := []int{3, 1, 4} // π_ref is count/8: rewards of these replies are exactly its samples
	reward := []float64{1, -0.3, 0.4}
	var samples []float64
	z := 0.0
	for i, n := range count {
		for range n {
			samples = append(samples, reward[i])
		}
		z += float64(n) / 8 * math.Exp(reward[i]/beta)
	}
	value, err := loss.OptimalValue(samples, beta)
	require.NoError(t, err)
	within(t, beta*math.Log(z), value, 1e-15)
	var b loss.Rollouts
	b.Begin = []int{0}
	for i, n := range count { // each reply's log-probability in two tokens
		ref := math.Log(float64(n) / 8)
		b.Ref = append(b.Ref, ref/3, 2*ref/3)
		lp := ref + reward[i]/beta - math.Log(z)
		b.LogProb = append(b.LogProb, lp/2, lp/2)
		b.Advantage = append(b.Advantage, reward[i]-value, reward[i]-value)
		b.Begin, b.Prompt = append(b.Begin, len(b.Ref)), append(b.Prompt, 0)
	}
	out, total := evalRollouts(t, loss.AStarPO{Beta: beta}, b)
	assert.InDelta(t, 0, total.Sum, 1e-28)
	assert.InDeltaSlice(t, make([]float64, 6), out.LogProb, 1e-14)

	// Its derivative elsewhere, weights included.
	b.LogProb[0], b.Weight = -3, []float64{1, 3, 1, 1, 1, 1}
	out, _ = evalRollouts(t, loss.AStarPO{Beta: beta}, b)
	value0 := func(x []float64) float64 {
		c := b
		c.LogProb = x
		_, total := evalRollouts(t, loss.AStarPO{Beta: beta}, c)
		return total.Sum
	}
	assert.InDeltaSlice(t, gradient(value0, b.LogProb, 1e-3), out.LogProb, 1e-10)
	d := beta*(b.LogProb[0]+b.LogProb[1]-b.Ref[0]-b.Ref[1]) - b.Advantage[0]
	within(t, 2*d*d, out.Loss[0], 1e-14)

	b.Advantage[3]++
	_, err = loss.AStarPO{Beta: beta}.Eval(loss.RolloutsOut{}, b)
	inputError(t, err, "Advantage", 3, b.Advantage[3])
	assert.PanicsWithValue(t, "loss: Rollouts without Advantage, which the objective uses", func() {
		loss.AStarPO{Beta: beta}.Eval(loss.RolloutsOut{}, loss.Rollouts{Layout: b.Layout, LogProb: b.LogProb, Ref: b.Ref})
	})
}

func TestOptimalValue(t *testing.T) {
	for _, c := range []struct {
		name   string
		reward []float64
		beta   float64
		want   float64
		tol    float64
	}{
		{"one reward", []float64{0.3}, 1e-3, 0.3, 0},
		{"equal rewards", []float64{-7, -7, -7}, 2, -7, 0},
		{"binary", []float64{1, 0, 0, 0}, 0.5, 0.5 * math.Log((math.Exp(2)+3)/4), 1e-15},
		{"small β: the maximum less β·log n", []float64{1, 0}, 1e-3, 1 - 1e-3*math.Ln2, 1e-15},
		{"e^{r/β} overflows", []float64{1e300, -1e300}, 1, 1e300, 1e-15},
		{"large β: the mean", []float64{1, 2, 6}, 1e9, 3, 1e-8},
	} {
		v, err := loss.OptimalValue(c.reward, c.beta)
		require.NoError(t, err)
		within(t, c.want, v, c.tol, c.name)
	}
	_, err := loss.OptimalValue([]float64{1, math.NaN()}, 1)
	inputError(t, err, "Reward", 1, math.NaN())
	for _, beta := range []float64{0, -1, inf, math.NaN()} {
		_, err := loss.OptimalValue([]float64{1}, beta)
		var bad *loss.ParamError
		require.ErrorAs(t, err, &bad)
	}
	assert.Panics(t, func() { loss.OptimalValue(nil, 1) })
}

// REBEL is 0 at a step of mirror descent, π ∝ π_t·e^{η·r}; its derivative is that of its value.
func TestREBEL(t *testing.T) {
	const eta = 0.4
	reward := []float64{1, -0.5}
	b := loss.Pairs{Chosen: []float64{-2 + eta*reward[0] - 0.1}, Rejected: []float64{-3 + eta*reward[1] - 0.1},
		RefChosen: []float64{-2}, RefRejected: []float64{-3}, Margin: []float64{reward[0] - reward[1]}}
	out, total := eval(t, loss.REBEL{Eta: eta}, b)
	assert.InDelta(t, 0, total.Sum, 1e-28)
	assert.InDelta(t, 0, out.Chosen[0], 1e-13)
	b.Chosen[0] = -1
	out, _ = eval(t, loss.REBEL{Eta: eta}, b)
	z := (1-(-0.2-0.1))/eta - 1.5
	within(t, z*z, out.Loss[0], 1e-14)
	pairGradient(t, loss.REBEL{Eta: eta}, b, 1e-3, 1e-9)
	// Who is called chosen does not matter.
	c := loss.Pairs{Chosen: b.Rejected, Rejected: b.Chosen, RefChosen: b.RefRejected, RefRejected: b.RefChosen, Margin: []float64{-1.5}}
	swapped, _ := eval(t, loss.REBEL{Eta: eta}, c)
	assert.Equal(t, out.Loss, swapped.Loss)
	assert.Equal(t, out.Chosen, swapped.Rejected)
	curvature := make([]float64, 1)
	require.NoError(t, loss.REBEL{Eta: eta}.Curvature(curvature, b))
	assert.Equal(t, []float64{2}, curvature)

	for _, eta := range []float64{0, -1, inf, math.NaN(), 1e-320} {
		_, err := loss.REBEL{Eta: eta}.Eval(loss.PairsOut{}, b)
		var bad *loss.ParamError
		require.ErrorAs(t, err, &bad)
		assert.Equal(t, "REBEL.Eta", bad.Param)
	}
	b.Margin = nil
	assert.PanicsWithValue(t, "loss: REBEL without Margin, the differences of rewards", func() { loss.REBEL{Eta: eta}.Eval(loss.PairsOut{}, b) })
}

func TestOverlongPenalty(t *testing.T) {
	length := []int{0, 80, 81, 90, 100, 101, 500}
	reward := []float64{1, 1, 1, 1, 1, 1, 1}
	require.NoError(t, loss.OverlongPenalty{Max: 100, Buffer: 20}.AddTo(reward, length))
	assert.InDeltaSlice(t, []float64{1, 1, 0.95, 0.5, 0, 0, 0}, reward, 1e-15)
	reward = make([]float64, 2)
	require.NoError(t, loss.OverlongPenalty{Max: 100}.AddTo(reward, []int{100, 101}))
	assert.Equal(t, []float64{0, -1}, reward, "a step")
	inputError(t, loss.OverlongPenalty{Max: 1}.AddTo(reward, []int{0, -1}), "Length", 1, -1)
	for param, o := range map[string]loss.OverlongPenalty{"OverlongPenalty.Max": {}, "OverlongPenalty.Buffer": {Max: 1, Buffer: 2}} {
		var bad *loss.ParamError
		require.ErrorAs(t, o.AddTo(reward, []int{0, 0}), &bad)
		assert.Equal(t, param, bad.Param)
	}
	assert.Panics(t, func() { loss.OverlongPenalty{Max: 1}.AddTo(reward, nil) })
}

// Values of the regression of a value function by hand, and derivatives by differences.
func TestValueLoss(t *testing.T) {
	nan := math.NaN()
	b := loss.Values{
		Layout: loss.Layout{Begin: []int{0, 5, 6}, Prompt: []int{1, 1}},
		// Moved towards the return beyond the clip, away from it beyond, within, and at a tie.
		Value:  []float64{nan, 2, -2, 0.25, 2, nan},
		Old:    []float64{nan, 0, 0, 0, 0, nan},
		Return: []float64{nan, 3, 3, 3, 1.25, nan},
	}
	out, total := evalValues(t, loss.ValueLoss{Clip: 0.5, By: loss.SumTokens}, b)
	assert.Equal(t, (2.5*2.5+25+2.75*2.75+0.75*0.75)/2, total.Sum)
	assert.Equal(t, []float64{0, 0, -5, -2.75, 0.75, 0}, out.Value)
	assert.Equal(t, loss.ValuesTotal{TokenTotal: loss.TokenTotal{Sum: total.Sum, Tokens: 4, Sequences: 2}, Clipped: 1, Empty: 1}, total)
	assert.Equal(t, []float64{total.Sum, 0}, out.Loss)
	out, total = evalValues(t, loss.ValueLoss{By: loss.MeanTokens}, b)
	assert.Equal(t, []float64{total.Sum, 0}, out.Loss)
	assert.Equal(t, (1+25+2.75*2.75+0.75*0.75)/8, total.Sum)
	assert.Equal(t, []float64{0, -0.25, -1.25, -2.75 / 4, 0.75 / 4, 0}, out.Value)

	r := randomRollouts(3, 9, 0.5, true, true)
	v := loss.Values{Layout: r.Layout, Value: r.LogProb, Old: r.Old, Return: r.Ref}
	l := loss.ValueLoss{Clip: 0.3, By: loss.MeanTokens}
	out, total = evalValues(t, l, v)
	assert.Positive(t, total.Clipped)
	at := func(x []float64) float64 {
		c := v
		c.Value = x
		_, total := evalValues(t, l, c)
		return total.Sum
	}
	assert.InDeltaSlice(t, gradient(at, v.Value, 1e-5), out.Value, 1e-7)

	for field, f := range map[string]func(*loss.Values) []float64{"Value": func(b *loss.Values) []float64 { return b.Value },
		"Old": func(b *loss.Values) []float64 { return b.Old }, "Return": func(b *loss.Values) []float64 { return b.Return }} {
		c := loss.Values{Layout: loss.Layout{Begin: []int{0, 1}, Prompt: []int{0}}, Value: []float64{0}, Old: []float64{0}, Return: []float64{0}}
		f(&c)[0] = inf
		_, err := loss.ValueLoss{Clip: 1, By: loss.SumTokens}.Eval(loss.ValuesOut{}, c)
		inputError(t, err, field, 0, inf)
	}
	for param, l := range map[string]loss.ValueLoss{"ValueLoss.Clip": {Clip: -1, By: loss.SumTokens}, "ValueLoss.By": {}} {
		_, err := l.Eval(loss.ValuesOut{}, v)
		var bad *loss.ParamError
		require.ErrorAs(t, err, &bad)
		assert.Equal(t, param, bad.Param)
	}
	one := loss.Values{Layout: loss.Layout{Begin: []int{0, 1}, Prompt: []int{0}}, Value: []float64{1}}
	assert.PanicsWithValue(t, "loss: Values without Return, or without Old for a clip", func() { l.Eval(loss.ValuesOut{}, one) })
	v.Old = nil
	assert.PanicsWithValue(t, "loss: Values without Return, or without Old for a clip", func() { l.Eval(loss.ValuesOut{}, v) })
	_, free := evalValues(t, loss.ValueLoss{By: loss.SumTokens}, v) // without a clip, old values are not needed
	assert.Zero(t, free.Clipped)
	sum := loss.ValuesTotal{Clipped: 1, Empty: 2}
	sum.Add(total)
	assert.Equal(t, total.Clipped+1, sum.Clipped)
	assert.Equal(t, total.Sum, sum.Sum)
}
