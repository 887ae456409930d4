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

func TestAOTUnpairedByHand(t *testing.T) {
	// Desirable log-ratios 3, −1; undesirable 1, 0. Sorted −1, 3 against 0, 1: differences −1, 2.
	// β = ½: −log σ(−½) = log(1+e^½) = 0.974076984180, −log σ(1) = 0.313261687518;
	// slopes −σ(½) = −0.622459331202 and −σ(−1) = −0.268941421370, times ½.
	b := loss.Unpaired{
		LogProb: []float64{-1, -4, -5, -3}, Ref: []float64{-4, -5, -4, -3}, Desirable: []bool{true, false, true, false},
	}
	out, total := evalUnpaired(t, loss.AOTUnpaired{Beta: 0.5}, b)
	assert.InDeltaSlice(t, []float64{0.313261687518, 0, 0.974076984180, 0}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.134470710685, 0.134470710685, -0.311229665601, 0.311229665601}, out.LogProb, 1e-12)
	assert.Equal(t, []float64{1.5, 0.5, -0.5, 0}, out.Reward)
	assert.Equal(t, [3]int{2, 1, 0}, [3]int{total.Count, total.Correct, total.Ties})
	assert.InDelta(t, 1.287338671698, total.Sum, 1e-12)

	// Smoothed with ε = 0.1, each gains ε·z, and each slope ε: z = 1, −½.
	out, _ = evalUnpaired(t, loss.AOTUnpaired{Beta: 0.5, LabelSmoothing: 0.1}, b)
	assert.InDeltaSlice(t, []float64{0.413261687518, 0, 0.924076984180, 0}, out.Loss, 1e-12)
	assert.InDelta(t, -0.084470710685, out.LogProb[0], 1e-12)
}

func TestAOTUnpairedUnequalByHand(t *testing.T) {
	// Desirable 2, 0; undesirable 0, 1, −1. Quantile functions 0, 2 on halves and −1, 0, 1 on
	// thirds: from 0 to 1/3 the difference is 1, to 1/2 it is 0, to 2/3 it is 2, to 1 it is 1.
	// The integral times 2: 2/3·f(1) + 1/3·f(0) + 1/3·f(2) + 2/3·f(1) with f(z) = −log σ(z):
	// f(1) = 0.313261687518, f(0) = 0.693147180560, f(2) = 0.126928011043.
	// The reply of 0 has 2/3·f(1) + 1/3·f(0) = 0.439890185199, that of 2 has
	// 1/3·f(2) + 2/3·f(1) = 0.251150462026.
	// −σ(−1) = −0.268941421370, −½, −σ(−2) = −0.119202922022: the reply of 0 has
	// 2/3·(−0.268941421370) − 1/6 = −0.345960947580, that of 2 has −0.219028588254. Among the
	// others −1 has 2/3·0.268941421370 = 0.179294280913, and so has 1; 0 has 1/6 + 1/3·0.119202922022
	// = 0.206400974007.
	b := loss.Unpaired{
		LogProb: []float64{-3, -5, -4, -5, -6}, Ref: []float64{-5, -5, -5, -5, -5}, Desirable: []bool{true, false, false, true, false},
	}
	out, total := evalUnpaired(t, loss.AOTUnpaired{Beta: 1}, b)
	assert.InDeltaSlice(t, []float64{0.251150462026, 0, 0, 0.439890185199, 0}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.219028588254, 0.206400974007, 0.179294280913, -0.345960947580, 0.179294280913}, out.LogProb, 1e-12)
	assert.Equal(t, [3]int{2, 1, 1}, [3]int{total.Count, total.Correct, total.Ties})
}

// The loss is a function of two sets: it does not know the order of the batch, and a batch
// taken three times over is three times as large.
func TestAOTUnpairedIsAFunctionOfSets(t *testing.T) {
	l := loss.AOTUnpaired{Beta: 0.3, LabelSmoothing: 0.1}
	b := randomUnpaired(2, 31, 3)
	want, total := evalUnpaired(t, l, b)
	perm := rand.New(rand.NewPCG(1, 1)).Perm(31)
	var p, thrice loss.Unpaired
	for _, j := range perm {
		p.LogProb, p.Ref, p.Desirable = append(p.LogProb, b.LogProb[j]), append(p.Ref, b.Ref[j]), append(p.Desirable, b.Desirable[j])
	}
	got, again := evalUnpaired(t, l, p)
	assert.InDelta(t, total.Sum, again.Sum, 1e-13)
	for i, j := range perm {
		assert.InDelta(t, want.LogProb[j], got.LogProb[i], 1e-15)
	}
	for range 3 {
		thrice.LogProb, thrice.Ref = append(thrice.LogProb, b.LogProb...), append(thrice.Ref, b.Ref...)
		thrice.Desirable = append(thrice.Desirable, b.Desirable...)
	}
	_, more := evalUnpaired(t, l, thrice)
	assert.InDelta(t, 3*total.Sum, more.Sum, 1e-12)
	assert.Equal(t, 3*total.Count, more.Count)
}

func TestAOTUnpairedGradient(t *testing.T) {
	l := loss.AOTUnpaired{Beta: 0.4, LabelSmoothing: 0.05}
	for seed := range uint64(4) {
		b := randomUnpaired(seed, 14, 3)
		out, _ := evalUnpaired(t, l, b)
		value := func(x []float64) float64 {
			c := b
			c.LogProb = x
			_, total := evalUnpaired(t, l, c)
			return total.Sum
		}
		assert.InDeltaSlice(t, gradient(value, b.LogProb, 1e-5), out.LogProb, 1e-8)
	}
	// At a kink, where two log-ratios are equal, the derivative with respect to a common
	// shift exists, and is the sum.
	b := loss.Unpaired{LogProb: []float64{-2, -2, -1, -7}, Ref: []float64{-3, -3, -1, -3}, Desirable: []bool{true, true, false, false}}
	out, _ := evalUnpaired(t, l, b)
	shift := func(x []float64) float64 {
		c := b
		c.LogProb = []float64{-2 + x[0], -2 + x[0], -1, -7}
		_, total := evalUnpaired(t, l, c)
		return total.Sum
	}
	assert.InDelta(t, gradient(shift, []float64{0}, 1e-4)[0], out.LogProb[0]+out.LogProb[1], 1e-8)
	for _, r := range []float64{1e4, -1e4} { // saturated
		b := loss.Unpaired{LogProb: []float64{r, 0}, Ref: []float64{0, 0}, Desirable: []bool{true, false}}
		out, _ := evalUnpaired(t, l, b)
		assert.InDelta(t, map[bool]float64{true: 0.4 * 0.05, false: -0.4 * 0.95}[r > 0], out.LogProb[0], 1e-15)
	}
}

// If the log-ratios of one kind exceed those of the other quantile by quantile, every reply is
// correct, whatever the order.
func TestAOTUnpairedDominance(t *testing.T) {
	b := randomUnpaired(5, 60, 3)
	u := []float64{}
	for i, good := range b.Desirable {
		if good {
			u = append(u, b.LogProb[i]-b.Ref[i])
		}
	}
	slices.Sort(u)
	rng := rand.New(rand.NewPCG(3, 3))
	dominated := loss.Unpaired{LogProb: slices.Clone(u), Ref: make([]float64, 2*len(u)), Desirable: make([]bool, 2*len(u))}
	for i, j := range rng.Perm(len(u)) {
		dominated.Desirable[i] = true
		dominated.LogProb = append(dominated.LogProb, u[j]-1e-9)
	}
	_, total := evalUnpaired(t, loss.AOTUnpaired{Beta: 1}, dominated)
	assert.Equal(t, len(u), total.Correct)
}

// Equal log-ratios keep the order of the batch: the first of two is the lower quantile. What
// destinations held before does not matter.
func TestAOTUnpairedTies(t *testing.T) {
	b := loss.Unpaired{LogProb: []float64{1, 1, 1, 0, 5, 0}, Ref: make([]float64, 6), Desirable: []bool{true, true, true, false, false, false}}
	out := unpairedOut(6)
	for i := range out.Loss {
		out.Loss[i], out.LogProb[i] = 7, 7
	}
	total, err := loss.AOTUnpaired{Beta: 1}.Eval(out, b)
	require.NoError(t, err)
	low, high := math.Log1p(math.Exp(-1)), math.Log1p(math.Exp(4)) // 1 against 0, 0 and 5
	assert.InDeltaSlice(t, []float64{low, low, high, 0, 0, 0}, out.Loss, 1e-14)
	assert.InDelta(t, total.Sum, 2*low+high, 1e-14)
	assert.InDelta(t, 0, total.Sum-out.Loss[0]-out.Loss[1]-out.Loss[2], 1e-14)
	sum := 0.0
	for _, d := range out.LogProb {
		sum += d
	}
	assert.InDelta(t, 0, sum, 1e-15)
}

// With smoothing, every batch whose quantiles differ by log((1−ε)/ε)/β is stationary, be the
// margins of single replies what they may; without it nothing is, and margins grow.
func TestTheoryAOTSmoothedMinimum(t *testing.T) {
	const beta, eps = 0.5, 0.1
	at := math.Log((1-eps)/eps) / beta
	b := loss.Unpaired{
		LogProb: []float64{at - 1, at + 3, at + 0.5, 0.5, -1, 3}, Ref: make([]float64, 6),
		Desirable: []bool{true, true, true, false, false, false},
	}
	out, _ := evalUnpaired(t, loss.AOTUnpaired{Beta: beta, LabelSmoothing: eps}, b)
	assert.InDeltaSlice(t, make([]float64, 6), out.LogProb, 1e-15)
	out, _ = evalUnpaired(t, loss.AOTUnpaired{Beta: beta}, b)
	for i, good := range b.Desirable {
		assert.Equal(t, good, out.LogProb[i] < -0.01)
	}
}

func TestAOTUnpairedErrors(t *testing.T) {
	b := randomUnpaired(5, 6, 1)
	b.Desirable = []bool{true, false, true, false, true, false}
	for _, v := range []float64{0, -1, inf, math.NaN()} {
		_, err := loss.AOTUnpaired{Beta: v}.Eval(loss.UnpairedOut{}, b)
		paramError(t, err, "AOTUnpaired.Beta", v)
	}
	for _, v := range []float64{0.5, -0.1, math.NaN()} {
		_, err := loss.AOTUnpaired{Beta: 1, LabelSmoothing: v}.Eval(loss.UnpairedOut{}, b)
		paramError(t, err, "AOTUnpaired.LabelSmoothing", v)
	}
	b.LogProb[3] = math.NaN()
	_, err := loss.AOTUnpaired{Beta: 1}.Eval(loss.UnpairedOut{}, b)
	inputError(t, err, "LogProb", 3, math.NaN())
	b.LogProb[3], b.LogProb[4] = -inf, -inf // the least of both kinds
	_, err = loss.AOTUnpaired{Beta: 1}.Eval(loss.UnpairedOut{}, b)
	inputError(t, err, "LogProb−Ref", 4, -inf)
	assert.Contains(t, err.Error(), "LogProb−Ref[3] = -Inf")
	b.Ref = b.Ref[:3]
	assert.Panics(t, func() { loss.AOTUnpaired{Beta: 1}.Eval(loss.UnpairedOut{}, b) })

	b = oneReply(1, true)
	b.Weight = []float64{1}
	assert.PanicsWithValue(t, "loss: Unpaired.Weight is set, but the objective does not read it", func() {
		loss.AOTUnpaired{Beta: 1}.Eval(loss.UnpairedOut{}, b)
	})
	total, err := loss.AOTUnpaired{Beta: 1}.Eval(loss.UnpairedOut{}, loss.Unpaired{})
	require.NoError(t, err)
	assert.Equal(t, loss.Total{}, total)
}

// Defect 8, for a loss that compares the two kinds of a batch.
func TestDefectAOTSingleLabel(t *testing.T) {
	for _, good := range []bool{true, false} {
		_, err := loss.AOTUnpaired{Beta: 1}.Eval(loss.UnpairedOut{}, oneReply(1, good))
		inputError(t, err, "Desirable", 0, map[bool]float64{true: 1}[good])
	}
}

// Defect 18: the two halves of a batch do not add up to it, so it is marked.
func TestDefectAOTMicroBatches(t *testing.T) {
	l := loss.AOTUnpaired{Beta: 0.3}
	require.True(t, loss.IsCoupled(l))
	b := randomUnpaired(12, 40, 3)
	whole, _ := evalUnpaired(t, l, b)
	half, _ := evalUnpaired(t, l, replies(b, 0, 20))
	assert.NotEqual(t, whole.LogProb[:20], half.LogProb)
}

func TestAOTUnpairedAllocatesNothing(t *testing.T) {
	b, out := randomUnpaired(10, manyPairs, 2), unpairedOut(manyPairs)
	run := func() { loss.AOTUnpaired{Beta: 0.1}.Eval(out, b) }
	allocatesNothing(t, run)
}

func BenchmarkAOTUnpaired(b *testing.B) {
	for _, n := range sizes {
		u, out := randomUnpaired(1, n, 3), unpairedOut(n)
		bench(b, n, func() error { _, err := loss.AOTUnpaired{Beta: 0.1}.Eval(out, u); return err })
	}
}

// Ratings of replies to different prompts: no two of them are compared with each other.
func ExampleAOTUnpaired() {
	batch := loss.Unpaired{
		LogProb:   []float64{-11, -14, -25, -20},
		Ref:       []float64{-12, -12, -22, -21},
		Desirable: []bool{true, false, true, false},
	}
	out := loss.UnpairedOut{Loss: make([]float64, 4), LogProb: make([]float64, 4)}
	total, err := loss.AOTUnpaired{Beta: 0.1}.Eval(out, batch)
	fmt.Printf("loss     %.4f\n∂logprob %.4f\n", out.Loss, out.LogProb)
	fmt.Printf("at %d of %d quantiles the desirable replies are ahead, %v\n", total.Correct, total.Count, err)
	// Output:
	// loss     [0.6931 0.0000 0.7444 0.0000]
	// ∂logprob [-0.0500 0.0525 -0.0525 0.0500]
	// at 0 of 2 quantiles the desirable replies are ahead, <nil>
}
