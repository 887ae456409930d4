package loss_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// Pairs pass through in blocks of 256, so batches here are longer than two blocks.
const manyPairs = 700

func TestPairwiseGradients(t *testing.T) {
	for _, l := range pairwise {
		t.Run(l.name, func(t *testing.T) {
			b := randomPairs(1, 40, 3)
			for i := range b.Chosen {
				pairGradient(t, l, part(b, i, i+1), 1e-4, 1e-7)
			}
			for _, h := range []float64{0.3, -0.3, 4.7, -4.7, 100, -100, 1e4, -1e4} { // flat, saturated
				if l.is(likely) || l.is(wide) && math.Abs(h) > 50 {
					continue
				}
				pairGradient(t, l, onePair(h, 0.1), 1e-3, 1e-7)
				pairGradient(t, l, onePair(h/2, -h/2), 1e-3, 1e-7)
			}
		})
	}
}

// A batch is the sum of its parts, however it is cut: per-pair results are the same bits.
func TestPairwiseSplit(t *testing.T) {
	b := randomPairs(2, manyPairs, 5)
	b.Chosen[300], b.RefChosen[300] = -7, -7 // a tie, and in the second block
	b.Rejected[300], b.RefRejected[300] = -9, -9
	rng := rand.New(rand.NewPCG(7, 7))
	for _, l := range pairwise {
		t.Run(l.name, func(t *testing.T) {
			whole, total := eval(t, l, b)
			assert.Equal(t, manyPairs, total.Count)
			if l.relative() && l.name != "R-DPO" { // means over other lengths differ
				assert.Equal(t, 1, total.Ties)
			}
			require.NotZero(t, total.Correct)
			for range 5 {
				var sum loss.Total
				for lo := 0; lo < manyPairs; {
					hi := min(manyPairs, lo+1+rng.IntN(300))
					out, p := eval(t, l, part(b, lo, hi))
					bits(t, whole.Loss[lo:hi], out.Loss)
					bits(t, whole.Chosen[lo:hi], out.Chosen)
					bits(t, whole.Rejected[lo:hi], out.Rejected)
					bits(t, whole.RewardChosen[lo:hi], out.RewardChosen)
					bits(t, whole.RewardRejected[lo:hi], out.RewardRejected)
					sum.Add(p)
					lo = hi
				}
				within(t, total.Sum, sum.Sum, 1e-13)
				sum.Sum = total.Sum
				assert.Equal(t, total, sum)
			}
		})
	}
}

// The total and each destination do not depend on which others are wanted.
func TestPairwiseNilDestinations(t *testing.T) {
	b := randomPairs(3, manyPairs, 2)
	for _, l := range pairwise {
		full, total := eval(t, l, b)
		for mask := range 1 << 5 {
			var got loss.PairsOut
			fields := []struct {
				dst  *[]float64
				want []float64
			}{
				{&got.Loss, full.Loss}, {&got.Chosen, full.Chosen}, {&got.Rejected, full.Rejected},
				{&got.RewardChosen, full.RewardChosen}, {&got.RewardRejected, full.RewardRejected},
			}
			for f := range fields {
				if mask>>f&1 == 1 {
					*fields[f].dst = make([]float64, manyPairs)
				}
			}
			tot, err := l.Eval(got, b)
			require.NoError(t, err)
			assert.Equal(t, total, tot)
			for _, f := range fields {
				if *f.dst != nil {
					bits(t, f.want, *f.dst, l.name)
				}
			}
		}
	}
}

// Only the log-ratios count: a shift of a policy's and its reference's log-probabilities of
// one prompt changes nothing.
func TestPairwiseShift(t *testing.T) {
	b := randomPairs(4, 50, 3)
	for _, l := range pairwise {
		if !l.relative() {
			continue
		}
		want, _ := eval(t, l, b)
		s := randomPairs(4, 50, 3)
		for i := range s.Chosen {
			s.Chosen[i] -= 16
			s.RefChosen[i] -= 16
			s.Rejected[i] += 32
			s.RefRejected[i] += 32
		}
		got, _ := eval(t, l, s)
		assert.InDeltaSlice(t, want.Loss, got.Loss, 1e-11, l.name)
		assert.InDeltaSlice(t, want.Chosen, got.Chosen, 1e-11, l.name)
	}
}

func TestPairwiseEmpty(t *testing.T) {
	for _, l := range pairwise {
		total, err := l.Eval(loss.PairsOut{}, loss.Pairs{})
		require.NoError(t, err, l.name)
		assert.Equal(t, loss.Total{}, total)
		assert.True(t, math.IsNaN(total.Mean()))
	}
}

// inputError asserts an InputError with this content, which its text shows.
func inputError(t *testing.T, err error, field string, index int, value float64) {
	t.Helper()
	var in *loss.InputError
	require.ErrorAs(t, err, &in)
	assert.Equal(t, field, in.Field)
	assert.Equal(t, index, in.Index)
	assert.True(t, in.Value == value || math.IsNaN(value) && math.IsNaN(in.Value), "%v, want %v", in.Value, value)
	assert.NotEmpty(t, in.Reason)
	assert.Contains(t, err.Error(), field+"[")
}

func paramError(t *testing.T, err error, param string, value float64) {
	t.Helper()
	var p *loss.ParamError
	require.ErrorAs(t, err, &p)
	assert.Equal(t, param, p.Param)
	assert.True(t, p.Value == value || math.IsNaN(value) && math.IsNaN(p.Value), "%v, want %v", p.Value, value)
	assert.Contains(t, err.Error(), param)
	assert.Contains(t, err.Error(), p.Want)
}

func TestPairwiseInputErrors(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name   string
		field  string
		value  float64
		set    func(b loss.Pairs, i int)
		unless uses
	}{
		{"NaN chosen", "Chosen", nan, func(b loss.Pairs, i int) { b.Chosen[i] = nan }, 0},
		{"NaN rejected", "Rejected", nan, func(b loss.Pairs, i int) { b.Rejected[i] = nan }, 0},
		{"NaN reference chosen", "RefChosen", nan, func(b loss.Pairs, i int) { b.RefChosen[i] = nan }, free},
		{"NaN reference rejected", "RefRejected", nan, func(b loss.Pairs, i int) { b.RefRejected[i] = nan }, free},
		{"+Inf chosen", "Chosen", inf, func(b loss.Pairs, i int) { b.Chosen[i] = inf }, 0},
		{"+Inf rejected", "Rejected", inf, func(b loss.Pairs, i int) { b.Rejected[i] = inf }, 0},
		{"+Inf reference chosen", "RefChosen", inf, func(b loss.Pairs, i int) { b.RefChosen[i] = inf }, free},
		{"+Inf reference rejected", "RefRejected", inf, func(b loss.Pairs, i int) { b.RefRejected[i] = inf }, free},
		{"0/0 chosen", "Chosen", -inf, func(b loss.Pairs, i int) { b.Chosen[i], b.RefChosen[i] = -inf, -inf }, free},
		{"0/0 rejected", "Rejected", -inf, func(b loss.Pairs, i int) { b.Rejected[i], b.RefRejected[i] = -inf, -inf }, free},
		{"both replies impossible", "Chosen", -inf, func(b loss.Pairs, i int) { b.Chosen[i], b.Rejected[i] = -inf, -inf }, 0},
		{"both replies new", "RefChosen", -inf, func(b loss.Pairs, i int) { b.RefChosen[i], b.RefRejected[i] = -inf, -inf }, free | bounded},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, i := range []int{0, 255, 256, 699} { // blocks have 256 pairs
				b := randomPairs(5, manyPairs, 1)
				c.set(b, i)
				for _, l := range pairwise {
					if l.is(c.unless) || strings.HasPrefix(c.name, "both") && !l.is(margin) {
						continue
					}
					_, err := l.Eval(pairsOut(manyPairs), b)
					inputError(t, err, c.field, i, c.value)
				}
			}
		})
	}
}

// Where a difference of infinities has no limit the error names both.
func TestPairwiseErrorNamesBothFields(t *testing.T) {
	b := onePair(0, 0)
	b.Chosen[0], b.Rejected[0] = -inf, -inf
	_, err := loss.DPO{Beta: 1}.Eval(loss.PairsOut{}, b)
	assert.EqualError(t, err, "loss: Chosen[0] = -Inf: its score -Inf and the score -Inf of Rejected[0] = -Inf have no difference")

	b = onePair(0, 0)
	b.RefChosen[0], b.RefRejected[0] = -inf, -inf
	_, err = loss.DPO{Beta: 1}.Eval(loss.PairsOut{}, b)
	assert.EqualError(t, err, "loss: RefChosen[0] = -Inf: its score +Inf and the score +Inf of RefRejected[0] = -Inf have no difference")

	b = onePair(0, 0)
	b.Chosen[0], b.RefChosen[0] = -inf, -inf
	_, err = loss.DPO{Beta: 1}.Eval(loss.PairsOut{}, b)
	assert.EqualError(t, err, "loss: Chosen[0] = -Inf: 0/0: RefChosen is -Inf too")
	b = onePair(0, 0)
	b.Rejected[0], b.RefRejected[0] = -inf, -inf
	_, err = loss.DPO{Beta: 1}.Eval(loss.PairsOut{}, b)
	assert.EqualError(t, err, "loss: Rejected[0] = -Inf: 0/0: RefRejected is -Inf too")
	_, err = loss.AOT{Beta: 1}.Eval(loss.PairsOut{}, b)
	assert.ErrorContains(t, err, "RefRejected is -Inf too")
	_, err = loss.MismatchKL([]float64{-inf}, []float64{-inf})
	assert.EqualError(t, err, "loss: MismatchLogProb[0] = -Inf: 0/0: MismatchRef is -Inf too")
}

func TestPairwiseLengthErrors(t *testing.T) {
	for _, n := range []int{0, -3} {
		for _, i := range []int{2, 260, 600} {
			b := randomPairs(6, manyPairs, 1)
			b.ChosenLen[i] = n
			_, err := loss.IPO{Tau: 1, LogRatio: loss.Mean}.Eval(loss.PairsOut{}, b)
			inputError(t, err, "ChosenLen", i, float64(n))
			b = randomPairs(6, manyPairs, 1)
			b.RejectedLen[i] = n
			_, err = loss.IPO{Tau: 1, LogRatio: loss.Mean}.Eval(loss.PairsOut{}, b)
			inputError(t, err, "RejectedLen", i, float64(n))
		}
	}
}

func TestPairwisePanics(t *testing.T) {
	longer := make([]float64, 5)
	for name, change := range map[string]func(b *loss.Pairs, out *loss.PairsOut){
		"short rejected":     func(b *loss.Pairs, _ *loss.PairsOut) { b.Rejected = b.Rejected[:3] },
		"no rejected":        func(b *loss.Pairs, _ *loss.PairsOut) { b.Rejected = nil },
		"short reference":    func(b *loss.Pairs, _ *loss.PairsOut) { b.RefChosen = b.RefChosen[:3] }, // its capacity would do
		"long reference":     func(b *loss.Pairs, _ *loss.PairsOut) { b.RefRejected = longer },
		"no reference":       func(b *loss.Pairs, _ *loss.PairsOut) { b.RefChosen = nil },
		"half a reference":   func(b *loss.Pairs, _ *loss.PairsOut) { b.RefRejected = nil },
		"short lengths":      func(b *loss.Pairs, _ *loss.PairsOut) { b.ChosenLen = b.ChosenLen[:2] },
		"long lengths":       func(b *loss.Pairs, _ *loss.PairsOut) { b.RejectedLen = make([]int, 9) },
		"long loss":          func(_ *loss.Pairs, out *loss.PairsOut) { out.Loss = longer },
		"short derivatives":  func(_ *loss.Pairs, out *loss.PairsOut) { out.Chosen = out.Chosen[:1] },
		"empty derivatives":  func(_ *loss.Pairs, out *loss.PairsOut) { out.Rejected = []float64{} },
		"long reward":        func(_ *loss.Pairs, out *loss.PairsOut) { out.RewardChosen = longer },
		"short other reward": func(_ *loss.Pairs, out *loss.PairsOut) { out.RewardRejected = out.RewardRejected[:3] },
	} {
		for _, l := range pairwise {
			b, out := randomPairs(8, 4, 1), pairsOut(4)
			change(&b, &out)
			if l.is(free) && (name == "no reference" || name == "half a reference") {
				continue
			}
			assert.PanicsWithValue(t, "loss: slices of different lengths", func() { l.Eval(out, b) }, "%s: %s", l.name, name)
		}
	}
	b := randomPairs(8, 4, 1)
	b.ChosenLen = nil
	assert.PanicsWithValue(t, "loss: slices of different lengths", func() {
		loss.IPO{Tau: 1, LogRatio: loss.Mean}.Eval(loss.PairsOut{}, b)
	})
}

// One value serves any number of goroutines.
func TestPairwiseConcurrent(t *testing.T) {
	b := randomPairs(9, manyPairs, 2)
	for _, l := range pairwise {
		want, total := eval(t, l, b)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 2 {
					out := pairsOut(manyPairs)
					got, err := l.Eval(out, b)
					assert.NoError(t, err)
					assert.Equal(t, total, got)
					assert.Equal(t, want, out)
				}
			})
		}
		wg.Wait()
	}
}

func TestEvalAllocatesNothing(t *testing.T) {
	b, out := randomPairs(10, manyPairs, 2), pairsOut(manyPairs)
	s, weights := randomSamples(10, 20, 4), samplesOut(80)
	rewards := loss.Rewards{Chosen: b.Chosen, Rejected: b.Rejected, Margin: b.RefChosen}
	evals := map[string]func() error{
		"NLL": func() error { _, err := loss.NLL{}.Eval(out.Loss, out.Chosen, b.Chosen); return err },
		"BradleyTerry": func() error {
			_, err := loss.BradleyTerry{Center: 0.01}.Eval(out, rewards)
			return err
		},
		"RLHF":      func() error { _, err := loss.RLHF{Beta: 0.1}.Eval(weights, s); return err },
		"KLPenalty": func() error { _, err := loss.KLPenalty{Lambda: 0.1}.Eval(weights, s); return err },
	}
	for _, l := range pairwise {
		evals[l.name] = func() error { _, err := l.Eval(out, b); return err }
		hypo := loss.HyPO{Offline: l.Pairwise, Lambda: 0.1}
		dst := loss.HyPOOut{Pairs: out, Samples: weights}
		evals["HyPO of "+l.name] = func() error { _, err := hypo.Eval(dst, b, s); return err }
	}
	for name, f := range evals {
		require.NoError(t, f(), name)
		allocatesNothing(t, func() { f() }, name)
	}
}
