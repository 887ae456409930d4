package sampler_test

import (
	"context"
	"fmt"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/sampler"
)

// A model that scores tokens and a generator that writes them are a policy over whole
// replies, for every objective that there is. Here REINFORCE teaches a model to write
// the token 3.
func Example() {
	ctx := context.Background()
	m, err := lm.New(lm.Config{Vocab: 5, EOS: 0, Dim: 8, Buckets: 64})
	if err != nil {
		fmt.Println(err)
		return
	}
	var pi policy.Learner[[]int32, []int32] = policy.Sequences{
		Model:     m,
		Generator: sampler.NewAncestral(m, m.Config().EOS, 6),
	}
	prompts, ids, k := [][]int32{{1, 2}, {4}}, []uint64{0, 1}, 32
	n := len(prompts) * k
	draws := policy.Draws[[]int32]{Y: make([][]int32, n)}
	xs := make([][]int32, n)
	for i := range xs {
		xs[i] = prompts[i/k]
	}
	logp, w := make([]float64, n), make([]float64, n)
	pass := pi.NewPass()
	for step := range 41 {
		if err := pi.Sample(ctx, draws, prompts, ids, k, policy.Key{Seed: 1, Step: uint64(step)}); err != nil {
			fmt.Println(err)
			return
		}
		// The reward of a reply is the number of tokens 3 in it, its baseline the mean.
		mean := 0.0
		for i, y := range draws.Y {
			w[i] = 0
			for _, id := range y {
				if id == 3 {
					w[i]++
				}
			}
			mean += w[i] / float64(n)
		}
		if step%20 == 0 {
			fmt.Printf("step %2d: %.0f of at most 6\n", step, mean)
		}
		for i := range w {
			w[i] = (w[i] - mean) / float64(n)
		}
		if err := pass.Forward(ctx, logp, xs, draws.Y); err != nil {
			fmt.Println(err)
			return
		}
		if err := pass.Pullback(ctx, w); err != nil {
			fmt.Println(err)
			return
		}
		for i, g := range m.Grad() {
			m.Params()[i] += 0.3 * g
			m.Grad()[i] = 0
		}
	}
	// Output:
	// step  0: 1 of at most 6
	// step 20: 6 of at most 6
	// step 40: 6 of at most 6
}
