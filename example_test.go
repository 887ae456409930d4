package prefgrad_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
)

// The loss and its derivatives for two preference pairs, given as log-probabilities.
func Example() {
	pairs := loss.Pairs{ // log π and log π_ref of two chosen and two rejected replies
		Chosen: []float64{-11.2, -8.0}, Rejected: []float64{-12.5, -7.1},
		RefChosen: []float64{-11.9, -8.3}, RefRejected: []float64{-11.8, -7.5},
	}
	grad := loss.PairsOut{Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	total, err := loss.DPO{Beta: 0.1}.Eval(grad, pairs)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("mean loss %.4f, %d of %d pairs in order\n", total.Mean(), total.Correct, total.Count)
	fmt.Printf("∂L/∂log π: chosen %.4f, rejected %.4f\n", grad.Chosen, grad.Rejected)
	// Output:
	// mean loss 0.6619, 1 of 2 pairs in order
	// ∂L/∂log π: chosen [-0.0465 -0.0502], rejected [0.0465 0.0502]
}

// prefer takes 200 gradient steps of DPO on one pair: chosen was preferred to rejected.
func prefer(ctx context.Context, p *policy.LogLinear, x *policy.Candidates, chosen, rejected int) error {
	xs, ys := []*policy.Candidates{x, x}, []int{chosen, rejected}
	logp, ref, w := make([]float64, 2), make([]float64, 2), make([]float64, 2)
	if err := p.LogProbs(ctx, ref, xs, ys); err != nil { // the policy as it is now is the reference
		return err
	}
	pairs := loss.Pairs{Chosen: logp[:1], Rejected: logp[1:], RefChosen: ref[:1], RefRejected: ref[1:]}
	grad := loss.PairsOut{Chosen: w[:1], Rejected: w[1:]}
	pass := p.NewPass()
	for range 200 {
		if err := pass.Forward(ctx, logp, xs, ys); err != nil { // log π
			return err
		}
		if _, err := (loss.DPO{Beta: 0.1}).Eval(grad, pairs); err != nil { // ∂L/∂log π
			return err
		}
		if err := pass.Pullback(ctx, w); err != nil { // Σ w·∇θ log π
			return err
		}
		for i, g := range p.Grad() {
			p.Params()[i] -= g
		}
		clear(p.Grad())
	}
	return nil
}

// Three items with two features each; the second is preferred to the third. The features
// say that the first is better still, and DPO gives it most of the probability although no
// pair shows it: right here, and what [loss.HyPO] is for where it is wrong.
func Example_training() {
	items, err := policy.NewDense(3, 2, []float64{
		1, 0,
		0.5, 0.5,
		0, 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	x := &policy.Candidates{Features: items}
	p := policy.NewLogLinear(2)
	if err := prefer(context.Background(), p, x, 1, 2); err != nil {
		log.Fatal(err)
	}
	probs := make([]float64, 3)
	if err := p.Distribution(probs, x); err != nil {
		log.Fatal(err)
	}
	for i, l := range probs {
		probs[i] = math.Exp(l)
	}
	fmt.Printf("%.3f\n", probs)
	// Output:
	// [0.988 0.012 0.000]
}
