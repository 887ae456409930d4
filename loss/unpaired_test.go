package loss_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// atKL is KTO with a given reference point.
type atKL struct {
	loss.KTO
	z float64
}

func (l atKL) Eval(dst loss.UnpairedOut, b loss.Unpaired) (loss.Total, error) {
	return l.EvalAt(dst, b, l.z)
}

// pointwise lists the objectives on single replies, for the properties that all of them
// share, with the name of their parameters.
var pointwise = []struct {
	name, params string
	loss.Pointwise
}{
	{"KTO", "KTO", loss.KTO{Beta: 0.1, Desirable: 1, Undesirable: 1.5}},
	{"KTO at z", "KTO", atKL{loss.KTO{Beta: 0.3, Desirable: 0.75, Undesirable: 2}, 1.25}},
	{"APO", "APOUnpaired", loss.APOUnpaired{Beta: 0.2, Desirable: 1, Undesirable: 2}},
	{"BCO", "BCOUnpaired", loss.BCOUnpaired{Beta: 0.1, Delta: -0.25}},
	{"smoothed", "Binary", loss.Binary{Score: loss.LogRatio{}, Link: loss.Smoothed{Epsilon: 0.1}, Beta: 0.5, Shift: 0.5, Desirable: 1, Undesirable: 3}},
	{"BCO of means", "Binary", loss.Binary{Score: loss.MeanLogRatio{}, Link: loss.Logistic{}, Beta: 2, Shift: 0.5, Desirable: 1, Undesirable: 1}},
}

// randomUnpaired makes n replies, and n mismatched pairs, whose log-ratios have a standard
// deviation of spread.
func randomUnpaired(seed uint64, n int, spread float64) loss.Unpaired {
	p := randomPairs(seed, n, spread)
	rng := rand.New(rand.NewPCG(seed, 9))
	b := loss.Unpaired{
		LogProb: p.Chosen, Ref: p.RefChosen, Len: p.ChosenLen, Desirable: make([]bool, n),
		MismatchLogProb: p.Rejected, MismatchRef: p.RefRejected,
	}
	for i := range b.Desirable {
		b.Desirable[i] = rng.IntN(2) == 0
		b.MismatchLogProb[i] += spread // so that KTO's z is not 0
	}
	return b
}

// oneReply is a batch of one reply with log-ratio r.
func oneReply(r float64, desirable bool) loss.Unpaired {
	return loss.Unpaired{
		LogProb: []float64{r - 2}, Ref: []float64{-2}, Len: []int{1}, Desirable: []bool{desirable},
		MismatchLogProb: []float64{-3}, MismatchRef: []float64{-3.5},
	}
}

// replies is replies lo … hi−1, with all mismatched pairs.
func replies(b loss.Unpaired, lo, hi int) loss.Unpaired {
	b.LogProb, b.Ref, b.Len, b.Desirable = b.LogProb[lo:hi], b.Ref[lo:hi], b.Len[lo:hi], b.Desirable[lo:hi]
	return b
}

func unpairedOut(n int) loss.UnpairedOut {
	return loss.UnpairedOut{Loss: make([]float64, n), LogProb: make([]float64, n), Reward: make([]float64, n)}
}

func evalUnpaired(t testing.TB, l loss.Pointwise, b loss.Unpaired) (loss.UnpairedOut, loss.Total) {
	t.Helper()
	out := unpairedOut(len(b.LogProb))
	total, err := l.Eval(out, b)
	require.NoError(t, err)
	return out, total
}

// replyGradient checks the derivative at one reply against a central difference.
func replyGradient(t *testing.T, l loss.Pointwise, b loss.Unpaired, step, tol float64) {
	t.Helper()
	out, _ := evalUnpaired(t, l, b)
	value := func(x []float64) float64 {
		c := b
		c.LogProb = x
		_, total := evalUnpaired(t, l, c)
		return total.Sum
	}
	want := gradient(value, []float64{b.LogProb[0]}, step)
	assert.InDeltaSlice(t, want, out.LogProb, tol*(1+math.Abs(want[0])), "at %v", b)
}

func TestPointwiseGradients(t *testing.T) {
	for _, l := range pointwise {
		t.Run(l.name, func(t *testing.T) {
			b := randomUnpaired(1, 40, 3)
			for i := range b.LogProb {
				replyGradient(t, l, replies(b, i, i+1), 1e-4, 1e-7)
			}
			for _, r := range []float64{0, 0.5, 1e-9, 5, -5, 100, -100, 1e4, -1e4} { // at z, flat, saturated
				replyGradient(t, l, oneReply(r, true), 1e-3, 1e-7)
				replyGradient(t, l, oneReply(r, false), 1e-3, 1e-7)
			}
		})
	}
}

// Batches are longer than two blocks of 256.
func TestPointwiseSplit(t *testing.T) {
	b := randomUnpaired(2, manyPairs, 5)
	rng := rand.New(rand.NewPCG(7, 8))
	for _, l := range pointwise {
		t.Run(l.name, func(t *testing.T) {
			whole, total := evalUnpaired(t, l, b)
			assert.Equal(t, manyPairs, total.Count)
			require.Greater(t, total.Correct, manyPairs/4)
			sum := loss.Total{}
			for lo := 0; lo < manyPairs; {
				hi := min(manyPairs, lo+1+rng.IntN(300))
				out, p := evalUnpaired(t, l, replies(b, lo, hi))
				bits(t, whole.Loss[lo:hi], out.Loss)
				bits(t, whole.LogProb[lo:hi], out.LogProb)
				bits(t, whole.Reward[lo:hi], out.Reward)
				sum.Add(p)
				lo = hi
			}
			within(t, total.Sum, sum.Sum, 1e-13)
			sum.Sum = total.Sum
			assert.Equal(t, total, sum)
		})
	}
}

func TestPointwiseNilDestinations(t *testing.T) {
	b := randomUnpaired(3, manyPairs, 2)
	for _, l := range pointwise {
		full, total := evalUnpaired(t, l, b)
		for mask := range 1 << 3 {
			var got loss.UnpairedOut
			fields := []struct {
				dst  *[]float64
				want []float64
			}{{&got.Loss, full.Loss}, {&got.LogProb, full.LogProb}, {&got.Reward, full.Reward}}
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

// A weight multiplies a reply's loss and derivative, not its reward, and 0 wins over infinity.
func TestPointwiseWeights(t *testing.T) {
	b := randomUnpaired(6, 600, 3)
	b.Weight = make([]float64, 600)
	for i := range b.Weight {
		b.Weight[i] = []float64{1, 0, 2, 0.25}[i%4]
	}
	for _, l := range pointwise {
		weighted, total := evalUnpaired(t, l, b)
		plain := b
		plain.Weight = nil
		one, _ := evalUnpaired(t, l, plain)
		sum := 0.0
		for i, w := range b.Weight {
			within(t, w*one.Loss[i], weighted.Loss[i], 1e-15)
			within(t, w*one.LogProb[i], weighted.LogProb[i], 1e-15)
			sum += weighted.Loss[i]
		}
		assert.Equal(t, one.Reward, weighted.Reward)
		within(t, sum, total.Sum, 1e-13)
		assert.Equal(t, 150, total.Flat)
	}
	c := oneReply(0, true)
	c.LogProb[0], c.Weight = -inf, []float64{0}
	out, _ := evalUnpaired(t, loss.BCOUnpaired{Beta: 1}, c)
	assert.Equal(t, []float64{0, 0}, []float64{out.Loss[0], out.LogProb[0] + 0})
	for _, v := range []float64{-1, inf, math.NaN()} {
		b.Weight[300] = v
		for _, l := range pointwise {
			_, err := l.Eval(unpairedOut(600), b)
			inputError(t, err, "Weight", 300, v)
		}
	}
}

// A verdict turned round is a margin turned round, up to the weights of the verdicts.
func TestPointwiseSwap(t *testing.T) {
	const beta, shift = 0.4, 0.75
	for _, link := range []loss.Link{loss.Logistic{}, loss.Sigmoid{}, loss.Smoothed{Epsilon: 0.2}} {
		l := loss.Binary{Score: loss.LogRatio{}, Link: link, Beta: beta, Shift: shift, Desirable: 2, Undesirable: 3}
		for _, r := range []float64{-30, -1, 0, 2, 50} {
			good, _ := evalUnpaired(t, l, oneReply(r, true))
			bad, _ := evalUnpaired(t, l, oneReply(2*shift/beta-r, false)) // −u for u
			within(t, good.Loss[0]/2, bad.Loss[0]/3, 1e-13)
			within(t, good.LogProb[0]/2, -bad.LogProb[0]/3, 1e-12)
		}
	}
}

// Correct counts replies on their side of the reference point, Ties those that are on it.
func TestPointwiseCounts(t *testing.T) {
	b := loss.Unpaired{
		LogProb:   []float64{-1, -1, -3, -3, -2, -2},
		Ref:       []float64{-2, -2, -2, -2, -2.5, -2.5},
		Desirable: []bool{true, false, true, false, true, false}, // rewards 1, 1, −1, −1, ½, ½
	}
	total, err := loss.BCOUnpaired{Beta: 1, Delta: 0.5}.Eval(loss.UnpairedOut{}, b)
	require.NoError(t, err)
	assert.Equal(t, [3]int{6, 2, 2}, [3]int{total.Count, total.Correct, total.Ties})
	total, err = loss.APOUnpaired{Beta: 1, Desirable: 1, Undesirable: 1}.Eval(loss.UnpairedOut{}, b)
	require.NoError(t, err)
	assert.Equal(t, [3]int{6, 3, 0}, [3]int{total.Count, total.Correct, total.Ties})
}

func TestPointwiseEmpty(t *testing.T) {
	for _, l := range pointwise {
		total, err := l.Eval(loss.UnpairedOut{}, loss.Unpaired{MismatchLogProb: []float64{-1}, MismatchRef: []float64{-1}})
		require.NoError(t, err, l.name)
		assert.Equal(t, loss.Total{}, total)
	}
}

func TestPointwiseInputErrors(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		field string
		value float64
		set   func(b loss.Unpaired, i int)
	}{
		{"LogProb", nan, func(b loss.Unpaired, i int) { b.LogProb[i] = nan }},
		{"LogProb", inf, func(b loss.Unpaired, i int) { b.LogProb[i] = inf }},
		{"Ref", nan, func(b loss.Unpaired, i int) { b.Ref[i] = nan }},
		{"Ref", inf, func(b loss.Unpaired, i int) { b.Ref[i] = inf }},
		{"LogProb", -inf, func(b loss.Unpaired, i int) { b.LogProb[i], b.Ref[i] = -inf, -inf }},
	} {
		for _, i := range []int{0, 255, 256, 699} {
			b := randomUnpaired(5, manyPairs, 1)
			c.set(b, i)
			for _, l := range pointwise {
				_, err := l.Eval(unpairedOut(manyPairs), b)
				inputError(t, err, c.field, i, c.value)
			}
		}
	}
	b := randomUnpaired(5, manyPairs, 1)
	b.Len[600] = 0 // a mean over no tokens, and nothing to the others
	for _, l := range pointwise {
		_, err := l.Eval(unpairedOut(manyPairs), b)
		if l.name == "BCO of means" {
			inputError(t, err, "Len", 600, 0)
		} else {
			assert.NoError(t, err, l.name)
		}
	}
}

func TestPointwiseParams(t *testing.T) {
	for _, v := range []float64{0, -1, inf, -inf, math.NaN()} {
		for param, l := range map[string]loss.Pointwise{
			"KTO.Beta":                loss.KTO{Beta: v, Desirable: 1, Undesirable: 1},
			"KTO.Desirable":           loss.KTO{Beta: 1, Desirable: v, Undesirable: 1},
			"KTO.Undesirable":         loss.KTO{Beta: 1, Desirable: 1, Undesirable: v},
			"APOUnpaired.Beta":        loss.APOUnpaired{Beta: v, Desirable: 1, Undesirable: 1},
			"APOUnpaired.Desirable":   loss.APOUnpaired{Beta: 1, Desirable: v, Undesirable: 1},
			"APOUnpaired.Undesirable": loss.APOUnpaired{Beta: 1, Desirable: 1, Undesirable: v},
			"BCOUnpaired.Beta":        loss.BCOUnpaired{Beta: v},
			"Binary.Beta":             loss.Binary{Score: loss.LogRatio{}, Link: loss.Sigmoid{}, Beta: v, Desirable: 1, Undesirable: 1},
		} {
			_, err := l.Eval(loss.UnpairedOut{}, oneReply(1, true))
			paramError(t, err, param, v)
		}
	}
	for _, v := range []float64{inf, -inf, math.NaN()} {
		_, err := loss.BCOUnpaired{Beta: 1, Delta: v}.Eval(loss.UnpairedOut{}, oneReply(1, true))
		paramError(t, err, "BCOUnpaired.Delta", v)
		_, err = loss.Binary{Score: loss.LogRatio{}, Link: loss.Sigmoid{}, Beta: 1, Shift: v, Desirable: 1, Undesirable: 1}.
			Eval(loss.UnpairedOut{}, oneReply(1, true))
		paramError(t, err, "Binary.Shift", v)
	}
	_, err := loss.Binary{Score: loss.LogRatio{}, Link: loss.Smoothed{Epsilon: 0.5}, Beta: 1, Desirable: 1, Undesirable: 1}.
		Eval(loss.UnpairedOut{}, oneReply(1, true))
	paramError(t, err, "Smoothed.Epsilon", 0.5)
}

func TestPointwisePanics(t *testing.T) {
	for name, change := range map[string]func(b *loss.Unpaired, out *loss.UnpairedOut){
		"no verdicts":       func(b *loss.Unpaired, _ *loss.UnpairedOut) { b.Desirable = nil },
		"short verdicts":    func(b *loss.Unpaired, _ *loss.UnpairedOut) { b.Desirable = b.Desirable[:3] },
		"no reference":      func(b *loss.Unpaired, _ *loss.UnpairedOut) { b.Ref = nil },
		"short reference":   func(b *loss.Unpaired, _ *loss.UnpairedOut) { b.Ref = b.Ref[:3] },
		"short weights":     func(b *loss.Unpaired, _ *loss.UnpairedOut) { b.Weight = make([]float64, 3) },
		"short lengths":     func(b *loss.Unpaired, _ *loss.UnpairedOut) { b.Len = b.Len[:3] },
		"short mismatches":  func(b *loss.Unpaired, _ *loss.UnpairedOut) { b.MismatchRef = b.MismatchRef[:3] },
		"long loss":         func(_ *loss.Unpaired, out *loss.UnpairedOut) { out.Loss = make([]float64, 5) },
		"short derivatives": func(_ *loss.Unpaired, out *loss.UnpairedOut) { out.LogProb = out.LogProb[:1] },
		"empty reward":      func(_ *loss.Unpaired, out *loss.UnpairedOut) { out.Reward = []float64{} },
	} {
		for _, l := range pointwise {
			b, out := randomUnpaired(8, 4, 1), unpairedOut(4)
			change(&b, &out)
			assert.PanicsWithValue(t, "loss: slices of different lengths", func() { l.Eval(out, b) }, "%s: %s", l.name, name)
		}
	}
	for _, l := range []loss.Binary{{Link: loss.Logistic{}}, {Score: loss.LogRatio{}}} {
		assert.PanicsWithValue(t, "loss: Binary without Score or Link", func() { l.Eval(loss.UnpairedOut{}, loss.Unpaired{}) })
	}
}

// Errors of a caller's own score keep their text, and get their place in the batch.
func TestBinaryCustomScore(t *testing.T) {
	l := loss.Binary{Score: likelihood{0.5}, Link: loss.Logistic{}, Beta: 1, Desirable: 1, Undesirable: 1}
	b := randomUnpaired(1, manyPairs, 1)
	_, err := l.Eval(loss.UnpairedOut{}, b)
	require.EqualError(t, err, "no reference wanted")
	b.Ref = nil
	for i := range b.LogProb { // the square root wants probabilities below 1
		b.LogProb[i] = -0.5 - math.Abs(b.LogProb[i])
	}
	b.LogProb[400] = math.NaN()
	_, err = l.Eval(loss.UnpairedOut{}, b)
	inputError(t, err, "LogProb", 400, math.NaN())
	l.Score = undefined{}
	_, err = l.Eval(loss.UnpairedOut{}, oneReply(0, true))
	inputError(t, err, "LogProb", 0, -2)
}

func TestPointwiseAllocatesNothing(t *testing.T) {
	b, out := randomUnpaired(10, manyPairs, 2), unpairedOut(manyPairs)
	for _, l := range pointwise {
		eval := func() { l.Eval(out, b) }
		allocatesNothing(t, eval, l.name)
	}
}

func BenchmarkPointwise(b *testing.B) {
	for _, l := range pointwise {
		b.Run(l.name, func(b *testing.B) {
			for _, n := range sizes {
				u, out := randomUnpaired(1, n, 3), unpairedOut(n)
				bench(b, n, func() error { _, err := l.Eval(out, u); return err })
			}
		})
	}
}
