package sampler_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/sampler"
)

// A row of logits, cut down in the usual order. Every draw says how probable it was, where it was
// drawn and under the model itself.
func ExampleRow() {
	var row sampler.Row
	logits := []float32{2, 1, 0.5, -1, -3}
	ts := sampler.HuggingFaceOrder(sampler.TopP(0.9), sampler.Temperature(0.5), sampler.RepetitionPenalty(1.2))
	if err := row.Set(logits, []int32{0}, ts...); err != nil {
		fmt.Println(err)
		return
	}
	g := rand.NewPCG(7, 2)
	for range 3 {
		t := row.Draw(g)
		fmt.Printf("token %d: log μ %.3f, log π %.3f\n", t.ID, t.LogProb, t.Model)
	}
	fmt.Println(row.Left(), "tokens can be drawn")
	// Output:
	// token 0: log μ -0.234, log π -0.499
	// token 1: log μ -1.567, log π -1.499
	// token 0: log μ -0.234, log π -0.499
	// 2 tokens can be drawn
}

// Three different tokens, with the probability of having them in this order. They avoid each
// other, so a leave-one-out baseline would be biased.
func ExampleRow_GumbelTopK() {
	var row sampler.Row
	if err := row.Set([]float32{2, 1, 0.5, -1, -3}, nil); err != nil {
		fmt.Println(err)
		return
	}
	group, err := row.GumbelTopK(make([]sampler.Token, 3), rand.NewPCG(1, 2))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range group.Tokens {
		fmt.Print(t.ID, " ")
	}
	fmt.Printf("%v, log p %.3f\n", group.Joint, group.LogProb)
	fmt.Println(group.Joint.LeaveOneOut(make([]float64, 3), []float64{1, 0, 0}, 3))
	// Output:
	// 0 2 1 distinct, log p -1.708
	// rloo: a baseline from other samples needs independent draws
}

// Eight stratified draws have each token as often as its probability asks for, up to one.
func ExampleRow_Stratified() {
	var row sampler.Row
	if err := row.Set([]float32{0, 0, 0.6931472}, nil); err != nil { // ¼, ¼, ½
		fmt.Println(err)
		return
	}
	for _, t := range row.Stratified(make([]sampler.Token, 8), rand.NewPCG(1, 2)).Tokens {
		fmt.Print(t.ID, " ")
	}
	// Output: 0 0 1 1 2 2 2 2
}

// Two rows that share their noise mostly give the same token.
func ExampleRow_GumbelMax() {
	var a, b sampler.Row
	if err := a.Set([]float32{1, 0.5, 0, -0.5}, nil); err != nil {
		fmt.Println(err)
		return
	}
	if err := b.Set([]float32{0.9, 0.6, 0, -0.5}, nil); err != nil {
		fmt.Println(err)
		return
	}
	same := 0
	for seed := range uint64(1000) {
		if a.GumbelMax(rand.NewPCG(seed, 0)).ID == b.GumbelMax(rand.NewPCG(seed, 0)).ID {
			same++
		}
	}
	fmt.Printf("%.0f%% the same\n", float64(same)/10)
	// Output: 97% the same
}
