package logits_test

import (
	"fmt"

	"github.com/prefgrad/prefgrad/policy/logits"
)

// Two replies of two tokens and one token, padded to the same length, over a
// vocabulary of three.
func Example() {
	z := logits.Rows{N: 4, Vocab: 3, Data: []float32{
		2, 0, 0,
		0, 1, 0,
		0, 0, 3,
		0, 0, 0, // padding
	}}
	batch := logits.Batch{Logits: z, Labels: []int32{0, 1, 2, 0}, Temperature: 1, Lengths: []int{2, 1}}

	logp := make([]float64, 4)
	if err := logits.Forward(logits.Stats{LogProb: logp}, batch); err != nil {
		fmt.Println(err)
	}
	replies := make([]float64, 2)
	logits.SumSequences(replies, logp, batch.Lengths)
	fmt.Printf("log π(y|x) = %.4f\n", replies)

	// A loss returns a weight for each reply, here 1 and −1. The gradient may
	// overwrite the logits.
	w := logits.Stats{LogProb: []float64{1, 1, -1, -1}}
	if err := logits.Gradient(z, logits.Stats{}, w, batch); err != nil {
		fmt.Println(err)
	}
	for i := range z.N {
		fmt.Printf("%+.4f\n", z.Row(i))
	}
	// Output:
	// log π(y|x) = [-0.7910 -0.0949]
	// [+0.2130 -0.1065 -0.1065]
	// [-0.2119 +0.4239 -0.2119]
	// [+0.0453 +0.0453 -0.0906]
	// [+0.0000 +0.0000 +0.0000]
}
