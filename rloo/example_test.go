package rloo_test

import (
	"fmt"

	"github.com/prefgrad/prefgrad/rloo"
)

// Two prompts with three samples each; on the second, all rewards are alike.
func ExampleLeaveOneOut() {
	reward := []float64{1, 2, 6, 0.1, 0.1, 0.1}
	advantage := make([]float64, len(reward))
	rloo.LeaveOneOut(advantage, reward, 3)
	fmt.Println(advantage)
	// Output:
	// [-3 -1.5 4.5 0 0 0]
}

// Weights for the gradient of KL(π‖π_ref) from two samples of one prompt: descending it
// makes the first sample, which the policy has made likelier than its reference does, less
// likely.
func ExampleKL() {
	logp, ref := []float64{-10, -14}, []float64{-12, -13}
	weights := make([]float64, 2)
	if err := rloo.KL(weights, logp, ref, 2); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(weights)
	// Output:
	// [3 -3]
}

// The KL is taken off the reward before the baseline: the second sample has the smaller
// reward and yet the greater advantage.
func ExampleReward() {
	reward := []float64{1, 0.5}
	logp, ref := []float64{-10, -14}, []float64{-12, -13}
	weights := make([]float64, 2)
	err := rloo.Reward(weights, reward, logp, ref, 0.5, 2)
	fmt.Println(weights, err)
	// Output:
	// [-1 1] <nil>
}

// The multiplier rises while the KL is above its budget and falls while it is below.
func ExampleDual() {
	dual := rloo.Dual{Budget: 0.5, Rate: 0.1}
	for _, kl := range []float64{0.2, 1.5, 0.9, 0.4} {
		if err := dual.Update(kl); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("KL %.1f: λ = %.2f\n", kl, dual.Lambda)
	}
	// Output:
	// KL 0.2: λ = 0.00
	// KL 1.5: λ = 0.10
	// KL 0.9: λ = 0.14
	// KL 0.4: λ = 0.13
}
