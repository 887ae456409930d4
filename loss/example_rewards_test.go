package loss_test

import (
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
)

// The second chosen reply is less likely than under the reference, and charged for it.
func ExampleDPOP() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.DPOP{Beta: 0.1, Lambda: 50}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [0.5544 15.4000], ∂chosen [-0.0426 -5.1000], ∂rejected [0.0426 0.1000]
	// 1 right, 0 tied, <nil>
}

// The forward KL as a regulariser: rewards are −β·π_ref/π.
func ExampleFDPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.FDPO{Beta: 0.1, Divergence: loss.ForwardKL{}}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [0.4025 2.1021], ∂chosen [-0.0122 -1.7631], ∂rejected [0.2448 0.0323]
	// 1 right, 0 tied, <nil>
}

// The margin of the second pair is beyond the clamp at 2R: it has no derivative left,
// although it is ranked wrongly. R must be no less than the range of rewards.
func ExampleChiPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.ChiPO{Beta: 0.2, MaxReward: 0.6}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", total.Clipped, "clipped,", err)
	// Output:
	// loss [0.2832 1.4633], ∂chosen [-0.1834 0.0000], ∂rejected [0.0560 -0.0000]
	// 1 right, 0 tied, 1 clipped, <nil>
}

// DPO and, per token, the likelihood of the chosen replies.
func ExampleRPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
		ChosenLen: []int{5, 10}, RejectedLen: []int{7, 8},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.RPO{Beta: 0.1, Alpha: 0.5, NLLOver: loss.Mean}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [1.6544 2.1630], ∂chosen [-0.1426 -0.1099], ∂rejected [0.0426 0.0599]
	// 1 right, 0 tied, <nil>
}

// Each reward by itself: a chosen reply that has fallen is pulled up.
func ExampleNCA() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.NCA{Beta: 0.1}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [1.3157 1.5037], ∂chosen [-0.0213 -0.0362], ∂rejected [0.0225 0.0262]
	// 1 right, 0 tied, <nil>
}

// A classifier of chosen and rejected replies; δ is the mean reward so far.
func ExampleBCOPair() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.BCOPair{Beta: 0.1, Delta: -0.05}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [1.2419 1.5969], ∂chosen [-0.0463 -0.0562], ∂rejected [0.0463 0.0537]
	// 1 right, 0 tied, <nil>
}

// The first reply wins with probability ¾, the second always.
func ExampleSPPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
		Win: []float64{0.75, 1},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.SPPO{Beta: 0.25}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [1.0000 34.0000], ∂chosen [0.0000 -10.0000], ∂rejected [-2.0000 6.0000]
	// 1 right, 0 tied, <nil>
}

// A contrast, and targets ±1/(2β) for the log-ratios themselves.
func ExampleCalDPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.CalDPO{Beta: 0.25}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [0.5486 21.0181], ∂chosen [-1.0474 -5.9820], ∂rejected [0.0474 3.9820]
	// 1 right, 0 tied, <nil>
}

// Chosen up, rejected down.
func ExampleAPOZero() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.APOZero{Beta: 0.1}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [0.9252 1.0994], ∂chosen [-0.0249 -0.0244], ∂rejected [0.0248 0.0249]
	// 1 right, 0 tied, <nil>
}

// Both down, the rejected one further.
func ExampleAPODown() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.APODown{Beta: 0.1}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [0.9505 1.0242], ∂chosen [0.0005 0.0004], ∂rejected [0.0244 0.0240]
	// 1 right, 0 tied, <nil>
}

// The weights of the paper: preference, quality, generation.
func ExampleMPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
		ChosenLen: []int{5, 10},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.MPO{
		{0.8, loss.DPO{Beta: 0.1}},
		{0.2, loss.BCOPair{Beta: 0.1}},
		{1, loss.ChosenNLL{Over: loss.Mean}},
	}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [2.8920 3.5502], ∂chosen [-0.2435 -0.1594], ∂rejected [0.0430 0.0584]
	// 1 right, 0 tied, <nil>
}

// A composition without a name: NCA's link on log-ratios per token.
func ExampleJoint() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
		ChosenLen: []int{5, 10}, RejectedLen: []int{7, 8},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.Joint{Score: loss.MeanLogRatio{}, Link: loss.NCALink{}, Beta: 2}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [1.1934 1.6692], ∂chosen [-0.0408 -0.0937], ∂rejected [0.0516 0.0703]
	// 1 right, 0 tied, <nil>
}

func ExampleChosenNLL() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		ChosenLen: []int{5, 10}, RejectedLen: []int{7, 8},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.ChosenNLL{Over: loss.Mean}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [2.2000 2.5000], ∂chosen [-0.2000 -0.1000], ∂rejected [0.0000 0.0000]
	// 0 right, 0 tied, <nil>
}
