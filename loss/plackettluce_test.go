package loss_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/loss"
)

func rankingsOut(rankings, replies int) loss.RankingsOut {
	return loss.RankingsOut{Loss: make([]float64, rankings), LogProb: make([]float64, replies), Reward: make([]float64, replies)}
}

// randomRankings makes n rankings of 2 to 6 replies.
func randomRankings(seed uint64, n int, spread float64) loss.Rankings {
	rng := rand.New(rand.NewPCG(seed, 4))
	b := loss.Rankings{Begin: []int{0}}
	for range n {
		for range 2 + rng.IntN(5) {
			ref := -60 * rng.Float64()
			b.Ref = append(b.Ref, ref)
			b.LogProb = append(b.LogProb, ref+spread*rng.NormFloat64())
		}
		b.Begin = append(b.Begin, len(b.Ref))
	}
	return b
}

func TestPlackettLuceByHand(t *testing.T) {
	// Scores log 4, log 1, log 2, of which the first choice has probability 4/7 and the second
	// 1/3: loss log(7/4) + log 3 = 0.559615787935 + 1.098612288668.
	// Derivatives: 4/7 − 1 = −3/7; 1/7 + 1/3 − 1 = −11/21; 2/7 + 2/3 = 20/21.
	score := []float64{math.Log(4), 0, math.Log(2)}
	out := rankingsOut(1, 3)
	total, err := loss.PlackettLuce{}.Eval(out, score, []int{0, 3})
	require.NoError(t, err)
	assert.InDelta(t, 1.658228076603, out.Loss[0], 1e-12)
	assert.InDeltaSlice(t, []float64{-3.0 / 7, -11.0 / 21, 20.0 / 21}, out.LogProb, 1e-15)
	assert.Equal(t, score, out.Reward)
	assert.Equal(t, [3]int{1, 1, 0}, [3]int{total.Count, total.Correct, total.Ties})

	for _, c := range []struct {
		score         []float64
		correct, ties int
	}{{[]float64{2, 1, 3}, 0, 0}, {[]float64{2, 3, 1}, 0, 0}, {[]float64{2, 1, 2}, 0, 1}, {[]float64{2, 2, 1}, 0, 1}, {[]float64{2, 0, 1}, 1, 0}} {
		total, err := loss.PlackettLuce{}.Eval(loss.RankingsOut{}, c.score, []int{0, 3})
		require.NoError(t, err)
		assert.Equal(t, [2]int{c.correct, c.ties}, [2]int{total.Correct, total.Ties}, c.score)
	}

	// Top 1: the first choice alone. −3/7, 1/7, 2/7.
	_, err = loss.PlackettLuce{Top: 1}.Eval(out, score, []int{0, 3})
	require.NoError(t, err)
	assert.InDelta(t, 0.559615787935, out.Loss[0], 1e-12)
	assert.InDeltaSlice(t, []float64{-3.0 / 7, 1.0 / 7, 2.0 / 7}, out.LogProb, 1e-15)

	// As implicit rewards with β = ½: log-ratios twice the scores, derivatives half.
	total, err = loss.PlackettLuceDPO{Beta: 0.5}.Eval(out, loss.Rankings{
		LogProb: []float64{2*math.Log(4) - 5, -6, 2*math.Log(2) - 7}, Ref: []float64{-5, -6, -7}, Begin: []int{0, 3},
	})
	require.NoError(t, err)
	assert.InDelta(t, 1.658228076603, total.Sum, 1e-12)
	assert.InDeltaSlice(t, []float64{-1.5 / 7, -5.5 / 21, 10.0 / 21}, out.LogProb, 1e-14)
	assert.InDeltaSlice(t, score, out.Reward, 1e-14)
}

// The oracle is the definition: one softmax per choice.
func chosenInTurn(s []float64, top int) float64 {
	sum := 0.0
	for k := range min(top, len(s)-1) {
		sum += floats.LogSumExp(s[k:]) - s[k]
	}
	return sum
}

func TestPlackettLuceGradient(t *testing.T) {
	b := randomRankings(1, 30, 4)
	for _, top := range []int{0, 1, 2, 3, 99} {
		l := loss.PlackettLuceDPO{Beta: 0.3, Top: top}
		out := rankingsOut(30, len(b.Ref))
		total, err := l.Eval(out, b)
		require.NoError(t, err)
		assert.Equal(t, 30, total.Count)
		choices := top
		if top == 0 {
			choices = 99
		}
		for i := range out.Loss {
			lo, hi := b.Begin[i], b.Begin[i+1]
			value := func(x []float64) float64 {
				s := make([]float64, hi-lo)
				floats.SubTo(s, x, b.Ref[lo:hi])
				floats.Scale(0.3, s)
				return chosenInTurn(s, choices)
			}
			within(t, value(b.LogProb[lo:hi]), out.Loss[i], 1e-13)
			assert.InDeltaSlice(t, gradient(value, b.LogProb[lo:hi], 1e-4), out.LogProb[lo:hi], 1e-8)
			assert.InDelta(t, 0, floats.Sum(out.LogProb[lo:hi]), 1e-15) // free up to a constant
		}
	}
}

// For K = 2 these are the pairwise losses.
func TestPlackettLuceOfTwo(t *testing.T) {
	p := randomPairs(3, 50, 20)
	var b loss.Rankings
	b.Begin = []int{0}
	for i := range p.Chosen {
		b.LogProb, b.Ref = append(b.LogProb, p.Chosen[i], p.Rejected[i]), append(b.Ref, p.RefChosen[i], p.RefRejected[i])
		b.Begin = append(b.Begin, 2*i+2)
	}
	want, total := eval(t, loss.DPO{Beta: 0.2}, p)
	for _, top := range []int{0, 1, 7} {
		out := rankingsOut(50, 100)
		got, err := loss.PlackettLuceDPO{Beta: 0.2, Top: top}.Eval(out, b)
		require.NoError(t, err)
		assert.Equal(t, [3]int{total.Count, total.Correct, total.Ties}, [3]int{got.Count, got.Correct, got.Ties})
		for i := range p.Chosen {
			within(t, want.Loss[i], out.Loss[i], 1e-12)
			within(t, want.Chosen[i], out.LogProb[2*i], 1e-12)
			within(t, want.Rejected[i], out.LogProb[2*i+1], 1e-12)
		}
	}
	score := []float64{1, 0.25, -3, 2}
	bt, _ := loss.BradleyTerry{}.Eval(loss.PairsOut{}, loss.Rewards{Chosen: []float64{1, -3}, Rejected: []float64{0.25, 2}})
	pl, err := loss.PlackettLuce{}.Eval(loss.RankingsOut{}, score, []int{0, 2, 4})
	require.NoError(t, err)
	within(t, bt.Sum, pl.Sum, 1e-15)
}

// Scores of ±10⁴ under a common offset of 10⁵: what is certain costs e^−difference, what is
// impossible its distance.
func TestPlackettLuceExtremes(t *testing.T) {
	for _, offset := range []float64{0, 1e5, -1e5} {
		out := rankingsOut(1, 3)
		score := []float64{offset + 1e4, offset + 40, offset}
		_, err := loss.PlackettLuce{}.Eval(out, score, []int{0, 3})
		require.NoError(t, err)
		within(t, math.Log1p(math.Exp(-40)), out.Loss[0], 1e-14)
		assert.Equal(t, 0.0, out.LogProb[0]+0)
		within(t, -math.Exp(-40), out.LogProb[1], 1e-14)
		within(t, math.Exp(-40), out.LogProb[2], 1e-14)

		score = []float64{offset, offset + 40, offset + 1e4}
		_, err = loss.PlackettLuce{}.Eval(out, score, []int{0, 3})
		require.NoError(t, err)
		assert.Equal(t, 1e4+1e4-40, out.Loss[0])
		assert.Equal(t, []float64{-1, -1, 2}, out.LogProb)
	}
	// No weight vanishes early: −(e⁻³⁰⁰ + e⁻⁶⁰⁰).
	out := rankingsOut(1, 3)
	_, err := loss.PlackettLuce{Top: 1}.Eval(out, []float64{600, 300, 0}, []int{0, 3})
	require.NoError(t, err)
	within(t, math.Exp(-300), out.Loss[0], 1e-13)
	within(t, -math.Exp(-300), out.LogProb[0], 1e-13)
	within(t, math.Exp(-600), out.LogProb[2], 1e-13)
}

func TestPlackettLuceLimits(t *testing.T) {
	const impossible, new = 1, 2
	for _, c := range []struct {
		name  string
		kinds []int
		top   int
		loss  float64
		grad  []float64
	}{
		{"last impossible", []int{0, 0, impossible}, 0, math.Ln2, []float64{-0.5, 0.5, 0}},
		{"middle impossible", []int{0, impossible, 0}, 0, inf, []float64{-0.5, -1, 1.5}},
		{"first impossible", []int{impossible, 0, 0}, 0, inf, []float64{-1, 0, 1}},
		{"first new", []int{new, 0, 0}, 0, math.Ln2, []float64{0, -0.5, 0.5}},
		{"last new", []int{0, 0, new}, 0, inf, []float64{-1, -1, 2}},
		{"last two impossible, not chosen", []int{0, impossible, impossible}, 1, 0, []float64{0, 0, 0}},
	} {
		b := loss.Rankings{Begin: []int{0, 3}}
		for _, k := range c.kinds {
			lp, ref := -2.0, -2.0
			if k == impossible {
				lp = -inf
			} else if k == new {
				ref = -inf
			}
			b.LogProb, b.Ref = append(b.LogProb, lp), append(b.Ref, ref)
		}
		out := rankingsOut(1, 3)
		_, err := loss.PlackettLuceDPO{Beta: 1, Top: c.top}.Eval(out, b)
		require.NoError(t, err, c.name)
		assert.InDelta(t, c.loss, out.Loss[0], 1e-15, c.name)
		assert.InDeltaSlice(t, c.grad, out.LogProb, 1e-15, c.name)
	}
	_, err := loss.PlackettLuceDPO{Beta: 1}.Eval(loss.RankingsOut{}, loss.Rankings{
		LogProb: []float64{-1, -1, -1, -inf, -inf}, Ref: []float64{-1, -1, -1, -1, -1}, Begin: []int{0, 2, 5}})
	inputError(t, err, "LogProb", 3, -inf)
	_, err = loss.PlackettLuceDPO{Beta: 1, Top: 1}.Eval(loss.RankingsOut{}, loss.Rankings{
		LogProb: []float64{-1, -1, -1}, Ref: []float64{-1, -inf, -inf}, Begin: []int{0, 3}})
	inputError(t, err, "LogProb", 1, -1)
}

// Rankings of four replies that follow Plackett–Luce, enumerated: the optimum of RLHF is
// stationary, for every number of choices that count, and the reference is not.
func TestTheoryPlackettLuceDPOStationaryAtOptimum(t *testing.T) {
	for seed := range uint64(6) {
		b := randomBandit(seed, 4)
		for _, top := range []int{0, 1, 2} {
			at := func(logp []float64) float64 {
				batch := loss.Rankings{Begin: []int{0}}
				var order []int
				var weight []float64
				var rank func(left []int, p float64, prefix []int)
				rank = func(left []int, p float64, prefix []int) {
					if len(left) == 0 {
						order, weight = append(order, prefix...), append(weight, p)
						for _, y := range prefix {
							batch.LogProb, batch.Ref = append(batch.LogProb, logp[y]), append(batch.Ref, b.ref[y])
						}
						batch.Begin = append(batch.Begin, len(batch.Ref))
						return
					}
					norm := 0.0
					for _, y := range left {
						norm += math.Exp(b.reward[y])
					}
					for i, y := range left {
						rest := append(append([]int{}, left[:i]...), left[i+1:]...)
						rank(rest, p*math.Exp(b.reward[y])/norm, append(append([]int{}, prefix...), y))
					}
				}
				rank([]int{0, 1, 2, 3}, 1, nil)
				out := rankingsOut(len(weight), len(order))
				_, err := loss.PlackettLuceDPO{Beta: b.beta, Top: top}.Eval(out, batch)
				require.NoError(t, err)
				grad := make([]float64, 4)
				for i, y := range order {
					score(grad, logp, y, weight[i/4]*out.LogProb[i])
				}
				return floats.Norm(grad, inf)
			}
			assert.Less(t, at(b.optimum()), 1e-14)
			assert.Greater(t, at(b.ref), 1e-3)
		}
	}
}

func TestPlackettLuceErrors(t *testing.T) {
	for _, v := range []float64{0, -1, inf, math.NaN()} {
		_, err := loss.PlackettLuceDPO{Beta: v}.Eval(loss.RankingsOut{}, loss.Rankings{})
		paramError(t, err, "PlackettLuceDPO.Beta", v)
	}
	_, err := loss.PlackettLuceDPO{Beta: 1, Top: -1}.Eval(loss.RankingsOut{}, loss.Rankings{})
	paramError(t, err, "PlackettLuceDPO.Top", -1)
	_, err = loss.PlackettLuce{Top: -2}.Eval(loss.RankingsOut{}, nil, nil)
	paramError(t, err, "PlackettLuce.Top", -2)
	for _, v := range []float64{math.NaN(), inf, -inf} {
		_, err = loss.PlackettLuce{}.Eval(loss.RankingsOut{}, []float64{1, 2, v}, []int{0, 3})
		inputError(t, err, "Score", 2, v)
	}
	for _, v := range []float64{math.NaN(), inf} {
		b := randomRankings(1, 3, 1)
		b.LogProb[4] = v
		_, err = loss.PlackettLuceDPO{Beta: 1}.Eval(loss.RankingsOut{}, b)
		inputError(t, err, "LogProb", 4, v)
		b = randomRankings(1, 3, 1)
		b.Ref[4] = v
		_, err = loss.PlackettLuceDPO{Beta: 1}.Eval(loss.RankingsOut{}, b)
		inputError(t, err, "Ref", 4, v)
	}
	b := randomRankings(1, 3, 1)
	b.LogProb[1], b.Ref[1] = -inf, -inf
	_, err = loss.PlackettLuceDPO{Beta: 1}.Eval(loss.RankingsOut{}, b)
	inputError(t, err, "LogProb", 1, -inf)

	total, err := loss.PlackettLuce{}.Eval(loss.RankingsOut{}, nil, nil)
	require.NoError(t, err)
	assert.Equal(t, loss.Total{}, total)
}

func TestPlackettLucePanics(t *testing.T) {
	four := make([]float64, 4)
	for name, f := range map[string]func(){
		"no offsets":        func() { loss.PlackettLuce{}.Eval(loss.RankingsOut{}, four, nil) },
		"starts late":       func() { loss.PlackettLuce{}.Eval(loss.RankingsOut{}, four, []int{1, 4}) },
		"ends early":        func() { loss.PlackettLuce{}.Eval(loss.RankingsOut{}, four, []int{0, 3}) },
		"ranking of one":    func() { loss.PlackettLuce{}.Eval(loss.RankingsOut{}, four, []int{0, 1, 4}) },
		"ranking of none":   func() { loss.PlackettLuce{}.Eval(loss.RankingsOut{}, four, []int{0, 0, 4}) },
		"decreasing":        func() { loss.PlackettLuce{}.Eval(loss.RankingsOut{}, four, []int{0, 6, 4}) },
		"long losses":       func() { loss.PlackettLuce{}.Eval(loss.RankingsOut{Loss: four}, four, []int{0, 4}) },
		"short derivatives": func() { loss.PlackettLuce{}.Eval(loss.RankingsOut{LogProb: four[:3]}, four, []int{0, 4}) },
		"long rewards":      func() { loss.PlackettLuce{}.Eval(loss.RankingsOut{Reward: make([]float64, 5)}, four, []int{0, 4}) },
		"no reference": func() {
			loss.PlackettLuceDPO{Beta: 1}.Eval(loss.RankingsOut{}, loss.Rankings{LogProb: four, Begin: []int{0, 4}})
		},
	} {
		assert.Panics(t, f, name)
	}
}

func TestPlackettLuceAllocatesNothing(t *testing.T) {
	b := randomRankings(10, 100, 2)
	out := rankingsOut(100, len(b.Ref))
	for _, f := range []func(){
		func() { loss.PlackettLuceDPO{Beta: 0.1}.Eval(out, b) },
		func() { loss.PlackettLuce{Top: 2}.Eval(out, b.LogProb, b.Begin) },
	} {
		allocatesNothing(t, f)
	}
}

func BenchmarkPlackettLuce(b *testing.B) {
	for _, n := range sizes {
		r := randomRankings(1, n/4, 3)
		out := rankingsOut(n/4, len(r.Ref))
		b.Run("DPO", func(b *testing.B) {
			bench(b, n, func() error { _, err := loss.PlackettLuceDPO{Beta: 0.1}.Eval(out, r); return err })
		})
		b.Run("rewards", func(b *testing.B) {
			bench(b, n, func() error { _, err := loss.PlackettLuce{}.Eval(out, r.LogProb, r.Begin); return err })
		})
	}
}

// Two rankings, of three replies and of two.
func ExamplePlackettLuceDPO() {
	batch := loss.Rankings{
		LogProb: []float64{-11, -14, -25, -20, -9},
		Ref:     []float64{-12, -12, -22, -21, -9},
		Begin:   []int{0, 3, 5},
	}
	out := loss.RankingsOut{Loss: make([]float64, 2), LogProb: make([]float64, 5)}
	total, err := loss.PlackettLuceDPO{Beta: 0.1}.Eval(out, batch)
	fmt.Printf("loss     %.4f\n∂logprob %.4f\nbest first in %d of %d, %v\n", out.Loss, out.LogProb, total.Correct, total.Count, err)
	// Output:
	// loss     [1.5245 0.6444]
	// ∂logprob [-0.0585 -0.0168 0.0753 -0.0475 0.0475]
	// best first in 2 of 2, <nil>
}

// A reward model's scores for four replies, of which only the best is known.
func ExamplePlackettLuce() {
	score := []float64{1.5, 0.5, 2, -1}
	out := loss.RankingsOut{LogProb: make([]float64, 4)}
	total, err := loss.PlackettLuce{Top: 1}.Eval(out, score, []int{0, 4})
	fmt.Printf("loss %.4f, ∂score %.4f, %v\n", total.Sum, out.LogProb, err)
	// Output:
	// loss 1.1310, ∂score [-0.6773 0.1187 0.5321 0.0265], <nil>
}
