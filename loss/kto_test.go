package loss_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

func TestKTOByHand(t *testing.T) {
	// z = max(0, (1.5 + 0.5)/2) = 1. Log-ratios 3, 3, −1, −1; β(ℓ − z) = 1, 1, −1, −1.
	// Desirable:   2·σ(−1) = 2·0.268941421370 = 0.537882842740, 2·σ(1) = 1.462117157260
	// Undesirable: 3·σ(1) = 3·0.731058578630 = 2.193175735890, 3·σ(−1) = 0.806824264110
	// Derivatives: ∓λ·½·σ(1)σ(−1), with σ(1)σ(−1) = 0.196611933241: ∓0.196611933241, ±0.294917899862.
	b := loss.Unpaired{
		LogProb: []float64{-1, -1, -5, -5}, Ref: []float64{-4, -4, -4, -4}, Desirable: []bool{true, false, true, false},
		MismatchLogProb: []float64{-7, -9}, MismatchRef: []float64{-8.5, -9.5},
	}
	out, total := evalUnpaired(t, loss.KTO{Beta: 0.5, Desirable: 2, Undesirable: 3}, b)
	assert.InDeltaSlice(t, []float64{0.537882842740, 2.193175735890, 1.462117157260, 0.806824264110}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.196611933241, 0.294917899862, -0.196611933241, 0.294917899862}, out.LogProb, 1e-12)
	assert.Equal(t, []float64{1.5, 1.5, -0.5, -0.5}, out.Reward)
	assert.InDelta(t, 5, total.Sum, 1e-12)
	assert.Equal(t, [3]int{4, 2, 0}, [3]int{total.Count, total.Correct, total.Ties})
}

// At initialisation every log-ratio is 0, and so is z.
func TestKTOAtInitialisation(t *testing.T) {
	b := randomUnpaired(1, 40, 0)
	out, total := evalUnpaired(t, loss.KTO{Beta: 0.1, Desirable: 1, Undesirable: 1}, b)
	assert.Equal(t, 20.0, total.Sum)
	assert.Equal(t, 40, total.Ties)
	for i, good := range b.Desirable {
		want := 0.1 * 0.25
		if good {
			want = -want
		}
		assert.InDelta(t, want, out.LogProb[i], 1e-17)
	}
}

// z is the mean over the mismatched pairs alone, and never below 0.
func TestMismatchKL(t *testing.T) {
	for _, c := range []struct {
		name      string
		logp, ref []float64
		want      float64
	}{
		{"mean", []float64{-1, -5}, []float64{-4, -6}, 2}, // (3 + 1)/2
		{"clamped", []float64{-4, -6}, []float64{-1, -5}, 0},
		{"0", []float64{-4}, []float64{-4}, 0},
		{"impossible under π", []float64{-inf, -1}, []float64{-4, -4}, 0},
		{"impossible under π_ref", []float64{-2, -1}, []float64{-inf, -4}, inf},
	} {
		got, err := loss.MismatchKL(c.logp, c.ref)
		require.NoError(t, err)
		assert.Equal(t, c.want, got, c.name)
	}
	for _, c := range []struct {
		field     string
		logp, ref []float64
		index     int
		value     float64
	}{
		{"MismatchLogProb", []float64{-1, math.NaN()}, []float64{-1, -1}, 1, math.NaN()},
		{"MismatchLogProb", []float64{inf, -1}, []float64{-1, -1}, 0, inf},
		{"MismatchRef", []float64{-1, -1}, []float64{-1, math.NaN()}, 1, math.NaN()},
		{"MismatchLogProb", []float64{-inf, -1}, []float64{-inf, -1}, 0, -inf},   // 0/0
		{"MismatchLogProb", []float64{-1, -inf}, []float64{-inf, -1}, 1, -inf},   // +∞ − ∞
		{"MismatchLogProb", []float64{-inf, -1.5}, []float64{-1, -inf}, 1, -1.5}, // −∞ + ∞
	} {
		_, err := loss.MismatchKL(c.logp, c.ref)
		inputError(t, err, c.field, c.index, c.value)
		_, err = loss.KTO{Beta: 1, Desirable: 1, Undesirable: 1}.Eval(loss.UnpairedOut{}, loss.Unpaired{MismatchLogProb: c.logp, MismatchRef: c.ref})
		inputError(t, err, c.field, c.index, c.value)
	}
	assert.PanicsWithValue(t, "loss: no mismatched pairs", func() { loss.MismatchKL(nil, nil) })
	assert.PanicsWithValue(t, "loss: slices of different lengths", func() { loss.MismatchKL(make([]float64, 2), make([]float64, 3)) })
	b := oneReply(1, true)
	b.MismatchLogProb, b.MismatchRef = nil, nil
	assert.PanicsWithValue(t, "loss: no mismatched pairs", func() {
		loss.KTO{Beta: 1, Desirable: 1, Undesirable: 1}.Eval(loss.UnpairedOut{}, b)
	})
}

func TestKTOLimits(t *testing.T) {
	l := loss.KTO{Beta: 0.5, Desirable: 2, Undesirable: 3}
	for _, c := range []struct {
		name         string
		logp, ref, z float64
		good, bad    float64 // losses of a desirable and an undesirable reply
	}{
		{"impossible", -inf, -1, 1, 2, 0},
		{"new", -1, -inf, 1, 0, 3},
		{"infinite KL", -1, -1, inf, 2, 0},
		{"impossible, infinite KL", -inf, -1, inf, 2, 0},
	} {
		for verdict, want := range map[bool]float64{true: c.good, false: c.bad} {
			out, _ := evalUnpaired(t, atKL{l, c.z}, loss.Unpaired{LogProb: []float64{c.logp}, Ref: []float64{c.ref}, Desirable: []bool{verdict}})
			assert.Equal(t, want, out.Loss[0], c.name)
			assert.Zero(t, out.LogProb[0], c.name)
		}
	}
	_, err := l.EvalAt(loss.UnpairedOut{}, loss.Unpaired{LogProb: []float64{-1}, Ref: []float64{-inf}, Desirable: []bool{true}}, inf)
	inputError(t, err, "LogProb", 0, -1)
	for _, z := range []float64{-1e-9, -inf, math.NaN()} {
		_, err := l.EvalAt(loss.UnpairedOut{}, oneReply(1, true), z)
		paramError(t, err, "KTO's z", z)
	}
}

// Far from z the value and the derivative of the small side keep all their digits: 1 − σ
// would give 0 from z − βℓ = 37 on.
func TestKTOTails(t *testing.T) {
	l := atKL{loss.KTO{Beta: 0.5, Desirable: 1, Undesirable: 1}, 2}
	for _, u := range []float64{40, 300, 700} { // β(ℓ − z)
		want := math.Exp(-u) // σ(−u) to 17 digits
		out, _ := evalUnpaired(t, l, oneReply(2+2*u, true))
		within(t, want, out.Loss[0], 1e-13)
		within(t, -want/2, out.LogProb[0], 1e-13)
		out, _ = evalUnpaired(t, l, oneReply(2-2*u, false))
		within(t, want, out.Loss[0], 1e-13)
		within(t, want/2, out.LogProb[0], 1e-13)
		out, _ = evalUnpaired(t, l, oneReply(2-2*u, true)) // hopeless: a pull that fades, but is there
		assert.Equal(t, 1.0, out.Loss[0])
		within(t, -want/2, out.LogProb[0], 1e-13)
	}
}

// With z held, a reply with both verdicts is pushed towards the side of the larger
// λ·P(verdict), from everywhere: no minimiser.
func TestTheoryKTOFollowsTheMajority(t *testing.T) {
	l := atKL{loss.KTO{Beta: 0.5, Desirable: 2, Undesirable: 1}, 1}
	for _, p := range []float64{0.1, 0.3, 0.34, 0.6} { // the balance is at 2p = 1 − p
		for _, r := range []float64{-20, -1, 1, 3, 20} {
			good, _ := evalUnpaired(t, l, oneReply(r, true))
			bad, _ := evalUnpaired(t, l, oneReply(r, false))
			slope := p*good.LogProb[0] + (1-p)*bad.LogProb[0]
			assert.Equal(t, p > 1.0/3, slope < 0, "p = %v, r = %v", p, r)
		}
	}
}

// Defect 6: both weights act, each on its own kind and on value and derivative alike.
func TestDefectWeightsIgnored(t *testing.T) {
	b := randomUnpaired(4, 60, 3)
	for _, of := range []func(d, u float64) loss.Pointwise{
		func(d, u float64) loss.Pointwise { return loss.KTO{Beta: 0.2, Desirable: d, Undesirable: u} },
		func(d, u float64) loss.Pointwise { return loss.APOUnpaired{Beta: 0.2, Desirable: d, Undesirable: u} },
		func(d, u float64) loss.Pointwise {
			return loss.Binary{Score: loss.LogRatio{}, Link: loss.Logistic{}, Beta: 0.2, Desirable: d, Undesirable: u}
		},
	} {
		one, _ := evalUnpaired(t, of(1, 1), b)
		got, total := evalUnpaired(t, of(2, 0.25), b)
		sum := 0.0
		for i, good := range b.Desirable {
			weight := 0.25
			if good {
				weight = 2
			}
			assert.Equal(t, weight*one.Loss[i], got.Loss[i])
			assert.Equal(t, weight*one.LogProb[i], got.LogProb[i])
			sum += got.Loss[i]
		}
		within(t, sum, total.Sum, 1e-14)
	}
}

// Defect 8: mismatched pairs. Neighbours with one prompt, in an unshuffled batch, are not
// paired with each other; where no pairing is possible there is an error.
func TestDefectMismatchUnshuffled(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 300 {
		n := 2 + rng.IntN(30)
		prompt := make([]uint64, n)
		for i := range prompt {
			prompt[i] = rng.Uint64N(uint64(2 + rng.IntN(6)))
		}
		if rng.IntN(2) == 0 { // runs of one prompt
			for i := range prompt {
				prompt[i] = prompt[i-i%4]
			}
		}
		most := map[uint64]int{}
		worst := 0
		for _, p := range prompt {
			most[p]++
			worst = max(worst, most[p])
		}
		dst := make([]int, n)
		err := loss.Mismatch(dst, prompt, nil)
		if 2*worst > n {
			var in *loss.InputError
			require.ErrorAs(t, err, &in)
			assert.Equal(t, "Prompt", in.Field)
			assert.Equal(t, worst, most[prompt[in.Index]])
			assert.Equal(t, float64(prompt[in.Index]), in.Value)
			continue
		}
		require.NoError(t, err)
		used := make([]bool, n)
		for i, j := range dst {
			require.NotEqual(t, prompt[i], prompt[j], "%v: %v", prompt, dst)
			require.False(t, used[j])
			used[j] = true
		}
	}
}

func TestDefectMismatchSingleLabel(t *testing.T) {
	dst := make([]int, 4)
	prompt := []uint64{1, 2, 3, 4}
	err := loss.Mismatch(dst, prompt, []bool{true, true, true, true})
	inputError(t, err, "Desirable", 0, 1)
	err = loss.Mismatch(dst, prompt, []bool{false, false, false, false})
	inputError(t, err, "Desirable", 0, 0)
	require.NoError(t, loss.Mismatch(dst, prompt, []bool{false, false, true, false}))
	require.NoError(t, loss.Mismatch(dst, prompt, nil)) // data of one kind
}

func TestDefectMismatchBatchOfOne(t *testing.T) {
	inputError(t, loss.Mismatch(make([]int, 1), []uint64{3}, nil), "Prompt", 0, 3)
	inputError(t, loss.Mismatch(make([]int, 3), []uint64{8, 7, 7}, nil), "Prompt", 2, 7)
	require.NoError(t, loss.Mismatch(nil, nil, nil))
	require.NoError(t, loss.Mismatch([]int{}, []uint64{}, []bool{}))
	for _, f := range []func(){
		func() { loss.Mismatch(make([]int, 2), make([]uint64, 3), nil) },
		func() { loss.Mismatch(make([]int, 3), make([]uint64, 3), make([]bool, 2)) },
	} {
		assert.PanicsWithValue(t, "loss: slices of different lengths", f)
	}
}

// Defect 18: with one z for a step, micro-batches add up to the step; with a z of their own
// they do not, so KTO is coupled.
func TestDefectKTOMicroBatches(t *testing.T) {
	l := loss.KTO{Beta: 0.3, Desirable: 1, Undesirable: 1}
	b := randomUnpaired(11, 40, 3)
	assert.True(t, loss.IsCoupled(l))
	whole, _ := evalUnpaired(t, l, b)
	z, err := loss.MismatchKL(b.MismatchLogProb, b.MismatchRef)
	require.NoError(t, err)
	half := replies(b, 0, 20)
	split, _ := evalUnpaired(t, atKL{l, z}, half)
	bits(t, whole.LogProb[:20], split.LogProb)
	half.MismatchLogProb, half.MismatchRef = b.MismatchLogProb[:20], b.MismatchRef[:20]
	own, _ := evalUnpaired(t, l, half)
	assert.NotEqual(t, whole.LogProb[:20], own.LogProb)
}

func TestIsCoupled(t *testing.T) {
	assert.False(t, loss.IsCoupled(loss.DPO{}))
	assert.False(t, loss.IsCoupled(loss.APOUnpaired{}))
	assert.False(t, loss.IsCoupled(nil))
}
