package loss_test

import (
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
)

// Two replies to each of two prompts, one of each kind desirable.
func ExampleKTO() {
	prompt := []uint64{7, 7, 8, 8}
	batch := loss.Unpaired{
		LogProb:   []float64{-11, -14, -25, -20},
		Ref:       []float64{-12, -12, -22, -21},
		Desirable: []bool{true, false, true, false},
	}
	other := make([]int, 4)
	if err := loss.Mismatch(other, prompt, batch.Desirable); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("replies of other prompts:", other)
	// The policy and the reference score prompt i with reply other[i].
	batch.MismatchLogProb = []float64{-40, -31, -35, -52}
	batch.MismatchRef = []float64{-42, -30, -38, -54}

	objective := loss.KTO{Beta: 0.1, Desirable: 1, Undesirable: 1}
	out := loss.UnpairedOut{Loss: make([]float64, 4), LogProb: make([]float64, 4)}
	total, err := objective.Eval(out, batch)
	fmt.Printf("loss     %.4f\n∂logprob %.4f\n%d of %d right, %v\n", out.Loss, out.LogProb, total.Correct, total.Count, err)
	// Output:
	// replies of other prompts: [2 3 0 1]
	// loss     [0.5125 0.4134 0.6106 0.4875]
	// ∂logprob [-0.0250 0.0242 -0.0238 0.0250]
	// 2 of 4 right, <nil>
}

// A pair of replies of three tokens and of one, as a language model scores them.
func ExampleSummed() {
	batch := loss.TokenPairs{
		Layout:  loss.Layout{Begin: []int{0, 4, 6}, Prompt: []int{1, 1}},
		LogProb: []float64{0, -1, -0.5, -2, 0, -1.5},
		Ref:     []float64{0, -1, -1, -2.5, 0, -1},
	}
	for _, objective := range []loss.TokenPairwise{
		loss.Summed{Loss: loss.DPO{Beta: 0.5}},
		loss.Averaged{Loss: loss.DPO{Beta: 0.5}},
		loss.LDDPO{Loss: loss.DPO{Beta: 0.5}, Alpha: 0.5},
	} {
		out := loss.TokenPairsOut{LogProb: make([]float64, 6)}
		total, err := objective.Eval(out, batch)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%.4f %6.3f\n", total.Sum, out.LogProb)
	}
	// Output:
	// 0.3869 [ 0.000 -0.160 -0.160 -0.160  0.000  0.160]
	// 0.5064 [ 0.000 -0.066 -0.066 -0.066  0.000  0.199]
	// 0.4741 [ 0.000 -0.189 -0.094 -0.094  0.000  0.189]
}

// The KLs of both replies have weights; only their sum over tokens counts.
func ExampleTDPO2() {
	batch := loss.TokenPairs{
		Layout:  loss.Layout{Begin: []int{0, 2, 4}, Prompt: []int{0, 0}},
		LogProb: []float64{-1, -2, -0.5, -1},
		Ref:     []float64{-1.5, -1.5, -1.5, -1},
		KL:      []float64{0.2, 0.3, 0.1, 0.6},
	}
	out := loss.TokenPairsOut{LogProb: make([]float64, 4), KL: make([]float64, 4)}
	for _, objective := range []loss.TokenPairwise{loss.TDPO1{Beta: 0.5}, loss.TDPO2{Beta: 0.5, Alpha: 0.5}} {
		total, err := objective.Eval(out, batch)
		fmt.Printf("%.4f %.3f %.3f %v\n", total.Sum, out.LogProb, out.KL, err)
	}
	// Output:
	// 1.0375 [-0.323 -0.323 0.323 0.323] [-0.323 -0.323 0.323 0.323] <nil>
	// 1.0055 [-0.317 -0.317 0.317 0.317] [0.000 0.000 0.159 0.159] <nil>
}

// The second pair was written by someone else: it hardly counts.
func ExampleWPO() {
	batch := loss.TokenPairs{
		Layout:  loss.Layout{Begin: []int{0, 1, 2, 3, 4}, Prompt: []int{0, 0, 0, 0}},
		LogProb: []float64{-0.5, -1, -6, -5},
		Ref:     []float64{-0.6, -0.9, -6.2, -5},
		SumSq:   []float64{-0.7, -0.9, -1, -0.8},
	}
	out := loss.TokenPairsOut{Loss: make([]float64, 2), LogProb: make([]float64, 4)}
	total, err := loss.WPO{Loss: loss.Summed{Loss: loss.DPO{Beta: 0.1}}, Cap: 1}.Eval(out, batch)
	fmt.Printf("%.4f %.4f, capped %d, %v\n", out.Loss, out.LogProb, total.Clipped, err)
	// Output:
	// [0.6832 0.0001] [-0.0495 0.0495 -0.0000 0.0000], capped 1, <nil>
}

func ExampleLDDPO() {
	batch := loss.TokenPairs{
		Layout:  loss.Layout{Begin: []int{0, 3, 4}, Prompt: []int{0, 0}},
		LogProb: []float64{-1, -0.5, -2, -1.5},
		Ref:     []float64{-1, -1, -2.5, -1},
	}
	for _, alpha := range []float64{0, 0.5, 1} {
		out := loss.TokenPairsOut{LogProb: make([]float64, 4)}
		total, err := loss.LDDPO{Loss: loss.DPO{Beta: 0.1}, Alpha: alpha}.Eval(out, batch)
		fmt.Printf("α = %.1f: %.4f %.4f %v\n", alpha, total.Sum, out.LogProb, err)
	}
	// Output:
	// α = 0.0: 0.6685 [-0.0488 -0.0000 -0.0000 0.0488] <nil>
	// α = 0.5: 0.6444 [-0.0475 -0.0238 -0.0238 0.0475] <nil>
	// α = 1.0: 0.6210 [-0.0463 -0.0463 -0.0463 0.0463] <nil>
}
