package lm_test

import (
	"context"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
)

// Supervised fine-tuning on one reply, then the exact KL of every token to the model
// that it started from.
func Example() {
	ctx := context.Background()
	m, err := lm.New(lm.Config{Vocab: 6, EOS: 0, Dim: 16, Buckets: 64, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	ref := m.Freeze()

	var batch policy.Tokens
	batch.Append([]int32{1, 2}, []int32{3, 4, 5, 0}) // prompt, reply with its end
	logp := make([]float64, len(batch.IDs))
	w := []float64{0, 0, 1, 1, 1, 1} // of each token in the objective
	pass := m.NewTokenPass()
	for step := range 31 {
		if err := pass.Forward(ctx, policy.TokenStats{LogProb: logp}, batch); err != nil {
			fmt.Println(err)
			return
		}
		if step%10 == 0 {
			fmt.Printf("step %2d: perplexity %.1f\n", step, math.Exp(-(logp[2]+logp[3]+logp[4]+logp[5])/4))
		}
		if err := pass.Pullback(ctx, policy.TokenStats{LogProb: w}); err != nil {
			fmt.Println(err)
			return
		}
		for i, g := range m.Grad() {
			m.Params()[i] += 0.05 * g
			m.Grad()[i] = 0
		}
	}

	kl := make([]float64, len(batch.IDs))
	if err := m.Against(ref).NewTokenPass().Forward(ctx, policy.TokenStats{KL: kl}, batch); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("KL(π‖π_ref) per token: %.1f\n", kl)
	// Output:
	// step  0: perplexity 6.0
	// step 10: perplexity 1.9
	// step 20: perplexity 1.2
	// step 30: perplexity 1.1
	// KL(π‖π_ref) per token: [0.0 0.0 1.5 1.4 1.5 1.4]
}
