package sampler_test

import (
	"context"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/sampler"
)

// filtered prints the probabilities that transforms leave of 0.4, 0.3, 0.2 and 0.1.
func filtered(history []int32, ts ...sampler.Transform) {
	var z []float32
	for _, p := range []float64{0.4, 0.3, 0.2, 0.1} {
		z = append(z, float32(math.Log(10*p)))
	}
	var row sampler.Row
	if err := row.Set(z, history, ts...); err != nil {
		fmt.Println(err)
		return
	}
	p := make([]float64, len(z))
	row.LogProbs(p)
	for i, l := range p {
		p[i] = math.Exp(l)
	}
	fmt.Printf("%.2f\n", p)
}

func ExampleTemperature() {
	filtered(nil, sampler.Temperature(0.5)) // squares, normalised
	filtered(nil, sampler.Temperature(2))
	// Output:
	// [0.53 0.30 0.13 0.03]
	// [0.33 0.28 0.23 0.16]
}

func ExampleTopK() {
	filtered(nil, sampler.TopK(2))
	// Output: [0.57 0.43 0.00 0.00]
}

// The smallest set that has at least 0.6 of the mass.
func ExampleTopP() {
	filtered(nil, sampler.TopP(0.6))
	// Output: [0.57 0.43 0.00 0.00]
}

// What is at least 0.4 times as probable as the most probable token.
func ExampleMinP() {
	filtered(nil, sampler.MinP(0.4))
	// Output: [0.44 0.33 0.22 0.00]
}

// The surprise −log 0.3 is nearest to the entropy, 1.28, then come those of 0.2 and of 0.4.
func ExampleTypical() {
	filtered(nil, sampler.Typical(0.2))
	filtered(nil, sampler.Typical(0.6))
	// Output:
	// [0.00 1.00 0.00 0.00]
	// [0.44 0.33 0.22 0.00]
}

// Logits of log 4 and 0 stood in the history: the first is halved, 0 stays what it is.
func ExampleRepetitionPenalty() {
	filtered([]int32{0, 3, 0}, sampler.RepetitionPenalty(2))
	// Output: [0.25 0.38 0.25 0.12]
}

func ExampleBan() {
	filtered(nil, sampler.Ban{0, 2})
	// Output: [0.00 0.75 0.00 0.25]
}

func ExampleAllow() {
	filtered(nil, sampler.Allow{0, 3})
	// Output: [0.80 0.00 0.00 0.20]
}

func ExampleGreedy() {
	filtered(nil, sampler.Greedy{})
	// Output: [1.00 0.00 0.00 0.00]
}

// The order matters: a top-p asks for its part of what a top-k has left.
func ExampleHuggingFaceOrder() {
	ts := []sampler.Transform{sampler.TopP(0.55), sampler.TopK(2)}
	filtered(nil, ts...)
	filtered(nil, sampler.HuggingFaceOrder(ts...)...)
	// Output:
	// [0.57 0.43 0.00 0.00]
	// [1.00 0.00 0.00 0.00]
}

// Four replies to a prompt, which end with the token 0, with 3 3, or after five tokens.
func ExampleAncestral() {
	m, err := lm.New(lm.Config{Vocab: 4, EOS: 0, Dim: 8, Buckets: 64})
	if err != nil {
		fmt.Println(err)
		return
	}
	a := sampler.NewAncestral(m, 0, 5)
	a.Transforms = sampler.HuggingFaceOrder(sampler.Temperature(0.8), sampler.Ban{2})
	a.Stop = [][]int32{{3, 3}}
	var r policy.Rollout
	if err := a.Generate(context.Background(), &r, [][]int32{{1, 2}}, []uint64{0}, 4, policy.Key{Seed: 9}); err != nil {
		fmt.Println(err)
		return
	}
	for i, f := range r.Finish {
		lo, hi := r.Tokens.Reply(i)
		fmt.Printf("%v %v; of each token log μ %.2f, log π %.2f\n", r.Tokens.IDs[lo:hi], f, r.LogProb[lo], r.Model[lo])
	}
	// Output:
	// [1 3 3] stop; of each token log μ -1.10, log π -1.39
	// [1 3 3] stop; of each token log μ -1.10, log π -1.39
	// [1 0] eos; of each token log μ -1.10, log π -1.39
	// [3 0] eos; of each token log μ -1.10, log π -1.39
}

// Scores make a judge: by the Bradley–Terry model, or by the better score alone.
func ExampleScored() {
	long := sampler.ScorerFunc[string, string](func(_ context.Context, dst []float64, _, ys []string) error {
		for i, y := range ys {
			dst[i] = float64(len(y))
		}
		return nil
	})
	win := make([]float64, 2)
	xs, as, bs := []string{"", ""}, []string{"abc", "a"}, []string{"ab", "b"}
	for _, hard := range []bool{false, true} {
		j := sampler.Scored[string, string]{Scorer: long, Hard: hard}
		if err := sampler.Compare(context.Background(), j, win, xs, as, bs); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%.2f\n", win)
	}
	// Output:
	// [0.73 0.50]
	// [1.00 0.50]
}
