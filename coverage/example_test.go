package coverage_test

import (
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/coverage"
)

func ExampleKL() {
	logs := func(p ...float64) []float64 {
		for i, v := range p {
			p[i] = math.Log(v)
		}
		return p
	}
	policy, ref := logs(0.6, 0.4, 0), logs(0.4, 0.4, 0.2)
	fmt.Printf("%.4f\n", coverage.KL(policy, ref))
	fmt.Printf("%.4f\n", coverage.KL(ref, policy)) // the policy has dropped a response
	// Output:
	// 0.2433
	// +Inf
}

// Log-ratios of two samples for each of three prompts, from two workers.
func ExampleKLEstimator() {
	var a, b coverage.KLEstimator
	if err := a.Add([]float64{0.8, 1.2, 0.1, 0.3}, 2); err != nil {
		fmt.Println(err)
	}
	if err := b.Add([]float64{-0.2, 1.0}, 2); err != nil {
		fmt.Println(err)
	}
	a.Merge(b)
	r := a.Result()
	fmt.Printf("KL = %.3f ± %.3f from %d prompts\n", r.Value, r.SE, r.N)
	// Output:
	// KL = 0.533 ± 0.240 from 3 prompts
}
