package train_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/train"
)

// menu is a prompt with four dishes, described by how spicy and how sweet they are. The
// reference seldom proposes the last two.
func menu() *policy.Candidates {
	dishes, err := policy.NewDense(4, 2, []float64{
		0.2, 0.1,
		0.6, 0.3,
		1.5, 0.1,
		0.1, 0.9,
	})
	if err != nil {
		log.Fatal(err)
	}
	return &policy.Candidates{Ref: []float64{0, 0, -3, -3}, Features: dishes}
}

// tasted are preferences between the first two dishes: most guests like it spicy.
func tasted(x *policy.Candidates) train.Data[*policy.Candidates, int] {
	return train.Data[*policy.Candidates, int]{
		X:        []*policy.Candidates{x, x, x, x},
		Chosen:   []int{1, 1, 1, 0},
		Rejected: []int{0, 0, 0, 1},
	}
}

// probabilities returns π(·|x).
func probabilities(p policy.Enumerable[*policy.Candidates], x *policy.Candidates) []float64 {
	v := make([]float64, p.Responses(x))
	if err := p.Distribution(v, x); err != nil {
		log.Fatal(err)
	}
	for i, l := range v {
		v[i] = math.Exp(l)
	}
	return v
}

// DPO is held to its pairs alone: it ends with the third dish, which nobody has tasted, as
// the features say that it is spicier still. HyPO adds λ·KL on fresh samples, and stays with
// what the reference proposes.
func ExampleLoop() {
	ctx := context.Background()
	x := menu()
	fmt.Printf("%-6s %.2f\n", "ref", probabilities(policy.NewLogLinear(2), x))
	for _, lambda := range []float64{0, 0.1} {
		pi := policy.NewLogLinear(2)
		ref := pi.Freeze()
		data := tasted(x)
		if err := data.CacheRef(ctx, ref, 64, nil); err != nil {
			log.Fatal(err)
		}
		loop := train.Loop[*policy.Candidates, int]{
			Data: data,
			Terms: []train.Term[*policy.Candidates, int]{
				&train.Offline[*policy.Candidates, int]{Policy: pi, Loss: loss.DPO{Beta: 0.1}},
				&train.KLPenalty[*policy.Candidates, int]{Policy: pi, Ref: ref, K: 8, Lambda: lambda},
			},
			Updater: train.NewAdamW(pi),
			Steps:   400, Batch: 4, LR: 0.1, Schedule: train.Linear{},
			Eval: func(_ context.Context, _ int, m *train.Metrics) error {
				m.Set("untasted", probabilities(pi, x)[2])
				return nil
			},
		}
		history, err := loop.Run(ctx)
		if err != nil {
			log.Fatal(err)
		}
		untasted, _ := history.Last("untasted")
		fmt.Printf("λ=%.1f: %.2f, untasted %.0f%%\n", lambda, probabilities(pi, x), 100*untasted)
	}
	// Output:
	// ref    [0.48 0.48 0.02 0.02]
	// λ=0.0: [0.00 0.00 1.00 0.00], untasted 100%
	// λ=0.1: [0.29 0.61 0.05 0.05], untasted 5%
}

// Constrained HyPO: the KL comes to rest at the budget, and λ where it must be for that.
func ExampleKLBudget() {
	ctx := context.Background()
	x := menu()
	pi := policy.NewLogLinear(2)
	ref := pi.Freeze()
	data := tasted(x)
	if err := data.CacheRef(ctx, ref, 64, nil); err != nil {
		log.Fatal(err)
	}
	budget := &train.KLBudget[*policy.Candidates, int]{
		Policy: pi, Ref: ref, K: 16, Dual: rloo.Dual{Budget: 0.1, Rate: 0.01},
	}
	loop := train.Loop[*policy.Candidates, int]{
		Data:    data,
		Terms:   []train.Term[*policy.Candidates, int]{&train.Offline[*policy.Candidates, int]{Policy: pi, Loss: loss.DPO{Beta: 0.1}}, budget},
		Updater: train.NewSGD(pi, 0),
		Steps:   3000, Batch: 4, LR: 1, Schedule: train.Cosine{},
	}
	if _, err := loop.Run(ctx); err != nil {
		log.Fatal(err)
	}
	kl := 0.0
	for y, p := range probabilities(pi, x) {
		kl += p * math.Log(p/probabilities(ref, x)[y])
	}
	fmt.Printf("KL %.2f nats at λ = %.2f\n", kl, budget.Dual.Lambda)
	// Output:
	// KL 0.10 nats at λ = 0.11
}

// An optimizer owns a policy's parameters: whoever computes a gradient calls Update.
func ExampleAdamW() {
	pi := policy.NewTabular(1, 2, nil) // two responses of probability ½
	opt := train.NewAdamW(pi)
	pass := pi.NewPass()
	logp := make([]float64, 1)
	for range 3 {
		if err := pass.Forward(context.Background(), logp, []int{0}, []int{1}); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.3f\n", logp[0])
		if err := pass.Pullback(context.Background(), []float64{-1}); err != nil { // of −log π
			log.Fatal(err)
		}
		if _, err := opt.Update(context.Background(), 0.1, 1, 1); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// -0.693
	// -0.598
	// -0.513
}

func ExampleSchedule() {
	for _, s := range []train.Schedule{train.Constant{Warmup: 2}, train.Linear{Warmup: 2}, train.Cosine{Warmup: 2, Floor: 0.1}} {
		fmt.Printf("%-14T", s)
		for step := range 6 {
			fmt.Printf(" %.2f", s.Factor(step, 6))
		}
		fmt.Println()
	}
	// Output:
	// train.Constant 0.50 1.00 1.00 1.00 1.00 1.00
	// train.Linear   0.50 1.00 1.00 0.75 0.50 0.25
	// train.Cosine   0.50 1.00 1.00 0.87 0.55 0.23
}

// A policy that is not its reference before training began: a wrong file was loaded.
func ExampleCheckInit() {
	x := menu()
	data := tasted(x)
	pi := policy.NewLogLinear(2)
	ref := pi.Freeze()
	fmt.Println("at the start:", train.CheckInit(context.Background(), pi, ref, &data, 64, 1e-9))
	pi.Params()[0] = 1
	if train.CheckInit(context.Background(), pi, ref, &data, 64, 1e-9) != nil {
		fmt.Println("with θ = (1, 0): it is not the reference")
	}
	// Output:
	// at the start: <nil>
	// with θ = (1, 0): it is not the reference
}

// What micro-batches report is combined.
func ExampleMetrics() {
	var m train.Metrics
	for _, margins := range [][]float64{{0.5, 1.5, 1}, {-1}} {
		sum := 0.0
		for _, v := range margins {
			sum += v
		}
		m.Mean("rewards/margins", sum, len(margins))
	}
	m.Set("learning_rate", 0.02)
	for name, value := range m.All() {
		fmt.Println(name, value)
	}
	// Output:
	// rewards/margins 0.5
	// learning_rate 0.02
}
