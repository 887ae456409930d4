package loss_test

import (
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
)

// No reference: the mean log-probability per token, and a target margin.
func ExampleSimPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		ChosenLen: []int{5, 10}, RejectedLen: []int{7, 8},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.SimPO{Beta: 2, Gamma: 0.5}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [1.2412 0.9741], ∂chosen [-0.2844 -0.1245], ∂rejected [0.2031 0.1556]
	// 0 right, 1 tied, <nil>
}

// The contrast of log-probabilities and the likelihood of the chosen replies, as sums.
func ExampleCPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.CPO{Beta: 0.1, Alpha: 1, NLLOver: loss.Sum}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [11.5544 25.9741], ∂chosen [-1.0426 -1.0622], ∂rejected [0.0426 0.0622]
	// 1 right, 0 tied, <nil>
}

// Odds of the geometric mean of token probabilities, and the NLL per token.
func ExampleORPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		ChosenLen: []int{5, 10}, RejectedLen: []int{7, 8},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.ORPO{Lambda: 0.1}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [2.2814 2.5693], ∂chosen [-0.2125 -0.1054], ∂rejected [0.0092 0.0068]
	// 0 right, 1 tied, <nil>
}

// α > 0 makes the reward steeper where replies are unlikely.
func ExampleAlphaPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		ChosenLen: []int{5, 10}, RejectedLen: []int{7, 8},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.AlphaPO{Beta: 2, Gamma: 0.5, Alpha: 0.25}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [1.4451 0.9741], ∂chosen [-0.5299 -0.2326], ∂rejected [0.3600 0.2907]
	// 0 right, 1 tied, <nil>
}

// Log-ratios per token, with a larger β.
func ExampleNormDPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
		ChosenLen: []int{5, 10}, RejectedLen: []int{7, 8},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.NormDPO{Beta: 5}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [0.0845 2.2378], ∂chosen [-0.0810 -0.4467], ∂rejected [0.0579 0.5583]
	// 1 right, 0 tied, <nil>
}

// The second chosen reply is the longer one, and its reward is charged for that.
func ExampleRDPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
		ChosenLen: []int{5, 10}, RejectedLen: []int{7, 8},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.RDPO{Beta: 0.1, Alpha: 0.05}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [0.5981 0.8544], ∂chosen [-0.0450 -0.0574], ∂rejected [0.0450 0.0574]
	// 1 right, 0 tied, <nil>
}

// The first reply is labelled as much better, and has to win by that.
func ExampleODPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
		Margin: []float64{1, 0},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.ODPO{Beta: 0.1}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [1.1032 0.9130], ∂chosen [-0.0668 -0.0599], ∂rejected [0.0668 0.0599]
	// 1 right, 0 tied, <nil>
}

// One label in ten is wrong. Beyond the odds of the noise the loss goes on falling.
func ExampleRobustDPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.RobustDPO{Beta: 0.1, FlipProb: 0.1}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [0.5169 0.9630], ∂chosen [-0.0551 -0.0724], ∂rejected [0.0551 0.0724]
	// 1 right, 0 tied, <nil>
}

// Neither margin has reached 1/β yet.
func ExampleRSO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.RSO{Beta: 0.1}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [0.7000 1.4000], ∂chosen [-0.1000 -0.1000], ∂rejected [0.1000 0.1000]
	// 1 right, 0 tied, <nil>
}

// Any convex function of the margin: here e⁻ᶻ.
func ExampleGPO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.GPO{Beta: 0.1, Link: loss.Exponential{}}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [0.7408 1.4918], ∂chosen [-0.0741 -0.1492], ∂rejected [0.0741 0.1492]
	// 1 right, 0 tied, <nil>
}

func ExampleDiscoPOP() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.DiscoPOP{Beta: 0.1, Tau: 0.05}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [0.7404 0.9132], ∂chosen [-0.0731 -0.0595], ∂rejected [0.0731 0.0595]
	// 1 right, 0 tied, <nil>
}

// The divergence from the policy to the label, not the other way round.
func ExampleEXO() {
	b := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2), Rejected: make([]float64, 2)}
	objective := loss.EXO{Beta: 0.1, LabelSmoothing: 0.001}
	total, err := objective.Eval(out, b)
	fmt.Printf("loss %.4f, ∂chosen %.4f, ∂rejected %.4f\n", out.Loss, out.Chosen, out.Rejected)
	fmt.Println(total.Correct, "right,", total.Ties, "tied,", err)
	// Output:
	// loss [2.2582 3.4624], ∂chosen [-0.1615 -0.1756], ∂rejected [0.1615 0.1756]
	// 1 right, 0 tied, <nil>
}
