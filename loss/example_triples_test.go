package loss_test

import (
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
)

// A contrast of two replies and imitation of a third, here with the mean NLL per token.
func ExampleTPO() {
	b := loss.Triples{
		Pairs: loss.Pairs{Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20}},
		Gold:  []float64{-9, -16}, GoldLen: []int{6, 8},
	}
	out := loss.TriplesOut{Gold: make([]float64, 2)}
	out.Loss, out.Chosen = make([]float64, 2), make([]float64, 2)
	total, err := loss.TPO{Beta: 0.1, Alpha: 1, NLLOver: loss.Mean}.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂gold %.4f\n", out.Loss, out.Chosen, out.Gold)
	fmt.Println(total.Correct, "of", total.Count, "right,", err)
	// Output:
	// loss [2.0544 2.9741], ∂chosen [-0.0426 -0.0622], ∂gold [-0.1667 -0.1250]
	// 1 of 2 right, <nil>
}

// The same with log-probabilities per token and a target margin.
func ExampleTPOL() {
	b := loss.Triples{
		Pairs: loss.Pairs{
			Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
			ChosenLen: []int{5, 10}, RejectedLen: []int{7, 8},
		},
		Gold: []float64{-9, -16}, GoldLen: []int{6, 8},
	}
	out := loss.TriplesOut{Gold: make([]float64, 2)}
	out.Loss, out.Chosen = make([]float64, 2), make([]float64, 2)
	total, err := loss.TPOL{Beta: 2, Gamma: 0.5, Alpha: 1, NLLOver: loss.Mean}.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂gold %.4f\n", out.Loss, out.Chosen, out.Gold)
	fmt.Println(total.Correct, "of", total.Count, "right,", err)
	// Output:
	// loss [2.7412 2.9741], ∂chosen [-0.2844 -0.1245], ∂gold [-0.1667 -0.1250]
	// 0 of 2 right, <nil>
}

// The first pair is separated by more than δ: only the third reply pulls.
func ExampleSLiC() {
	b := loss.Triples{
		Pairs: loss.Pairs{Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20}},
		Gold:  []float64{-9, -16},
	}
	out := loss.TriplesOut{Gold: make([]float64, 2)}
	out.Loss, out.Chosen = make([]float64, 2), make([]float64, 2)
	total, err := loss.SLiC{Delta: 1, Lambda: 0.1, Over: loss.Sum}.Eval(out, b)
	fmt.Printf("loss %.2f, ∂chosen %.2f, ∂gold %.2f\n", out.Loss, out.Chosen, out.Gold)
	fmt.Println(total.Correct, "of", total.Count, "right,", total.Flat, "flat,", err)
	// Output:
	// loss [0.90 7.60], ∂chosen [0.00 -1.00], ∂gold [-0.10 -0.10]
	// 1 of 2 right, 1 flat, <nil>
}

// Optimism on replies from the reference. It is added to a pairwise loss, with its own
// denominator.
func ExampleXPO() {
	grad := make([]float64, 2)
	total, err := loss.XPO{Alpha: 0.01}.Eval(nil, grad, []float64{-12, -30})
	fmt.Println(total.Mean(), grad, err)
	// Output:
	// -0.21 [0.01 0.01] <nil>
}

// Online the term pushes calibration replies down, offline up.
func ExampleVPO() {
	logp, ref, grad := []float64{-12, -30}, []float64{-13, -31}, make([]float64, 2)
	for _, offline := range []bool{false, true} {
		total, err := loss.VPO{Alpha: 0.5, Beta: 0.1, Offline: offline}.Eval(nil, grad, logp, ref)
		fmt.Println(total.Mean(), grad, err)
	}
	// Output:
	// 0.05 [0.05 0.05] <nil>
	// -0.05 [-0.05 -0.05] <nil>
}
