package loss_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

func TestAOTByHand(t *testing.T) {
	// Policy margins c − r: 3, −1; of the reference 1, 2. Sorted −1, 3 against 1, 2: −2, 1.
	// β = ½: −log σ(−1) = 1.313261687518, −log σ(½) = 0.474076984180; slopes −σ(1) =
	// −0.731058578630 and −σ(−½) = −0.377540668798, times ½.
	b := loss.Pairs{
		Chosen: []float64{-2, -6}, Rejected: []float64{-5, -5},
		RefChosen: []float64{-3, -4}, RefRejected: []float64{-4, -6},
	}
	far, _ := eval(t, loss.AOT{Beta: 0.5}, onePair(3, -6))
	assert.Equal(t, []float64{1.5, -3}, []float64{far.RewardChosen[0], far.RewardRejected[0]})
	_, total := eval(t, loss.AOT{Beta: 1e3}, onePair(3, -6)) // the slope is e⁻⁹⁰⁰⁰
	assert.Equal(t, 1, total.Flat)
	out := pairsOut(2)
	out.RefChosen, out.RefRejected = make([]float64, 2), make([]float64, 2)
	total, err := loss.AOT{Beta: 0.5}.Eval(out, b)
	require.NoError(t, err)
	assert.Zero(t, total.Flat)
	assert.InDeltaSlice(t, []float64{0.474076984180, 1.313261687518}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.188770334399, -0.365529289315}, out.Chosen, 1e-12)
	assert.InDeltaSlice(t, []float64{0.188770334399, 0.365529289315}, out.Rejected, 1e-12)
	// The reference's margin 1 of pair 0 is the smaller, with the policy's −1 of pair 1.
	assert.InDeltaSlice(t, []float64{0.365529289315, 0.188770334399}, out.RefChosen, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.365529289315, -0.188770334399}, out.RefRejected, 1e-12)
	assert.Equal(t, []float64{0.5, -1}, out.RewardChosen)
	assert.Equal(t, []float64{-0.5, 0.5}, out.RewardRejected)
	assert.Equal(t, [3]int{2, 1, 0}, [3]int{total.Count, total.Correct, total.Ties})
	assert.InDelta(t, 1.787338671698, total.Sum, 1e-12)
}

// Where margins of policy and reference have the same order, AOT is DPO; else it is DPO's
// value on sorted margins, which for a convex link is the least of all pairings.
func TestAOTIsDPOInOrder(t *testing.T) {
	b := randomPairs(1, 30, 0.01)
	slices.Sort(b.RefChosen)
	slices.SortFunc(b.RefRejected, func(a, b float64) int { return -int(math.Copysign(1, a-b)) })
	for i := range b.Chosen { // far apart, so that a small move changes no order
		b.RefChosen[i] += float64(i)
		b.Chosen[i], b.Rejected[i] = b.RefChosen[i]+0.01*float64(i%3), b.RefRejected[i]-0.02*float64(i%2)
	}
	for _, eps := range []float64{0, 0.2} {
		want, total := eval(t, loss.DPO{Beta: 0.7, LabelSmoothing: eps}, b)
		got, aot := eval(t, loss.AOT{Beta: 0.7, LabelSmoothing: eps}, b)
		for i := range want.Loss {
			within(t, want.Loss[i], got.Loss[i], 1e-12)
			within(t, want.Chosen[i], got.Chosen[i], 1e-12)
			within(t, want.Rejected[i], got.Rejected[i], 1e-12)
		}
		assert.InDelta(t, total.Sum, aot.Sum, 1e-12)
	}
	b = randomPairs(2, 30, 5)
	_, dpo := eval(t, loss.DPO{Beta: 0.3}, b)
	_, aot := eval(t, loss.AOT{Beta: 0.3}, b)
	assert.Less(t, aot.Sum, dpo.Sum-0.1)
}

func TestAOTGradient(t *testing.T) {
	l := loss.AOT{Beta: 0.4, LabelSmoothing: 0.05}
	for seed := range uint64(3) {
		const n = 9
		b := randomPairs(seed, n, 3)
		out := pairsOut(n)
		out.RefChosen, out.RefRejected = make([]float64, n), make([]float64, n)
		_, err := l.Eval(out, b)
		require.NoError(t, err)
		value := func(x []float64) float64 {
			_, total := eval(t, l, loss.Pairs{Chosen: x[:n], Rejected: x[n : 2*n], RefChosen: x[2*n : 3*n], RefRejected: x[3*n:]})
			return total.Sum
		}
		want := gradient(value, slices.Concat(b.Chosen, b.Rejected, b.RefChosen, b.RefRejected), 1e-5)
		assert.InDeltaSlice(t, want, slices.Concat(out.Chosen, out.Rejected, out.RefChosen, out.RefRejected), 1e-8)
	}
	for _, h := range []float64{0, 1e-9, 100, -100, 1e4, -1e4} {
		pairGradient(t, l, onePair(h, 0), 1e-3, 1e-7)
	}
}

// The order of the batch does not matter, but for ties.
func TestAOTPermutation(t *testing.T) {
	b := randomPairs(3, 25, 4)
	want, total := eval(t, loss.AOT{Beta: 0.2}, b)
	p := loss.Pairs{Chosen: make([]float64, 25), Rejected: make([]float64, 25), RefChosen: make([]float64, 25), RefRejected: make([]float64, 25)}
	perm := rand.New(rand.NewPCG(1, 1)).Perm(25)
	for i, j := range perm {
		p.Chosen[i], p.Rejected[i], p.RefChosen[i], p.RefRejected[i] = b.Chosen[j], b.Rejected[j], b.RefChosen[j], b.RefRejected[j]
	}
	got, again := eval(t, loss.AOT{Beta: 0.2}, p)
	within(t, total.Sum, again.Sum, 1e-14)
	for i, j := range perm {
		assert.Equal(t, want.Chosen[j], got.Chosen[i])
	}
}

func TestAOTErrors(t *testing.T) {
	b := randomPairs(4, 4, 1)
	for _, v := range []float64{0, -1, inf, math.NaN()} {
		_, err := loss.AOT{Beta: v}.Eval(loss.PairsOut{}, b)
		paramError(t, err, "AOT.Beta", v)
	}
	_, err := loss.AOT{Beta: 1, LabelSmoothing: 0.5}.Eval(loss.PairsOut{}, b)
	paramError(t, err, "AOT.LabelSmoothing", 0.5)
	for _, c := range []struct {
		field string
		value float64
		set   func(b loss.Pairs)
	}{
		{"Chosen", math.NaN(), func(b loss.Pairs) { b.Chosen[2] = math.NaN() }},
		{"Rejected", inf, func(b loss.Pairs) { b.Rejected[2] = inf }},
		{"RefChosen", math.NaN(), func(b loss.Pairs) { b.RefChosen[2] = math.NaN() }},
		{"RefRejected", inf, func(b loss.Pairs) { b.RefRejected[2] = inf }},
		{"Chosen", -inf, func(b loss.Pairs) { b.Chosen[2], b.Rejected[2] = -inf, -inf }},
		{"RefChosen", -inf, func(b loss.Pairs) { b.RefChosen[2], b.RefRejected[2] = -inf, -inf }},
		{"Chosen", -inf, func(b loss.Pairs) { b.Chosen[2], b.RefChosen[2] = -inf, -inf }},
		{"Rejected", -inf, func(b loss.Pairs) { b.Rejected[2], b.RefRejected[2] = -inf, -inf }},
	} {
		b := randomPairs(4, 4, 1)
		c.set(b)
		_, err := loss.AOT{Beta: 1}.Eval(loss.PairsOut{}, b)
		inputError(t, err, c.field, 2, c.value)
	}
	b.Chosen[1], b.RefChosen[3] = -inf, -inf // the least margin of both
	_, err = loss.AOT{Beta: 1}.Eval(loss.PairsOut{}, b)
	inputError(t, err, "Chosen−Rejected", 1, -inf)
	assert.Contains(t, err.Error(), "RefChosen−RefRejected[3] = -Inf")

	for name, change := range map[string]func(b *loss.Pairs, out *loss.PairsOut){
		"no reference":    func(b *loss.Pairs, _ *loss.PairsOut) { b.RefChosen = nil },
		"short reference": func(b *loss.Pairs, _ *loss.PairsOut) { b.RefRejected = b.RefRejected[:1] },
		"weights":         func(b *loss.Pairs, _ *loss.PairsOut) { b.Weight = make([]float64, 4) },
		"margins":         func(b *loss.Pairs, _ *loss.PairsOut) { b.Margin = make([]float64, 4) },
		"long loss":       func(_ *loss.Pairs, out *loss.PairsOut) { out.Loss = make([]float64, 5) },
	} {
		b, out := randomPairs(4, 4, 1), pairsOut(4)
		change(&b, &out)
		assert.Panics(t, func() { loss.AOT{Beta: 1}.Eval(out, b) }, name)
	}
	total, err := loss.AOT{Beta: 1}.Eval(loss.PairsOut{}, loss.Pairs{RefChosen: []float64{}, RefRejected: []float64{}})
	require.NoError(t, err)
	assert.Equal(t, loss.Total{}, total)
	assert.True(t, loss.IsCoupled(loss.AOT{}))
	assert.True(t, loss.IsCoupled(loss.MPO{{1, loss.DPO{}}, {1, loss.AOT{}}}))
}

func TestAOTAllocatesNothing(t *testing.T) {
	b, out := randomPairs(10, manyPairs, 2), pairsOut(manyPairs)
	run := func() { loss.AOT{Beta: 0.1}.Eval(out, b) }
	allocatesNothing(t, run)
}

func BenchmarkAOT(b *testing.B) {
	for _, n := range sizes {
		p, out := randomPairs(1, n, 3), pairsOut(n)
		bench(b, n, func() error { _, err := loss.AOT{Beta: 0.1}.Eval(out, p); return err })
	}
}

// DPO would push the second pair most; as a distribution the policy's margins are ahead.
func ExampleAOT() {
	batch := loss.Pairs{
		Chosen: []float64{-11, -21}, Rejected: []float64{-15, -21},
		RefChosen: []float64{-12, -20}, RefRejected: []float64{-12, -21},
	}
	grad := make([]float64, 2)
	total, err := loss.AOT{Beta: 0.1}.Eval(loss.PairsOut{Chosen: grad}, batch)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ahead at %d and level at %d of %d quantiles, %v\n",
		total.Mean(), grad, total.Correct, total.Ties, total.Count, err)
	// Output:
	// loss 0.6238, ∂chosen [-0.0426 -0.0500], ahead at 1 and level at 1 of 2 quantiles, <nil>
}
