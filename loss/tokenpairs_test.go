package loss_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// tokenPairwise lists the objectives on pairs of token sequences.
var tokenPairwise = []struct {
	name string
	loss.TokenPairwise
}{
	{"summed", loss.Summed{loss.DPO{Beta: 0.3}}},
	{"averaged", loss.Averaged{loss.DPO{Beta: 2, LabelSmoothing: 0.1}}},
	{"LD-DPO", loss.LDDPO{Loss: loss.DPO{Beta: 0.3}, Alpha: 0.4}},
	{"LD-IPO", loss.LDDPO{Loss: loss.IPO{Tau: 0.5, LogRatio: loss.Mean}, Alpha: 0}},
	{"TDPO1", loss.TDPO1{Beta: 0.3}},
	{"TDPO2", loss.TDPO2{Beta: 0.3, Alpha: 0.5}},
	{"WPO", loss.WPO{Loss: loss.Summed{loss.DPO{Beta: 0.3}}}},
	{"WPO of TDPO", loss.WPO{Loss: loss.TDPO1{Beta: 0.3}, Cap: 0.5}},
}

// randomTokenPairs makes n pairs, with NaN wherever nothing must be read.
func randomTokenPairs(seed uint64, n int, masked bool) loss.TokenPairs {
	rng := rand.New(rand.NewPCG(seed, 7))
	b := loss.TokenPairs{Layout: randomLayout(seed, 2*n, masked)}
	b.Ref = tokenValues(b.Layout, func() float64 { return -4 * rng.Float64() })
	b.LogProb = tokenValues(b.Layout, func() float64 { return -4 * rng.Float64() })
	b.KL = tokenValues(b.Layout, rng.Float64)
	b.SumSq = tokenValues(b.Layout, func() float64 { return -2 * rng.Float64() })
	return b
}

func tokenPairsOut(pairs, tokens int) loss.TokenPairsOut {
	return loss.TokenPairsOut{
		Loss: make([]float64, pairs), RewardChosen: make([]float64, pairs), RewardRejected: make([]float64, pairs),
		LogProb: make([]float64, tokens), KL: make([]float64, tokens),
	}
}

func evalTokens(t testing.TB, l loss.TokenPairwise, b loss.TokenPairs) (loss.TokenPairsOut, loss.Total) {
	t.Helper()
	out := tokenPairsOut(b.Len()/2, len(b.LogProb))
	total, err := l.Eval(out, b)
	require.NoError(t, err)
	return out, total
}

// one is pair i alone.
func one(b loss.TokenPairs, i int) loss.TokenPairs {
	lo, mid, hi := b.Begin[2*i], b.Begin[2*i+1], b.Begin[2*i+2]
	p := loss.TokenPairs{
		Layout:  loss.Layout{Begin: []int{0, mid - lo, hi - lo}, Prompt: b.Prompt[2*i : 2*i+2]},
		LogProb: b.LogProb[lo:hi], Ref: b.Ref[lo:hi], KL: b.KL[lo:hi], SumSq: b.SumSq[lo:hi],
	}
	if b.Mask != nil {
		p.Mask = b.Mask[lo:hi]
	}
	return p
}

// pick lists the values of v that count in reply i.
func pick(b loss.TokenPairs, v []float64, i int) (out []float64) {
	for _, p := range counted(b.Layout, i) {
		out = append(out, v[p])
	}
	return out
}

func total(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s
}

func softplus(x float64) float64 { return math.Log(1 + math.Exp(x)) }

// oracle evaluates pair i of a batch from the definition, on lists of the tokens that count.
// held are the log-probabilities and KLs at which detached quantities stay.
func oracle(name string, b, held loss.TokenPairs, i int) float64 {
	ratio := func(r int) []float64 {
		d := pick(b, b.LogProb, r)
		for k, v := range pick(b, b.Ref, r) {
			d[k] -= v
		}
		return d
	}
	c, r := ratio(2*i), ratio(2*i+1)
	m := min(len(c), len(r))
	sums := func(alpha float64) float64 {
		return total(c[:m]) + alpha*total(c[m:]) - total(r[:m]) - alpha*total(r[m:])
	}
	kl := total(pick(b, b.KL, 2*i)) - total(pick(b, b.KL, 2*i+1))
	weight := 0.0
	for s := range 2 {
		lp, sq := pick(held, held.LogProb, 2*i+s), pick(held, held.SumSq, 2*i+s)
		weight += (total(lp) - total(sq)) / float64(len(lp))
	}
	switch name {
	case "summed":
		return softplus(-0.3 * sums(1))
	case "averaged":
		z := 2 * (total(c)/float64(len(c)) - total(r)/float64(len(r)))
		return 0.9*softplus(-z) + 0.1*softplus(z)
	case "LD-DPO":
		return softplus(-0.3 * sums(0.4))
	case "LD-IPO":
		return math.Pow(total(c[:m])/float64(len(c))-total(r[:m])/float64(len(r))-1, 2)
	case "TDPO1":
		return softplus(-0.3 * (sums(1) + kl))
	case "TDPO2":
		kl := total(pick(held, held.KL, 2*i)) - total(pick(b, b.KL, 2*i+1))
		return softplus(-0.3 * (sums(1) + 0.5*kl))
	case "WPO":
		return math.Exp(weight) * softplus(-0.3*sums(1))
	case "WPO of TDPO":
		return min(0.5, math.Exp(weight)) * softplus(-0.3*(sums(1)+kl))
	}
	panic(name)
}

// Values against the definition; derivatives against central differences of it, in which what
// is detached is held.
func TestTokenPairwiseGradients(t *testing.T) {
	for _, l := range tokenPairwise {
		t.Run(l.name, func(t *testing.T) {
			for _, masked := range []bool{false, true} {
				b := randomTokenPairs(2, 6, masked)
				out, total := evalTokens(t, l, b)
				sum := 0.0
				for i := range 6 {
					within(t, oracle(l.name, b, b, i), out.Loss[i], 1e-12)
					sum += out.Loss[i]
					for s := range 2 {
						for _, p := range counted(b.Layout, 2*i+s) {
							for _, of := range []struct {
								at   *[]float64
								grad []float64
							}{{&b.LogProb, out.LogProb}, {&b.KL, out.KL}} {
								moved := b
								if of.at == &b.LogProb {
									of.at = &moved.LogProb
								} else {
									of.at = &moved.KL
								}
								value := func(x []float64) float64 {
									*of.at = append([]float64(nil), *of.at...)
									(*of.at)[p] = x[0]
									return oracle(l.name, moved, b, i)
								}
								want := gradient(value, []float64{(*of.at)[p]}, 1e-5)[0]
								assert.InDelta(t, want, of.grad[p], 1e-8*(1+math.Abs(want)))
							}
						}
					}
				}
				within(t, sum, total.Sum, 1e-14)
				assert.Equal(t, 6, total.Count)
			}
		})
	}
}

// Defects 9 and 16: what stands in prompts and masked positions, NaN in all batches here, does
// not count, and gets a derivative of 0.
func TestDefectMaskedValuesSurvive(t *testing.T) {
	for _, l := range tokenPairwise {
		b := randomTokenPairs(3, 20, true)
		out := tokenPairsOut(20, len(b.LogProb))
		for i := range out.LogProb {
			out.LogProb[i], out.KL[i] = 7, 7
		}
		_, err := l.Eval(out, b)
		require.NoError(t, err)
		counts := make([]bool, len(b.LogProb))
		for i := range b.Len() {
			for _, p := range counted(b.Layout, i) {
				counts[p] = true
			}
		}
		for p, c := range counts {
			if !c {
				assert.Zero(t, out.LogProb[p], l.name)
				assert.Zero(t, out.KL[p], l.name)
			}
		}
		// The same replies without the tokens that are left out.
		var dense loss.TokenPairs
		dense.Begin = []int{0}
		for i := range b.Len() {
			dense.LogProb = append(dense.LogProb, pick(b, b.LogProb, i)...)
			dense.Ref = append(dense.Ref, pick(b, b.Ref, i)...)
			dense.KL = append(dense.KL, pick(b, b.KL, i)...)
			dense.SumSq = append(dense.SumSq, pick(b, b.SumSq, i)...)
			dense.Begin, dense.Prompt = append(dense.Begin, len(dense.LogProb)), append(dense.Prompt, 0)
		}
		same, _ := evalTokens(t, l, dense)
		bits(t, same.Loss, out.Loss, l.name)
	}
}

// Separable: a batch is its pairs, to the bit.
func TestTokenPairwiseSplit(t *testing.T) {
	b := randomTokenPairs(4, 30, true)
	for _, l := range tokenPairwise {
		whole, total := evalTokens(t, l, b)
		var sum loss.Total
		for i := range 30 {
			lo, hi := b.Begin[2*i], b.Begin[2*i+2]
			out, part := evalTokens(t, l, one(b, i))
			bits(t, whole.LogProb[lo:hi], out.LogProb)
			bits(t, whole.KL[lo:hi], out.KL)
			bits(t, []float64{whole.Loss[i], whole.RewardChosen[i], whole.RewardRejected[i]},
				[]float64{out.Loss[0], out.RewardChosen[0], out.RewardRejected[0]})
			sum.Add(part)
		}
		within(t, total.Sum, sum.Sum, 1e-13)
		sum.Sum = total.Sum
		assert.Equal(t, total, sum, l.name)
		require.NotZero(t, total.Correct)
	}
}

func TestTokenPairwiseNilDestinations(t *testing.T) {
	b := randomTokenPairs(5, 12, true)
	for _, l := range tokenPairwise {
		full, total := evalTokens(t, l, b)
		for mask := range 1 << 5 {
			var got loss.TokenPairsOut
			fields := []struct {
				dst  *[]float64
				want []float64
			}{
				{&got.Loss, full.Loss}, {&got.LogProb, full.LogProb}, {&got.KL, full.KL},
				{&got.RewardChosen, full.RewardChosen}, {&got.RewardRejected, full.RewardRejected},
			}
			for f := range fields {
				if mask>>f&1 == 1 {
					*fields[f].dst = make([]float64, len(fields[f].want))
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

func TestTokenPairwiseErrors(t *testing.T) {
	for _, l := range tokenPairwise {
		for _, v := range []float64{math.NaN(), inf} {
			for field, of := range map[string]func(b *loss.TokenPairs) []float64{
				"LogProb": func(b *loss.TokenPairs) []float64 { return b.LogProb },
				"Ref":     func(b *loss.TokenPairs) []float64 { return b.Ref },
			} {
				b := randomTokenPairs(6, 5, true)
				p := counted(b.Layout, 7)[0]
				of(&b)[p] = v
				_, err := l.Eval(loss.TokenPairsOut{}, b)
				inputError(t, err, field, p, v)
			}
		}
		// Both replies impossible: the pair's sums are named.
		b := randomTokenPairs(6, 5, false)
		b.LogProb[counted(b.Layout, 4)[0]], b.LogProb[counted(b.Layout, 5)[0]] = -inf, -inf
		_, err := l.Eval(loss.TokenPairsOut{}, b)
		inputError(t, err, "Chosen", 2, -inf)

		for name, change := range map[string]func(b *loss.TokenPairs, out *loss.TokenPairsOut){
			"odd": func(b *loss.TokenPairs, _ *loss.TokenPairsOut) {
				b.Begin, b.Prompt = []int{0, len(b.LogProb)}, []int{0}
			},
			"short reference": func(b *loss.TokenPairs, _ *loss.TokenPairsOut) { b.Ref = b.Ref[1:] },
			"no reference":    func(b *loss.TokenPairs, _ *loss.TokenPairsOut) { b.Ref = nil },
			"short KL":        func(b *loss.TokenPairs, _ *loss.TokenPairsOut) { b.KL = b.KL[1:] },
			"short SumSq":     func(b *loss.TokenPairs, _ *loss.TokenPairsOut) { b.SumSq = b.SumSq[1:] },
			"short offsets":   func(b *loss.TokenPairs, _ *loss.TokenPairsOut) { b.Begin = b.Begin[1:] },
			"loss per reply":  func(_ *loss.TokenPairs, out *loss.TokenPairsOut) { out.Loss = make([]float64, 10) },
			"short rewards":   func(_ *loss.TokenPairs, out *loss.TokenPairsOut) { out.RewardRejected = make([]float64, 4) },
			"weight per pair": func(_ *loss.TokenPairs, out *loss.TokenPairsOut) { out.LogProb = make([]float64, 5) },
			"short KL out":    func(_ *loss.TokenPairs, out *loss.TokenPairsOut) { out.KL = out.KL[1:] },
		} {
			b := randomTokenPairs(6, 5, true)
			out := tokenPairsOut(5, len(b.LogProb))
			change(&b, &out)
			assert.Panics(t, func() { l.Eval(out, b) }, "%s: %s", l.name, name)
		}
	}
	b := randomTokenPairs(6, 5, true)
	for _, l := range []loss.TokenPairwise{loss.Summed{}, loss.Averaged{}, loss.LDDPO{}, loss.WPO{}} {
		assert.Panics(t, func() { l.Eval(loss.TokenPairsOut{}, b) }, "%T without Loss", l)
	}
	_, err := loss.Summed{loss.DPO{}}.Eval(loss.TokenPairsOut{}, b)
	paramError(t, err, "DPO.Beta", 0)
}

func TestTokenPairwiseEmpty(t *testing.T) {
	for _, l := range tokenPairwise {
		none := []float64{}
		total, err := l.Eval(loss.TokenPairsOut{}, loss.TokenPairs{Ref: none, KL: none, SumSq: none})
		require.NoError(t, err, l.name)
		assert.Equal(t, loss.Total{}, total)
	}
}

// Summed tokens are the pairwise loss on whole replies, and averaged ones NormDPO.
func TestSummedIsPairwise(t *testing.T) {
	b := randomTokenPairs(7, 40, true)
	var p loss.Pairs
	for i := range 40 {
		c, r := counted(b.Layout, 2*i), counted(b.Layout, 2*i+1)
		p.Chosen, p.Rejected = append(p.Chosen, total(pick(b, b.LogProb, 2*i))), append(p.Rejected, total(pick(b, b.LogProb, 2*i+1)))
		p.RefChosen, p.RefRejected = append(p.RefChosen, total(pick(b, b.Ref, 2*i))), append(p.RefRejected, total(pick(b, b.Ref, 2*i+1)))
		p.ChosenLen, p.RejectedLen = append(p.ChosenLen, len(c)), append(p.RejectedLen, len(r))
	}
	for _, c := range []struct {
		tokens loss.TokenPairwise
		pairs  loss.Pairwise
		rel    float64
	}{
		{loss.Summed{loss.DPO{Beta: 0.3}}, loss.DPO{Beta: 0.3}, 0},
		{loss.Summed{loss.NormDPO{Beta: 3}}, loss.NormDPO{Beta: 3}, 0},
		{loss.Summed{loss.IPO{Tau: 1, LogRatio: loss.Mean}}, loss.IPO{Tau: 1, LogRatio: loss.Mean}, 0},
		{loss.Summed{loss.AOT{Beta: 0.3}}, loss.AOT{Beta: 0.3}, 0},
		{loss.LDDPO{Loss: loss.DPO{Beta: 0.3}, Alpha: 1}, loss.DPO{Beta: 0.3}, 0},
		{loss.TDPO2{Beta: 0.3}, loss.DPO{Beta: 0.3}, 0},
		{loss.Averaged{loss.DPO{Beta: 3}}, loss.NormDPO{Beta: 3}, 1e-12},
	} {
		want, total := eval(t, c.pairs, p)
		got, tokens := evalTokens(t, c.tokens, b)
		within(t, total.Sum, tokens.Sum, c.rel)
		for i := range 40 {
			within(t, want.Loss[i], got.Loss[i], c.rel)
			within(t, want.RewardChosen[i], got.RewardChosen[i], c.rel)
			within(t, want.Chosen[i], got.LogProb[counted(b.Layout, 2*i)[0]], c.rel)
			within(t, want.Rejected[i], got.LogProb[counted(b.Layout, 2*i+1)[0]], c.rel)
		}
	}
}

func TestTokenPairwiseCoupled(t *testing.T) {
	for _, l := range tokenPairwise {
		assert.False(t, loss.IsCoupled(l.TokenPairwise), l.name)
	}
	aot := loss.AOT{Beta: 1}
	for _, l := range []loss.TokenPairwise{loss.Summed{aot}, loss.Averaged{aot}, loss.LDDPO{Loss: aot, Alpha: 1}} {
		assert.True(t, loss.IsCoupled(l))
		assert.PanicsWithValue(t, "loss: WPO without Loss, or of a batch-coupled one", func() {
			loss.WPO{Loss: l}.Eval(loss.TokenPairsOut{}, randomTokenPairs(1, 2, false))
		})
	}
}

func TestTokenPairwiseAllocatesNothing(t *testing.T) {
	b := randomTokenPairs(8, 50, true)
	out := tokenPairsOut(50, len(b.LogProb))
	for _, l := range tokenPairwise {
		run := func() { l.Eval(out, b) }
		allocatesNothing(t, run, l.name)
	}
}

// Times are per token.
func BenchmarkTokenPairwise(b *testing.B) {
	for _, l := range tokenPairwise {
		b.Run(l.name, func(b *testing.B) {
			for _, n := range sizes {
				layout, logp := oneSequence(n)
				if layout.Len()%2 != 0 {
					layout.Begin, layout.Prompt = []int{0, n / 2, n}, []int{0, 0}
				}
				p := loss.TokenPairs{Layout: layout, LogProb: logp, Ref: logp, KL: logp, SumSq: logp}
				out := tokenPairsOut(layout.Len()/2, n)
				bench(b, n, func() error { _, err := l.Eval(out, p); return err })
			}
		})
	}
}
