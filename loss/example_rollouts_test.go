package loss_test

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/loss"
)

// goodAndBad is the batch of the examples: a good reply of two tokens behind a prompt of one,
// and a bad one of three.
func goodAndBad() loss.Rollouts {
	return loss.Rollouts{
		Layout:    loss.Layout{Begin: []int{0, 3, 7}, Prompt: []int{1, 1}},
		LogProb:   []float64{0, -1.0, -0.5, 0, -2.0, -1.5, -0.5},
		Old:       []float64{0, -1.5, -0.5, 0, -1.8, -1.0, -0.6},
		Ref:       []float64{0, -1.2, -0.7, 0, -1.8, -1.0, -0.6},
		Advantage: []float64{0, 1, 1, 0, -1, -1, -1},
		Entropy:   []float64{0, 0.7, 0.2, 0, 1.1, 0.4, 0.3},
	}
}

// show prints what an objective makes of the batch.
func show(l loss.PolicyGradient) {
	b := goodAndBad()
	out := loss.RolloutsOut{Loss: make([]float64, b.Len()), LogProb: make([]float64, len(b.LogProb))}
	total, err := l.Eval(out, b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%6.3f, clipped %d+%d\n%6.3f\n", out.Loss, total.ClippedLow, total.ClippedHigh, out.LogProb)
}

// A step of PPO on a batch: its loss, its derivatives, and what a metric needs. The caller owns
// the denominator, here the tokens of the step.
func ExamplePPO() {
	b := goodAndBad()
	objective := loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, Dual: 3, By: loss.SumTokens}
	out := loss.RolloutsOut{LogProb: make([]float64, len(b.LogProb))}
	total, err := objective.Eval(out, b)
	if err != nil {
		fmt.Println(err)
		return
	}
	n := float64(total.Tokens)
	for i := range out.LogProb {
		out.LogProb[i] /= n
	}
	fmt.Printf("loss %.3f, clipped %.0f%%, KL(π_old‖π) %.3f\n", total.Sum/n, 100*float64(total.ClippedLow+total.ClippedHigh)/n, total.K3/n)
	fmt.Printf("%.3f\n", out.LogProb)
	// Output:
	// loss 0.105, clipped 40%, KL(π_old‖π) 0.056
	// [0.000 0.000 -0.200 0.000 0.164 0.000 0.221]
}

func ExampleReinforce() {
	show(loss.Reinforce{By: loss.SumTokens})
	// Output:
	// [ 1.500 -4.000], clipped 0+0
	// [ 0.000 -1.000 -1.000  0.000  1.000  1.000  1.000]
}

func ExampleRLOO() {
	show(loss.RLOO{ClipLow: 0.5, ClipHigh: 0.8})
	// Output:
	// [-1.649  0.549], clipped 0+0
	// [ 0.000 -1.649 -1.649  0.000  0.549  0.549  0.549]
}

func ExampleGRPO() {
	show(loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2, Beta: 0.04})
	// Output:
	// [-1.099  0.910], clipped 1+1
	// [ 0.000  0.004 -0.496  0.000  0.270 -0.009  0.370]
}

func ExampleDrGRPO() {
	show(loss.DrGRPO{ClipLow: 0.2, ClipHigh: 0.2})
	// Output:
	// [-2.200  2.724], clipped 1+1
	// [ 0.000  0.000 -1.000  0.000  0.819  0.000  1.105]
}

func ExampleDAPO() {
	show(loss.DAPO{ClipLow: 0.2, ClipHigh: 0.28})
	// Output:
	// [-2.280  2.724], clipped 1+1
	// [ 0.000  0.000 -1.000  0.000  0.819  0.000  1.105]
}

func ExampleGSPO() {
	show(loss.GSPO{ClipLow: 0.1, ClipHigh: 0.3})
	// Output:
	// [-1.284  0.900], clipped 3+0
	// [ 0.000 -0.642 -0.642  0.000  0.000  0.000  0.000]
}

func ExampleGSPOToken() {
	show(loss.GSPOToken{ClipLow: 0.1, ClipHigh: 0.3})
	// Output:
	// [-1.284  0.900], clipped 3+0
	// [ 0.000 -0.642 -0.642  0.000  0.000  0.000  0.000]
}

func ExampleLUSPO() {
	show(loss.LUSPO{ClipLow: 0.1, ClipHigh: 0.3})
	// Output:
	// [-2.568  2.700], clipped 3+0
	// [ 0.000 -1.284 -1.284  0.000  0.000  0.000  0.000]
}

func ExampleCISPO() {
	show(loss.CISPO{Max: 1.28})
	// Output:
	// [ 1.780 -3.100], clipped 0+1
	// [ 0.000 -1.280 -1.000  0.000  0.819  0.607  1.105]
}

func ExampleGMPO() {
	show(loss.GMPO{Low: 0.4, High: 0.4})
	// Output:
	// [-1.221  0.846], clipped 1+1
	// [ 0.000  0.000 -0.611  0.000  0.282  0.000  0.282]
}

func ExampleSAPO() {
	show(loss.SAPO{TauPos: 1, TauNeg: 1.05})
	// Output:
	// [-2.313  1.750], clipped 0+0
	// [ 0.000 -0.743 -0.500  0.000  0.270  0.194  0.367]
}

func ExampleVESPO() {
	show(loss.VESPO{K: 2, Lambda: 3, NegativeK: 3, NegativeLambda: 2})
	// Output:
	// [ 0.582 -1.630], clipped 0+0
	// [ 0.000 -0.388 -0.388  0.000  0.408  0.408  0.408]
}

// Two of five tokens have the largest covariance and pay for having moved; one of them has not.
func ExampleKLCov() {
	show(loss.KLCov{Coef: 1, Share: 0.4, By: loss.SumTokens})
	// Output:
	// [-2.649  2.730], clipped 0+0
	// [ 0.000 -1.649 -1.000  0.000 -0.181  0.607  1.105]
}

func ExampleReverseKLTerm() {
	show(loss.ReverseKLTerm{Beta: 0.1, By: loss.SumTokens})
	// Output:
	// [ 0.005  0.011], clipped 0+0
	// [ 0.000  0.033  0.020  0.000 -0.016 -0.030  0.011]
}

func ExampleForwardKLTerm() {
	show(loss.ForwardKLTerm{Beta: 0.1, By: loss.SumTokens})
	// Output:
	// [ 0.004  0.017], clipped 0+0
	// [ 0.000  0.018  0.018  0.000 -0.022 -0.065  0.010]
}

func ExampleEntropyBonus() {
	b := goodAndBad()
	out := loss.RolloutsOut{Entropy: make([]float64, len(b.Entropy))}
	total, err := loss.EntropyBonus{Coef: 0.01, By: loss.SumTokens}.Eval(out, b)
	fmt.Printf("%.3f %.2f %v\n", total.Sum, out.Entropy, err)
	// Output:
	// -0.027 [0.00 -0.01 -0.01 0.00 -0.01 -0.01 -0.01] <nil>
}

// DAPO with a reverse KL and an entropy bonus, which has no name.
func ExamplePolicyTerms() {
	show(loss.PolicyTerms{
		{1, loss.DAPO{ClipLow: 0.2, ClipHigh: 0.28}},
		{0.01, loss.ReverseKLTerm{Beta: 1, By: loss.SumTokens}},
		{0.001, loss.EntropyBonus{Coef: 1, By: loss.SumTokens}},
	})
	// Output:
	// [-2.280  2.723], clipped 1+1
	// [ 0.000  0.003 -0.998  0.000  0.817 -0.003  1.106]
}

// A loss that has no name: SAPO's gate on GSPO's ratio, with every token counting the same.
func ExampleSurrogate() {
	show(loss.Surrogate{
		Ratio: loss.GeometricRatio{},
		Gain:  loss.SoftGate{Positive: 1, Negative: 1.05},
		By:    loss.SumTokens,
	})
	// Output:
	// [-4.564  5.172], clipped 0+0
	// [ 0.000 -1.258 -1.258  0.000  0.811  0.811  0.811]
}

// halfPower is a factor that a caller makes: √ρ.
type halfPower struct{}

func (halfPower) Factors(factor []float64, t loss.ReplyTokens) loss.Clips {
	for i, z := range t.LogRatio {
		factor[i] = math.Exp(z / 2)
	}
	return loss.Clips{}
}
func (halfPower) Check() error { return nil }

func ExampleDetached() {
	show(loss.Detached{Ratio: loss.TokenRatio{}, Factor: halfPower{}, By: loss.SumTokens})
	// Output:
	// [ 1.784 -3.504], clipped 0+0
	// [ 0.000 -1.284 -1.000  0.000  0.905  0.779  1.051]
}

// Two rewards of the reference's replies give V*, and the advantage is what a reply has above
// it.
func ExampleAStarPO() {
	value, err := loss.OptimalValue([]float64{1, 0, 0, 1}, 0.5)
	if err != nil {
		fmt.Println(err)
		return
	}
	b := goodAndBad()
	for i, reward := range []float64{1, 0} {
		for p := b.Begin[i]; p < b.Begin[i+1]; p++ {
			b.Advantage[p] = reward - value
		}
	}
	out := loss.RolloutsOut{LogProb: make([]float64, len(b.LogProb))}
	total, err := loss.AStarPO{Beta: 0.1}.Eval(out, b)
	fmt.Printf("V* %.3f\nloss %.3f %v\n%.3f\n", value, total.Sum/float64(total.Sequences), err, out.LogProb)
	// Output:
	// V* 0.717
	// loss 0.245 <nil>
	// [0.000 -0.049 -0.049 0.000 0.131 0.131 0.131]
}

// Rewards of 1 and 0 for two replies to a prompt, the policy before the step as the reference.
func ExampleREBEL() {
	pairs := loss.Pairs{
		Chosen: []float64{-12}, Rejected: []float64{-15},
		RefChosen: []float64{-12.4}, RefRejected: []float64{-14.8},
		Margin: []float64{1},
	}
	out := loss.PairsOut{Chosen: make([]float64, 1), Rejected: make([]float64, 1)}
	total, err := loss.REBEL{Eta: 1}.Eval(out, pairs)
	fmt.Printf("%.2f %.2f %.2f %v\n", total.Sum, out.Chosen, out.Rejected, err)
	// Output:
	// 0.16 [-0.80] [0.80] <nil>
}

func ExampleValueLoss() {
	v := loss.Values{
		Layout: loss.Layout{Begin: []int{0, 3}, Prompt: []int{0}},
		Value:  []float64{0.2, 0.5, 0.9}, Old: []float64{0.2, 0.2, 0.8}, Return: []float64{1, 1, 1},
	}
	out := loss.ValuesOut{Value: make([]float64, 3)}
	total, err := loss.ValueLoss{Clip: 0.2, By: loss.SumTokens}.Eval(out, v)
	fmt.Printf("%.3f, clipped %d, %.1f %v\n", total.Sum, total.Clipped, out.Value, err)
	// Output:
	// 0.505, clipped 1, [-0.8 0.0 -0.1] <nil>
}

// Replies that were cut off, and tokens that the server's numerics saw otherwise, leave the
// update. The mask takes them out of every count; as weights they would stay in denominators.
func ExampleTokenMasks() {
	b := goodAndBad()
	b.Behaviour = []float64{0, -1.5, -1.3, 0, -1.8, -1.0, -0.6}
	b.Truncated = []bool{false, true}
	keep := make([]bool, len(b.LogProb))
	dropped, err := loss.TokenMasks{loss.DropTruncated{}, loss.IcePop{Min: 0.5, Max: 2}}.Keep(keep, b)
	fmt.Println(dropped, "dropped", keep, err)

	weights := make([]float64, len(keep))
	loss.ZeroWeights(weights, nil, keep)
	fmt.Println(weights)

	b.Mask = keep
	total, err := loss.DAPO{ClipLow: 0.2, ClipHigh: 0.28}.Eval(loss.RolloutsOut{}, b)
	fmt.Printf("%.2f over %d tokens, %d masked, %d reply without any, %v\n", total.Sum, total.Tokens, total.Masked, total.Empty, err)
	// Output:
	// 4 dropped [false true false false false false false] <nil>
	// [0 1 0 0 0 0 0]
	// -1.28 over 1 tokens, 4 masked, 1 reply without any, <nil>
}

// The fifth of the tokens at which the policy hesitates most.
func ExampleTopEntropy() {
	b := goodAndBad()
	keep := make([]bool, len(b.LogProb))
	dropped, err := loss.TopEntropy{Share: 0.2}.Keep(keep, b)
	fmt.Println(dropped, keep, err)
	// Output:
	// 4 [false false false false true false false] <nil>
}

// Replies of negative advantage that π has left behind: the second, which is now less likely.
func ExampleOffPolicySequences() {
	b := goodAndBad()
	keep := make([]bool, len(b.LogProb))
	dropped, err := loss.OffPolicySequences{Delta: 0.1}.Keep(keep, b)
	fmt.Println(dropped, keep, err)
	// Output:
	// 3 [false true true false false false false] <nil>
}

// A mean ratio of whole replies to what they were drawn from.
func ExampleGeometricMask() {
	b := goodAndBad()
	b.Behaviour = []float64{0, -1.5, -1.3, 0, -1.8, -1.0, -0.6}
	keep := make([]bool, len(b.LogProb))
	dropped, err := loss.GeometricMask{Min: 0.8, Max: 1.25}.Keep(keep, b)
	fmt.Println(dropped, keep, err)
	// Output:
	// 2 [false false false false true true true] <nil>
}

// One of five tokens, from those whose covariance is above 0.2, is left out.
func ExampleClipCov() {
	b := goodAndBad()
	weights := make([]float64, len(b.LogProb))
	c := loss.ClipCov{ClipLow: 0.2, ClipHigh: 0.2, Min: 0.2, Max: 5, Share: 0.2}
	drawn, err := c.Weights(weights, b, rand.New(rand.NewPCG(1, 2)))
	fmt.Println(drawn, weights, err)
	b.Weight = weights
	total, err := loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens}.Eval(loss.RolloutsOut{}, b)
	fmt.Printf("%.3f %v\n", total.Sum/float64(total.Tokens), err)
	// Output:
	// 1 [0 1 0 0 1 1 1] <nil>
	// 0.305 <nil>
}

func ExampleOverlongPenalty() {
	reward := []float64{1, 1, 1}
	err := loss.OverlongPenalty{Max: 20480, Buffer: 4096}.AddTo(reward, []int{9000, 18432, 20481})
	fmt.Println(reward, err)
	// Output:
	// [1 0.5 0] <nil>
}
