package sampler_test

import (
	"fmt"

	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
)

// Draws that avoid each other have no leave-one-out baseline, but can have one from elsewhere.
func ExampleJoint_Groups() {
	reward, advantage := []float64{1, 0, 0}, make([]float64, 3)
	distinct := sampler.Distinct.Groups(3)
	_, err := rloo.RLOO{}.Eval(advantage, reward, distinct)
	fmt.Println(err)
	_, err = rloo.ReMax{Baseline: []float64{0.5}}.Eval(advantage, reward, distinct)
	fmt.Println(advantage, err)
	_, err = rloo.RLOO{}.Eval(advantage, reward, sampler.Independent.Groups(3))
	fmt.Println(advantage, err)
	// Output:
	// rloo: a baseline from other samples needs independent draws
	// [0.5 -0.5 -0.5] <nil>
	// [1 -0.5 -0.5] <nil>
}
