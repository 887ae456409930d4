package loss_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

type tokenLoss interface {
	Eval(dst loss.TokenOut, b loss.Layout, logp []float64) (loss.TokenTotal, error)
}

func tokenOut(l loss.Layout) loss.TokenOut {
	return loss.TokenOut{Loss: make([]float64, l.Len()), LogProb: make([]float64, l.Begin[l.Len()])}
}

// Sequences of 2 and of 3 tokens, after prompts of 1 and 0; a token of the second is masked.
var twoReplies = loss.Layout{
	Begin: []int{0, 3, 6}, Prompt: []int{1, 0}, Mask: []bool{false, true, true, true, false, true},
}

func TestTokenNLLByHand(t *testing.T) {
	nan := math.NaN()
	logp := []float64{nan, -1, -2, -0.5, nan, -4}
	for by, want := range map[loss.Aggregation]struct {
		loss, grad []float64
		sum        float64
	}{
		loss.SumTokens:  {[]float64{3, 4.5}, []float64{0, -1, -1, -1, 0, -1}, 7.5},
		loss.MeanTokens: {[]float64{1.5, 2.25}, []float64{0, -0.5, -0.5, -0.5, 0, -0.5}, 3.75},
	} {
		out := tokenOut(twoReplies)
		out.LogProb[0] = 9 // to be overwritten
		total, err := loss.TokenNLL{By: by}.Eval(out, twoReplies, logp)
		require.NoError(t, err)
		assert.Equal(t, want.loss, out.Loss)
		assert.Equal(t, want.grad, out.LogProb)
		assert.Equal(t, loss.TokenTotal{Sum: want.sum, Tokens: 4, Sequences: 2}, total)
	}
}

func TestDFTByHand(t *testing.T) {
	// p = ½, ¼, 1 and 0: losses ½·log 2 = 0.346573590280, ¼·log 4 = 0.346573590280, 0, 0.
	logp := []float64{0, -math.Ln2, -2 * math.Ln2, 0, 0, -inf}
	out := tokenOut(twoReplies)
	total, err := loss.DFT{By: loss.SumTokens}.Eval(out, twoReplies, logp)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{0.693147180560, 0}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{0, -0.5, -0.25, -1, 0, 0}, out.LogProb, 1e-15)
	assert.Equal(t, [2]int{4, 2}, [2]int{total.Tokens, total.Sequences})
	_, err = loss.DFT{By: loss.MeanTokens}.Eval(out, twoReplies, logp)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{0.346573590280, 0}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{0, -0.25, -0.125, -0.5, 0, 0}, out.LogProb, 1e-15)
}

// The gradient of DFT is that of its value with the weight p held, and that of −Σ p, which is
// what it minimises; it is not that of its value.
func TestDFTGradient(t *testing.T) {
	l := loss.Layout{Begin: []int{0, 3}, Prompt: []int{0}}
	at := []float64{-0.1, -1, -20}
	out := tokenOut(l)
	_, err := loss.DFT{By: loss.SumTokens}.Eval(out, l, at)
	require.NoError(t, err)
	held := func(x []float64) float64 {
		sum := 0.0
		for i, lp := range x {
			sum -= math.Exp(at[i]) * lp
		}
		return sum
	}
	accuracy := func(x []float64) float64 { return -math.Exp(x[0]) - math.Exp(x[1]) - math.Exp(x[2]) }
	assert.InDeltaSlice(t, gradient(held, at, 1e-4), out.LogProb, 1e-8)
	assert.InDeltaSlice(t, gradient(accuracy, at, 1e-4), out.LogProb, 1e-8)
	value := func(x []float64) float64 {
		total, err := loss.DFT{By: loss.SumTokens}.Eval(loss.TokenOut{}, l, x)
		require.NoError(t, err)
		return total.Sum
	}
	assert.Greater(t, gradient(value, at, 1e-4)[1]-out.LogProb[1], 0.3) // −p − p·log p
}

// Among demonstrations of shares 0.6 and 0.4 NLL stops at them; DFT goes on to the first.
func TestTheoryDFTTakesTheMode(t *testing.T) {
	share := []float64{0.6, 0.4}
	l := loss.Layout{Begin: []int{0, 1, 2}, Prompt: []int{0, 0}}
	slope := func(of tokenLoss, p float64) float64 { // along the first logit of a softmax
		out := tokenOut(l)
		logp := []float64{math.Log(p), math.Log1p(-p)}
		_, err := of.Eval(out, l, logp)
		require.NoError(t, err)
		grad := make([]float64, 2)
		for y := range 2 {
			score(grad, logp, y, share[y]*out.LogProb[y])
		}
		return grad[0]
	}
	assert.InDelta(t, 0, slope(loss.TokenNLL{By: loss.SumTokens}, 0.6), 1e-15)
	for _, p := range []float64{0.01, 0.6, 0.9, 0.999} {
		assert.Less(t, slope(loss.DFT{By: loss.SumTokens}, p), 0.0)
	}
}

func TestTokenLossesSplit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, of := range []func(by loss.Aggregation) tokenLoss{
		func(by loss.Aggregation) tokenLoss { return loss.TokenNLL{By: by} },
		func(by loss.Aggregation) tokenLoss { return loss.DFT{By: by} },
	} {
		for _, by := range []loss.Aggregation{loss.SumTokens, loss.MeanTokens} {
			l := randomLayout(3, 20, true)
			logp := tokenValues(l, func() float64 { return -3 * rng.Float64() })
			whole := tokenOut(l)
			total, err := of(by).Eval(whole, l, logp)
			require.NoError(t, err)
			var sum loss.TokenTotal
			for i := range l.Len() {
				lo, hi := l.Begin[i], l.Begin[i+1]
				one := loss.Layout{Begin: []int{0, hi - lo}, Prompt: l.Prompt[i : i+1], Mask: l.Mask[lo:hi]}
				out := tokenOut(one)
				part, err := of(by).Eval(out, one, logp[lo:hi])
				require.NoError(t, err)
				bits(t, whole.LogProb[lo:hi], out.LogProb)
				bits(t, whole.Loss[i:i+1], out.Loss)
				sum.Add(part)
			}
			within(t, total.Sum, sum.Sum, 1e-14)
			sum.Sum = total.Sum
			assert.Equal(t, total, sum)
		}
	}
}

func TestTokenLossesErrors(t *testing.T) {
	for param, l := range map[string]tokenLoss{"TokenNLL.By": loss.TokenNLL{}, "DFT.By": loss.DFT{}} {
		_, err := l.Eval(loss.TokenOut{}, twoReplies, make([]float64, 6))
		paramError(t, err, param, 0)
	}
	_, err := loss.TokenNLL{By: 3}.Eval(loss.TokenOut{}, twoReplies, make([]float64, 6))
	paramError(t, err, "TokenNLL.By", 3)
	nll, dft := loss.TokenNLL{By: loss.MeanTokens}, loss.DFT{By: loss.MeanTokens}
	for _, l := range []tokenLoss{nll, dft} {
		for _, v := range []float64{math.NaN(), inf} {
			logp := make([]float64, 6)
			logp[5], logp[4], logp[0] = v, math.NaN(), math.NaN() // only the first of these counts
			_, err := l.Eval(loss.TokenOut{}, twoReplies, logp)
			inputError(t, err, "LogProb", 5, v)
		}
		for _, out := range []loss.TokenOut{{Loss: make([]float64, 3)}, {LogProb: make([]float64, 5)}} {
			assert.PanicsWithValue(t, "loss: slices of different lengths", func() { l.Eval(out, twoReplies, make([]float64, 6)) })
		}
	}
	logp := make([]float64, 6)
	logp[3] = -inf
	out := tokenOut(twoReplies)
	_, err = nll.Eval(out, twoReplies, logp)
	require.NoError(t, err)
	assert.Equal(t, []float64{0, inf}, []float64{out.Loss[0] + 0, out.Loss[1]})
}

// Defect 10: a reply of which no token counts has no mean; its sum is 0.
func TestDefectZeroLength(t *testing.T) {
	empty := loss.Layout{Begin: []int{0, 2, 3}, Prompt: []int{1, 0}, Mask: []bool{true, true, false}}
	logp := []float64{0, -1, -1}
	for _, l := range []tokenLoss{loss.TokenNLL{By: loss.MeanTokens}, loss.DFT{By: loss.MeanTokens}} {
		_, err := l.Eval(loss.TokenOut{}, empty, logp)
		inputError(t, err, "Len", 1, 0)
	}
	total, err := loss.TokenNLL{By: loss.SumTokens}.Eval(loss.TokenOut{}, empty, logp)
	require.NoError(t, err)
	assert.Equal(t, loss.TokenTotal{Sum: 1, Tokens: 1, Sequences: 2}, total)
	pairs := loss.TokenPairs{Layout: empty, LogProb: logp, Ref: logp, KL: logp, SumSq: logp}
	_, err = loss.Averaged{loss.DPO{Beta: 1}}.Eval(loss.TokenPairsOut{}, pairs)
	inputError(t, err, "RejectedLen", 0, 0)
	_, err = loss.WPO{Loss: loss.Summed{loss.DPO{Beta: 1}}}.Eval(loss.TokenPairsOut{}, pairs)
	inputError(t, err, "RejectedLen", 0, 0)
	_, err = loss.Summed{loss.DPO{Beta: 1}}.Eval(loss.TokenPairsOut{}, pairs)
	require.NoError(t, err)
}

func TestTokenLossesAllocateNothing(t *testing.T) {
	l := randomLayout(1, 50, true)
	logp, out := tokenValues(l, func() float64 { return -1 }), tokenOut(l)
	for _, of := range []tokenLoss{loss.TokenNLL{By: loss.SumTokens}, loss.DFT{By: loss.MeanTokens}} {
		allocatesNothing(t, func() { of.Eval(out, l, logp) })
	}
}

// oneSequence is n reply tokens in sequences of 64.
func oneSequence(n int) (l loss.Layout, logp []float64) {
	l.Begin = []int{0}
	for lo := 0; lo < n; lo += 64 {
		l.Begin, l.Prompt = append(l.Begin, min(lo+64, n)), append(l.Prompt, 0)
	}
	rng := rand.New(rand.NewPCG(2, 2))
	return l, tokenValues(l, func() float64 { return -3 * rng.Float64() })
}

func BenchmarkTokenNLL(b *testing.B) {
	for _, n := range sizes {
		l, logp := oneSequence(n)
		out := tokenOut(l)
		bench(b, n, func() error { _, err := loss.TokenNLL{By: loss.SumTokens}.Eval(out, l, logp); return err })
	}
}

func BenchmarkDFT(b *testing.B) {
	for _, n := range sizes {
		l, logp := oneSequence(n)
		out := tokenOut(l)
		bench(b, n, func() error { _, err := loss.DFT{By: loss.SumTokens}.Eval(out, l, logp); return err })
	}
}

// Two demonstrations, of two tokens and of one, after prompts of one token.
func ExampleTokenNLL() {
	layout := loss.Layout{Begin: []int{0, 3, 5}, Prompt: []int{1, 1}}
	logp := []float64{0, -1, -2, 0, -0.6} // prompt positions are not read
	for _, by := range []loss.Aggregation{loss.SumTokens, loss.MeanTokens} {
		grad := make([]float64, 5)
		total, err := loss.TokenNLL{By: by}.Eval(loss.TokenOut{LogProb: grad}, layout, logp)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("∂logprob %.1f; per token %.2f, per sequence %.2f\n", grad,
			total.Sum/float64(total.Tokens), total.Sum/float64(total.Sequences))
	}
	// Output:
	// ∂logprob [0.0 -1.0 -1.0 0.0 -1.0]; per token 1.20, per sequence 1.80
	// ∂logprob [0.0 -0.5 -0.5 0.0 -1.0]; per token 0.70, per sequence 1.05
}

// Unlikely tokens are pulled up less than likely ones.
func ExampleDFT() {
	layout := loss.Layout{Begin: []int{0, 3}, Prompt: []int{1}}
	grad := make([]float64, 3)
	total, err := loss.DFT{By: loss.SumTokens}.Eval(loss.TokenOut{LogProb: grad}, layout, []float64{0, -0.1, -3})
	fmt.Printf("%.3f of %d tokens, ∂logprob %.3f, %v\n", total.Sum, total.Tokens, grad, err)
	// Output:
	// 0.240 of 2 tokens, ∂logprob [0.000 -0.905 -0.050], <nil>
}
