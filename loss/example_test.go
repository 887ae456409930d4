package loss_test

import (
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
)

// Two pairs: the policy has moved towards the first chosen reply, and away from the second.
func ExampleDPO() {
	batch := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	out := loss.PairsOut{
		Loss:   make([]float64, 2),
		Chosen: make([]float64, 2), Rejected: make([]float64, 2),
	}
	total, err := loss.DPO{Beta: 0.1}.Eval(out, batch)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("loss       %.4f\n", out.Loss)
	fmt.Printf("∂chosen   %.4f\n", out.Chosen)
	fmt.Printf("∂rejected  %.4f\n", out.Rejected)
	fmt.Printf("mean %.4f, %d of %d right\n", total.Mean(), total.Correct, total.Count)
	// Output:
	// loss       [0.5544 0.9130]
	// ∂chosen   [-0.0426 -0.0599]
	// ∂rejected  [0.0426 0.0599]
	// mean 0.7337, 1 of 2 right
}

// The same pair under the two conventions for the log-ratio.
func ExampleIPO() {
	batch := loss.Pairs{
		Chosen: []float64{-20}, RefChosen: []float64{-24}, ChosenLen: []int{10},
		Rejected: []float64{-36}, RefRejected: []float64{-34}, RejectedLen: []int{20},
	}
	grad := make([]float64, 1)
	for _, of := range []loss.LogRatioOf{loss.Sum, loss.Mean} {
		total, err := loss.IPO{Tau: 0.1, LogRatio: of}.Eval(loss.PairsOut{Chosen: grad}, batch)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("loss %.2f, ∂chosen %.2f\n", total.Mean(), grad[0])
	}
	// Output:
	// loss 1.00, ∂chosen 2.00
	// loss 20.25, ∂chosen -0.90
}

func ExampleNLL() {
	logp := []float64{-12, -30}  // of two demonstrations
	tokens := 4.0 + 10           // in both
	grad := make([]float64, 2)   // −1 each; the caller divides, as the loss
	losses := make([]float64, 2) // per demonstration
	total, err := loss.NLL{}.Eval(losses, grad, logp)
	fmt.Println(losses, grad, err)
	fmt.Println(total.Mean(), "nats per reply,", total.Sum/tokens, "per token")
	// Output:
	// [12 30] [-1 -1] <nil>
	// 21 nats per reply, 3 per token
}

func ExampleBradleyTerry() {
	batch := loss.Rewards{
		Chosen:   []float64{1.5, 0.25, -1},
		Rejected: []float64{0.5, 0.25, 1},
		Margin:   []float64{1, 0, 0}, // the first is labelled as clearly better
	}
	out := loss.PairsOut{Loss: make([]float64, 3), Chosen: make([]float64, 3)}
	total, err := loss.BradleyTerry{Center: 0.01}.Eval(out, batch)
	fmt.Printf("%.4f %.4f %v\n", out.Loss, out.Chosen, err)
	fmt.Printf("%d right, %d tied, of %d\n", total.Correct, total.Ties, total.Count)
	// Output:
	// [0.7331 0.6956 2.1269] [-0.4600 -0.4900 -0.8808] <nil>
	// 1 right, 1 tied, of 3
}

// Two prompts with two samples each. The weights are to be contracted with ∇ log π of the
// samples, and divided by their number: samples of less regularised reward than their
// sibling are pushed down.
func ExampleRLHF() {
	samples := loss.Samples{
		LogProb: []float64{-10, -12, -7, -9},
		Ref:     []float64{-11, -12, -9, -9},
		Reward:  []float64{1, 0, 0.5, 0.5},
		K:       2,
	}
	weights := make([]float64, 4)
	total, err := loss.RLHF{Beta: 0.1}.Eval(loss.SamplesOut{LogProb: weights}, samples)
	fmt.Printf("%.2f, loss %.3f, %v\n", weights, total.Mean(), err)
	// Output:
	// [-0.90 0.90 0.20 -0.20], loss -0.425, <nil>
}

// Where the policy exceeds the reference more than elsewhere, it is pushed back.
func ExampleKLPenalty() {
	samples := loss.Samples{
		LogProb: []float64{-10, -12, -7, -9},
		Ref:     []float64{-11, -12, -9, -9},
		K:       2,
	}
	weights := make([]float64, 4)
	total, err := loss.KLPenalty{Lambda: 0.1}.Eval(loss.SamplesOut{LogProb: weights}, samples)
	fmt.Printf("%.2f, λ·KL %.3f, %v\n", weights, total.Mean(), err)
	// Output:
	// [0.10 -0.10 0.20 -0.20], λ·KL 0.075, <nil>
}

// Preference pairs and, from the policy itself, four samples of one prompt. Each part has
// its own denominator.
func ExampleHyPO() {
	pairs := loss.Pairs{
		Chosen: []float64{-11, -25}, Rejected: []float64{-14, -20},
		RefChosen: []float64{-12, -22}, RefRejected: []float64{-12, -21},
	}
	samples := loss.Samples{
		LogProb: []float64{-10, -12, -7, -9},
		Ref:     []float64{-11, -12, -9, -9},
		K:       4,
	}
	out := loss.HyPOOut{
		Pairs:   loss.PairsOut{Chosen: make([]float64, 2), Rejected: make([]float64, 2)},
		Samples: loss.SamplesOut{LogProb: make([]float64, 4)},
	}
	objective := loss.HyPO{Offline: loss.DPO{Beta: 0.1}, Lambda: 0.1}
	total, err := objective.Eval(out, pairs, samples)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("pairs   %.4f, ∂chosen %.4f\n", total.Pairs.Mean(), out.Pairs.Chosen)
	fmt.Printf("samples %.4f, weights %.4f\n", total.KL.Mean(), out.Samples.LogProb)
	// Output:
	// pairs   0.7337, ∂chosen [-0.0426 -0.0599]
	// samples 0.0750, weights [0.0333 -0.1000 0.1667 -0.1000]
}

// hinge is max(0, 1 − z).
type hinge struct{}

func (hinge) Link(value, slope, z []float64) {
	for i, x := range z {
		value[i], slope[i] = 0, 0
		if x < 1 {
			value[i], slope[i] = 1-x, -1
		}
	}
}

func (hinge) Check() error { return nil }

// An objective without a name: the log-ratio per token under a hinge, with a target margin.
// Its derivatives, rewards and accuracies follow from its parts.
func ExampleContrast() {
	objective := loss.Contrast{Score: loss.MeanLogRatio{}, Link: hinge{}, Beta: 2, Gamma: 0.5}

	batch := loss.Pairs{
		Chosen: []float64{-20, -8}, RefChosen: []float64{-25, -14}, ChosenLen: []int{10, 4},
		Rejected: []float64{-36, -40}, RefRejected: []float64{-34, -35}, RejectedLen: []int{20, 10},
	}
	out := loss.PairsOut{
		Loss: make([]float64, 2), Chosen: make([]float64, 2),
		RewardChosen: make([]float64, 2), RewardRejected: make([]float64, 2),
	}
	total, err := objective.Eval(out, batch)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("loss     %.2f\n", out.Loss)
	fmt.Printf("∂chosen  %.2f\n", out.Chosen)
	fmt.Printf("rewards  %.2f %.2f\n", out.RewardChosen, out.RewardRejected)
	fmt.Printf("accuracy %d/%d\n", total.Correct, total.Count)
	// Output:
	// loss     [0.30 0.00]
	// ∂chosen  [-0.20 0.00]
	// rewards  [1.00 3.00] [-0.20 -1.00]
	// accuracy 2/2
}
