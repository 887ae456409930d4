package sampler_test

import (
	"context"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/sampler"
)

// Truncated importance weights: the effective sample size is that before the bound, and the
// bound says how often it acted.
func ExampleImportance() {
	logRatio := []float64{0.1, -0.3, 2.5, 0}
	w := make([]float64, len(logRatio))
	s, err := sampler.Importance{Max: 2}.Weights(w, logRatio)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("weights %.2f\nESS %.1f of %d, %d truncated\n", w, s.ESS, s.N, s.Above)
	// Output:
	// weights [1.11 0.74 2.00 1.00]
	// ESS 1.5 of 4, 1 truncated
}

// Replies of the policy, weighed as if they came from the geometric mixture with the
// reference.
func ExampleReplyMixture() {
	logp, ref := []float64{-1, -2, -3}, []float64{-2, -2, -2}
	w := make([]float64, 3)
	if err := sampler.ReplyMixture(w, logp, ref, 0.5); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := (sampler.Importance{SelfNormalise: true}).Weights(w, w); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f\n", w)
	// Output: [0.559 0.922 1.519]
}

// What the best of n is worth and how far it goes, from eight rewards.
func ExampleEstimateBestOfN() {
	reward := []float64{0.2, 1.1, -0.4, 0.7, 0.3, 0.9, -1.2, 0.5}
	for _, n := range []int{1, 2, 4} {
		b, err := sampler.EstimateBestOfN(reward, n)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("n = %d: reward %.2f, win rate %.2f, KL %.2f, at most %.2f\n", n, b.Reward, b.WinRate, b.KL, sampler.BestOfNKL(float64(n)))
	}
	// Output:
	// n = 1: reward 0.26, win rate 0.50, KL 0.00, at most 0.00
	// n = 2: reward 0.70, win rate 0.67, KL 0.19, at most 0.19
	// n = 4: reward 0.94, win rate 0.80, KL 0.62, at most 0.64
}

// A KL budget of 1 nat, spent by best-of-n and by a temperature of the reward.
func ExampleNForKL() {
	n, err := sampler.NForKL(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	beta, err := sampler.BetaForKL([]float64{0.2, 1.1, -0.4, 0.7, 0.3, 0.9, -1.2, 0.5}, 8, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("n = %.2f, β = %.3f\n", n, beta)
	// Output: n = 6.31, β = 0.210
}

// Draws from the reference as an estimate under the best of 4: a reward in the middle of what
// others had counts half.
func ExampleBestOfNWeights() {
	w := make([]float64, 3)
	if err := sampler.BestOfNWeights(w, []float64{0.1, 0.5, 0.9}, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}, 4); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f\n", w)
	// Output: [0.02 0.50 2.31]
}

func ExampleBest() {
	reward := []float64{0.1, 0.7, 0.3, math.NaN(), 2, 2}
	best := make([]int, 2)
	failed := sampler.Best(best, reward, 3)
	fmt.Println(best, failed)
	// Output: [1 4] 1
}

// A judge who always prefers the first place decides nothing after a swap.
func ExampleBothOrders() {
	biased := sampler.JudgeFunc[string, string](func(_ context.Context, dst []float64, _, _, _ []string) error {
		for i := range dst {
			dst[i] = 1
		}
		return nil
	})
	win := make([]float64, 1)
	bias, err := sampler.BothOrders[string, string]{Inner: biased}.JudgeBias(context.Background(), win, []string{"?"}, []string{"a"}, []string{"b"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(win, bias.Flipped, "of", bias.N, "flipped")
	// Output: [0.5] 1 of 1 flipped
}
