package sampler_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/sampler"
)

// even prefers even replies, and of two such the larger.
var even = sampler.ScorerFunc[int, int](func(_ context.Context, dst []float64, _, ys []int) error {
	for i, y := range ys {
		dst[i] = float64(y)
		if y%2 == 1 {
			dst[i] = -1
		}
	}
	return nil
})

// Online DPO: two draws of each prompt from the policy as it is, judged, make a pair.
func ExampleChoice_onlineDPO() {
	ctx := context.Background()
	pi := policy.NewTabular(1, 6, nil)
	ref := pi.Freeze()
	var judge sampler.Judge[int, int] = sampler.BothOrders[int, int]{Inner: sampler.Scored[int, int]{Scorer: even, Hard: true}}
	const n = 32 // pairs per step
	xs, first, second := make([]int, 2*n), make([]int, n), make([]int, n)
	for i := range first {
		first[i], second[i] = 2*i, 2*i+1
	}
	ys, as, bs, win := make([]int, 2*n), make([]int, n), make([]int, n), make([]float64, n)
	logp, logr, w := make([]float64, 2*n), make([]float64, 2*n), make([]float64, 2*n)
	pass := pi.NewPass()
	var c sampler.Choice
	var pairs loss.Pairs
	for step := range 300 {
		err := pi.Sample(ctx, policy.Draws[int]{Y: ys}, []int{0}, []uint64{0}, 2*n, policy.Key{Seed: 1, Step: uint64(step)})
		if err != nil {
			fmt.Println(err)
			return
		}
		for i := range as {
			as[i], bs[i] = ys[2*i], ys[2*i+1]
		}
		if err := sampler.Compare(ctx, judge, win, xs[:n], as, bs); err != nil {
			fmt.Println(err)
			return
		}
		c.Reset()
		c.Judged(first, second, win)
		if err := pass.Forward(ctx, logp, xs, ys); err != nil {
			fmt.Println(err)
			return
		}
		if err := ref.LogProbs(ctx, logr, xs, ys); err != nil {
			fmt.Println(err)
			return
		}
		c.Pairs(&pairs, logp, logr, nil)
		out := loss.PairsOut{Chosen: make([]float64, len(c.Chosen)), Rejected: make([]float64, len(c.Chosen))}
		if _, err := (loss.DPO{Beta: 0.5}).Eval(out, pairs); err != nil {
			fmt.Println(err)
			return
		}
		clear(w)
		for i := range c.Chosen {
			w[c.Chosen[i]] += out.Chosen[i]
			w[c.Rejected[i]] += out.Rejected[i]
		}
		if err := pass.Pullback(ctx, w); err != nil {
			fmt.Println(err)
			return
		}
		for i, g := range pi.Grad() {
			pi.Params()[i] -= 0.1 * g
			pi.Grad()[i] = 0
		}
	}
	p := make([]float64, 3)
	if err := pi.LogProbs(ctx, p, make([]int, 3), []int{4, 2, 5}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("4 beats 2:", p[0] > p[1], "and 2 beats 5:", p[1] > p[2])
	// Output: 4 beats 2: true and 2 beats 5: true
}

// The pair of the best and the worst of four, and what REBEL makes of successive draws.
func ExampleChoice() {
	reward := []float64{0.1, 0.7, 0.3, -0.2}
	var c sampler.Choice
	c.BestWorst(reward, 4)
	fmt.Println(c.Chosen, c.Rejected)
	c.Reset()
	c.Successive(reward)
	var pairs loss.Pairs
	c.Pairs(&pairs, []float64{-1, -2, -3, -4}, []float64{-1, -2, -3, -4}, nil)
	c.Margins(&pairs, reward)
	total, err := loss.REBEL{Eta: 1}.Eval(loss.PairsOut{}, pairs)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("margins %.1f, REBEL at the start %.2f\n", pairs.Margin, total.Sum)
	// Output:
	// [1] [3]
	// margins [0.6 0.5], REBEL at the start 0.61
}

// RSO takes two of eight candidates, about as if they came from π_ref·e^{r/β}.
func ExampleRejection() {
	reward := []float64{0, 1, 0.2, 0.9, -3, 0.4, 0.8, -1}
	dst, room := make([]int, 2), make([]int, len(reward))
	a, err := sampler.Rejection{Beta: 0.2}.Select(dst, room, reward, rand.NewPCG(1, 1))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("took %v, %.0f%% of the proposals\n", dst, 100*a.Rate())
	// Output: took [1 3], 18% of the proposals
}

// SPPO: win rates among all draws of a prompt.
func ExamplePreferences() {
	const k = 3
	prefer := make([]float64, k*k)
	judge := sampler.Scored[int, int]{Scorer: even, Hard: true}
	if err := sampler.Preferences(context.Background(), judge, prefer, []int{0}, []int{2, 5, 4}, k); err != nil {
		fmt.Println(err)
		return
	}
	var g sampler.Groups
	g.Complete(prefer, k, k)
	var batch loss.Unpaired
	win, err := g.KWise(&batch, nil, []float64{-1, -1, -1}, []float64{-1, -1, -1}, prefer, k)
	if err != nil {
		fmt.Println(err)
		return
	}
	total, err := loss.SPPOKWise{Beta: 1}.Eval(loss.UnpairedOut{}, batch, win)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("win rates %.2f, loss %.3f\n", win, total.Sum)
	// Output: win rates [0.50 0.17 0.83], loss 0.222
}

// Nash-MD: the policy's replies against those of a mixture with the reference.
func ExampleMixture() {
	ctx := context.Background()
	m, err := lm.New(lm.Config{Vocab: 5, EOS: 0, Dim: 8, Buckets: 64})
	if err != nil {
		fmt.Println(err)
		return
	}
	ref, err := lm.New(m.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	prompts, ids, k := [][]int32{{1}}, []uint64{0}, 4
	own, opponent := make([][]int32, k), make([][]int32, k)
	pi := policy.Sequences{Model: m, Generator: sampler.NewAncestral(m, 0, 6)}
	mu := policy.Sequences{Model: m, Generator: sampler.NewAncestral(sampler.Mixture{Policy: m, Ref: ref, A: 0.25}, 0, 6)}
	logp := make([]float64, k)
	if err := pi.Sample(ctx, policy.Draws[[]int32]{Y: own, Model: logp}, prompts, ids, k, policy.Key{Seed: 1}); err != nil {
		fmt.Println(err)
		return
	}
	if err := mu.Sample(ctx, policy.Draws[[]int32]{Y: opponent}, prompts, ids, k, policy.Key{Seed: 2}); err != nil {
		fmt.Println(err)
		return
	}
	longer := sampler.JudgeFunc[[]int32, []int32](func(_ context.Context, dst []float64, _, as, bs [][]int32) error {
		for i := range dst {
			switch d := len(as[i]) - len(bs[i]); {
			case d > 0:
				dst[i] = 1
			case d < 0:
				dst[i] = 0
			default:
				dst[i] = 0.5
			}
		}
		return nil
	})
	win, xs := make([]float64, k), [][]int32{{1}, {1}, {1}, {1}}
	if err := sampler.Compare(ctx, longer, win, xs, own, opponent); err != nil {
		fmt.Println(err)
		return
	}
	var g sampler.Groups
	g.Complete(win, k, k)
	var batch loss.Samples
	g.Samples(&batch, logp, logp, win, k) // at the start the policy is the reference
	weights := make([]float64, k)
	if _, err := (loss.RLHF{Beta: 0.1}).Eval(loss.SamplesOut{LogProb: weights}, batch); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("wins %.1f, weights %.2f\n", win, weights)
	// Output: wins [1.0 1.0 0.5 0.0], weights [-0.50 -0.50 0.17 0.83]
}
