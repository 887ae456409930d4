package rloo_test

import (
	"fmt"

	"github.com/prefgrad/prefgrad/rloo"
)

// Three values of one KL, from samples of the policy.
func ExampleKLValue() {
	logp, ref := []float64{-1, -2, -0.5}, []float64{-1.5, -1.75, -1.25}
	values := make([]float64, 3)
	for _, v := range []rloo.KLValue{rloo.K1, rloo.K2, rloo.K3} {
		if err := v.Values(values, logp, ref, rloo.Layout{}); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%v: %.4f\n", v, values)
	}
	// Output:
	// k1: [0.5000 -0.2500 0.7500]
	// k2: [0.1250 0.0312 0.2812]
	// k3: [0.1065 0.0340 0.2224]
}

// Two replies to one prompt, of three tokens and of two. Each token answers for the
// log-ratios from its own on, compared with the other reply's at the same place.
func ExampleReverseKL() {
	logp, ref := []float64{-1, -1, -1, -1, -1}, []float64{-2, -1, -3, -2, 0}
	weights := make([]float64, 5)
	err := rloo.ReverseKL(weights, logp, ref, rloo.Layout{Begin: []int{0, 3, 5}}, rloo.Groups{K: 2})
	fmt.Println(weights, err)
	// Output:
	// [3 3 2 -3 -3] <nil>
}

// A token that the policy makes less likely than its reference gets a negative weight, which
// descent turns into more probability; what follows it counts by the ratio of the prefix.
func ExampleForwardKL() {
	logp, ref := []float64{-3, -1, -1}, []float64{-2, -1, -2}
	weights := make([]float64, 3)
	err := rloo.ForwardKL(weights, logp, ref, rloo.Layout{Begin: []int{0, 3}})
	fmt.Printf("%.3f %v\n", weights, err)
	// Output:
	// [-1.718 0.000 1.718] <nil>
}

// On-policy, and with samples of another policy that found each reply half as likely.
func ExampleReverseKLInLoss() {
	logp, ref, behaviour := []float64{-1, -3}, []float64{-2, -2.5}, []float64{-1.6931472, -3.6931472}
	weights := make([]float64, 2)
	err := rloo.ReverseKLInLoss(weights, logp, ref, nil, rloo.Layout{})
	fmt.Printf("%.3f %v\n", weights, err)
	err = rloo.ReverseKLInLoss(weights, logp, ref, behaviour, rloo.Layout{})
	fmt.Printf("%.3f %v\n", weights, err)
	// Output:
	// [1.000 -0.500] <nil>
	// [2.000 -1.000] <nil>
}

// The k3 penalty in the loss: its derivative descends the forward KL.
func ExampleForwardKLInLoss() {
	logp, ref := []float64{-1, -3}, []float64{-2, -2.5}
	weights := make([]float64, 2)
	err := rloo.ForwardKLInLoss(weights, logp, ref, rloo.Layout{})
	fmt.Printf("%.3f %v\n", weights, err)
	// Output:
	// [0.632 -0.649] <nil>
}

// Exact KLs of the next-token distributions along two replies: weight 1 for each of them, and
// for each token's log π the KLs that it leads to.
func ExampleSequenceSum() {
	kl := []float64{0.5, 0.25, 1, 0.5, 0.75}
	ofLogProb, ofKL := make([]float64, 5), make([]float64, 5)
	err := rloo.SequenceSum(ofLogProb, ofKL, kl, rloo.Layout{Begin: []int{0, 3, 5}}, rloo.Groups{K: 2})
	fmt.Println(ofLogProb, ofKL, err)
	// Output:
	// [0.5 1 0 -0.5 -1] [1 1 1 1 1] <nil>
}

// The less likely of two replies has to gain for the entropy to grow.
func ExampleEntropy() {
	weights := make([]float64, 2)
	err := rloo.Entropy(weights, []float64{-1, -4}, rloo.Layout{}, rloo.Groups{K: 2})
	fmt.Println(weights, err)
	// Output:
	// [-3 3] <nil>
}

// Three replies to one prompt: what the second loses in reward it makes up for by staying
// close to the reference.
func ExampleRegularisedReward() {
	reward := []float64{1, 0.5, 0}
	logp, ref := []float64{-10, -14, -12}, []float64{-12, -13, -12}
	weights := make([]float64, 3)
	estimator := rloo.RegularisedReward{Advantage: rloo.RLOO{}, Beta: 0.5}
	signal, err := estimator.Eval(weights, reward, logp, ref, rloo.Groups{K: 3})
	fmt.Println(weights, signal.Silent(), err)
	// Output:
	// [-0.5 1 -0.5] 0 <nil>
}

// The same by tokens of two replies.
func ExampleRegularisedReward_Tokens() {
	layout := rloo.Layout{Begin: []int{0, 2, 4}}
	logp, ref := []float64{-1, -2, -2, -1}, []float64{-2, -2, -2, -1.5}
	weights, advantage := make([]float64, 4), make([]float64, 2)
	estimator := rloo.RegularisedReward{Advantage: rloo.RLOO{}, Beta: 0.5}
	_, err := estimator.Tokens(weights, advantage, []float64{1, 0}, logp, ref, layout, rloo.Groups{K: 2})
	fmt.Println(advantage, weights, err)
	// Output:
	// [1 -1] [0.75 1.25 -0.75 -1.25] <nil>
}

// The advantage of a reply as the weight of each of its tokens.
func ExampleSpread() {
	weights := make([]float64, 5)
	rloo.Spread(weights, []float64{2, -1}, rloo.Layout{Begin: []int{0, 3, 5}, Prompt: []int{1, 0}})
	fmt.Println(weights)
	// Output:
	// [0 2 2 -1 -1]
}
