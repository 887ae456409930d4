package rloo_test

import (
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/rloo"
)

// Replies of an older policy: their weights times the ratio of each.
func ExampleReweight() {
	weights := []float64{1.5, -0.5, -1}
	err := rloo.Reweight(weights, []float64{0.5, 2, 1}, rloo.Layout{})
	fmt.Println(weights, err)
	// Output:
	// [0.75 -1 -1] <nil>
}

// Tokens that trainer and sampler score differently are left out.
func ExampleRejection() {
	trainer, sampler := []float64{-1, -2.5, -0.5, -3}, []float64{-1.01, -2, -0.5, -3.02}
	keep := make([]bool, 4)
	stats, err := rloo.Rejection{By: rloo.K1, Max: 0.1}.Mask(keep, trainer, sampler, rloo.Layout{Begin: []int{0, 2, 4}})
	fmt.Printf("%v %+v %v\n", keep, stats, err)
	// Output:
	// [true false true true] {Tokens:4 DroppedTokens:1 Replies:2 DroppedReplies:0} <nil>
}

// A KL above its target raises the coefficient by a factor, one below lowers it.
func ExampleAdaptive() {
	beta := rloo.Adaptive{Target: 2, Rate: 0.5, Coef: 0.1}
	for _, kl := range []float64{2.2, 8, 1.8, 0.1} {
		if err := beta.Update(kl); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("KL %.1f: β = %.4f\n", kl, beta.Coefficient())
	}
	fmt.Println("clipped:", beta.Clipped)
	// Output:
	// KL 2.2: β = 0.1051
	// KL 8.0: β = 0.1162
	// KL 1.8: β = 0.1105
	// KL 0.1: β = 0.1000
	// clipped: 2
}

// An entropy below its floor raises the coefficient of the bonus.
func ExampleAdaptive_entropy() {
	bonus := rloo.Adaptive{Target: 1, Rate: 1, Coef: 0.01, Floor: true}
	for _, entropy := range []float64{1.1, 0.9, 0.5} {
		if err := bonus.Update(entropy); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("entropy %.1f: %.4f\n", entropy, bonus.Coefficient())
	}
	// Output:
	// entropy 1.1: 0.0090
	// entropy 0.9: 0.0100
	// entropy 0.5: 0.0122
}

// A coefficient that stays, where a Controller is asked for.
func ExampleFixed() {
	var c rloo.Controller = rloo.Fixed(0.05)
	err := c.Update(3)
	fmt.Println(c.Coefficient(), err)
	// Output:
	// 0.05 <nil>
}

// The short form looks at each token alone; with γ = 1 the first answers for the second, too.
func ExampleDistill() {
	logp, teacher := []float64{-1, -2}, []float64{-1.5, -1}
	layout, advantage := rloo.Layout{Begin: []int{0, 2}}, make([]float64, 2)
	for _, discount := range []float64{0, 1} {
		err := rloo.Distill{Discount: discount}.Eval(advantage, logp, teacher, layout)
		fmt.Println(advantage, err)
	}
	// Output:
	// [-0.5 1] <nil>
	// [0.5 1] <nil>
}

// One row of three logits.
func ExampleJSD() {
	student, teacher := []float32{2, 0, 1}, []float32{0, 1, 1}
	value, grad := make([]float64, 1), make([]float32, 3)
	for _, beta := range []float64{0, 0.5, 1} {
		err := rloo.JSD{Beta: beta}.Eval(value, grad, student, teacher, nil, 3)
		fmt.Printf("%.4f %.4f %v\n", value, grad, err)
	}
	// Output:
	// [0.6572] [0.5099 -0.3323 -0.1776] <nil>
	// [0.1558] [0.1103 -0.0539 -0.0564] <nil>
	// [0.6948] [0.5053 -0.2017 -0.3036] <nil>
}

// How noisy an estimator is, from the gradients of four groups.
func ExampleGradientStats() {
	var s rloo.GradientStats
	for _, g := range [][]float64{{1, 0}, {3, 0}, {2, 1}, {2, -1}} {
		if err := s.Add(g); err != nil {
			fmt.Println(err)
			return
		}
	}
	n := s.Noise()
	fmt.Printf("mean %v, variance %.3f, signal to noise %.3f, standard error of 100 groups %.3f\n", s.Mean, n.Trace, n.SNR(), n.SE(100))
	// Output:
	// mean [2 0], variance 1.333, signal to noise 2.750, standard error of 100 groups 0.115
}

// More samples for each prompt, or more prompts? Two groups of four samples for each of three
// prompts.
func ExampleComponents() {
	c := rloo.Components{K: 4}
	for _, groups := range [][2]float64{{1, 1.4}, {3, 2.8}, {-1, -0.8}} {
		if err := c.Add(groups[:1], groups[1:]); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Printf("now %.3f, twice the samples %.3f, twice the prompts %.3f\n", c.SE(4, 3), c.SE(8, 3), c.SE(4, 6))
	// Output:
	// now 1.102, twice the samples 1.099, twice the prompts 0.779
}

// A policy over three responses whose logits are its parameters, and the reward's gradient
// from two samples: unbiased with a leave-one-out baseline, half of it with the group mean.
func ExampleExact() {
	prob := []float64{0.5, 0.3, 0.2}
	e := rloo.Exact{Prob: prob}
	for y := range prob {
		for j, p := range prob {
			if e.Score = append(e.Score, -p); j == y {
				e.Score[len(e.Score)-1]++
			}
		}
	}
	reward := []float64{0, 1, 3}
	gradient := e.Gradient(reward)
	fmt.Printf("gradient %.2f\n", gradient)
	for _, a := range []rloo.Advantage{rloo.RLOO{}, rloo.GroupMean{}} {
		m, err := e.Moments(2, rloo.Advantages(a, reward))
		fmt.Printf("%T: bias %.3f, variance %.3f, %v\n", a, math.Abs(m.Bias(gradient)), m.Trace(), err)
	}
	fmt.Printf("leave-one-out of 100 samples: variance %.5f\n", e.LeaveOneOutTrace(reward, 100))
	// Output:
	// gradient [-0.45 0.03 0.42]
	// rloo.RLOO: bias 0.000, variance 0.910, <nil>
	// rloo.GroupMean: bias 0.308, variance 0.228, <nil>
	// leave-one-out of 100 samples: variance 0.00653
}

// Weights of which one outweighs all others are one sample.
func ExampleEffectiveSize() {
	fmt.Printf("%.2f %.2f\n", rloo.EffectiveSize([]float64{1, 1, 1, 1}), rloo.EffectiveSize([]float64{40, 1, 1, 1}))
	// Output:
	// 4.00 1.15
}
