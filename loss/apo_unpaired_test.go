package loss_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/loss"
)

func TestAPOUnpairedByHand(t *testing.T) {
	// Log-ratios 2 and −2 under β = ½: rewards 1 and −1. σ(−1) = 0.268941421370,
	// σ(1) = 0.731058578630, σ(1)σ(−1) = 0.196611933241, times ½ and the weight 3 of
	// undesirable replies.
	b := loss.Unpaired{LogProb: []float64{-1, -1, -5, -5}, Ref: []float64{-3, -3, -3, -3}, Desirable: []bool{true, false, true, false}}
	out, _ := evalUnpaired(t, loss.APOUnpaired{Beta: 0.5, Desirable: 1, Undesirable: 3}, b)
	assert.InDeltaSlice(t, []float64{0.268941421370, 2.193175735890, 0.731058578630, 0.806824264110}, out.Loss, 1e-12)
	assert.InDeltaSlice(t, []float64{-0.098305966621, 0.294917899862, -0.098305966621, 0.294917899862}, out.LogProb, 1e-12)
}

// It is KTO at z = 0.
func TestAPOUnpairedIsKTOWithoutKL(t *testing.T) {
	b := randomUnpaired(2, 50, 4)
	want, total := evalUnpaired(t, atKL{loss.KTO{Beta: 0.2, Desirable: 1, Undesirable: 2}, 0}, b)
	got, apo := evalUnpaired(t, loss.APOUnpaired{Beta: 0.2, Desirable: 1, Undesirable: 2}, b)
	assert.Equal(t, want, got)
	assert.Equal(t, total, apo)
}

// Defect 26: where 1 − σ rounds to 0 the gradient is e^(−|z|), not 0.
func TestDefectAPOGradientVanishes(t *testing.T) {
	for _, z := range []float64{40, 150, 700} {
		for _, sign := range []float64{1, -1} {
			for _, good := range []bool{true, false} {
				out, _ := evalUnpaired(t, loss.APOUnpaired{Beta: 1, Desirable: 1, Undesirable: 1}, oneReply(sign*z, good))
				within(t, math.Exp(-z), math.Abs(out.LogProb[0]), 1e-13)
			}
		}
	}
}

func ExampleAPOUnpaired() {
	batch := loss.Unpaired{
		LogProb:   []float64{-11, -14},
		Ref:       []float64{-12, -12},
		Desirable: []bool{true, false},
	}
	grad := make([]float64, 2)
	total, err := loss.APOUnpaired{Beta: 0.1, Desirable: 1, Undesirable: 1}.Eval(loss.UnpairedOut{LogProb: grad}, batch)
	fmt.Printf("%.4f %.4f, %d right, %v\n", total.Mean(), grad, total.Correct, err)
	// Output:
	// 0.4626 [-0.0249 0.0248], 2 right, <nil>
}

// A loss without a name: the log-ratio per token, with a cost of mistakes that is bounded.
func ExampleBinary() {
	objective := loss.Binary{Score: loss.MeanLogRatio{}, Link: loss.Sigmoid{}, Beta: 2, Shift: 0.1, Desirable: 1, Undesirable: 1}
	batch := loss.Unpaired{
		LogProb: []float64{-20, -8}, Ref: []float64{-25, -14}, Len: []int{10, 4},
		Desirable: []bool{true, false},
	}
	out := loss.UnpairedOut{Loss: make([]float64, 2), Reward: make([]float64, 2)}
	_, err := objective.Eval(out, batch)
	fmt.Printf("%.4f %.1f %v\n", out.Loss, out.Reward, err)
	// Output:
	// [0.2891 0.9478] [1.0 3.0] <nil>
}
