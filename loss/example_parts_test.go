package loss_test

import (
	"errors"
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
)

// What each score makes of one reply, three nats likelier than under the reference.
func ExampleScore() {
	reply := loss.Responses{LogProb: []float64{-4}, Ref: []float64{-7}, Len: []int{8}}
	for _, s := range []loss.Score{
		loss.LogRatio{}, loss.MeanLogRatio{}, loss.LengthRegularised{PerToken: 0.1},
		loss.ForwardKL{}, loss.JensenShannon{}, loss.AlphaDivergence{Alpha: 0.5}, loss.ChiSquared{},
		loss.LogProb{}, loss.MeanLogProb{}, loss.AlphaReward{Alpha: 0.5}, loss.Odds{},
	} {
		var score, slope [1]float64
		err := s.Score(score[:], slope[:], reply)
		fmt.Printf("%-27T %8.4f %8.4f %v\n", s, score[0], slope[0], err)
	}
	// Output:
	// loss.LogRatio                 3.0000   1.0000 <nil>
	// loss.MeanLogRatio             0.3750   0.1250 <nil>
	// loss.LengthRegularised        3.8000   1.0000 <nil>
	// loss.ForwardKL               -0.0498   0.0498 <nil>
	// loss.JensenShannon           -0.0486   0.0474 <nil>
	// loss.AlphaDivergence          1.5537   0.2231 <nil>
	// loss.ChiSquared              23.0855  21.0855 <nil>
	// loss.LogProb                 -4.0000   1.0000 <nil>
	// loss.MeanLogProb             -0.5000   0.1250 <nil>
	// loss.AlphaReward             -0.5681   0.1605 <nil>
	// loss.Odds                     0.4328   0.3177 <nil>
}

// The links of the margin at z = ½.
func ExampleLink() {
	for _, l := range []loss.Link{
		loss.Logistic{}, loss.Smoothed{Epsilon: 0.1}, loss.Robust{Epsilon: 0.1}, loss.Squared{Target: 0.5}, loss.Hinge{},
		loss.SquaredHinge{}, loss.Exponential{}, loss.Sigmoid{}, loss.ReverseKL{Epsilon: 0.1}, loss.LogRatioModulated{Tau: 1},
	} {
		z := []float64{0.5}
		var value, slope, curvature [1]float64
		l.Link(value[:], slope[:], z)
		fmt.Printf("%-22T %7.4f %7.4f", l, value[0], slope[0])
		if c, ok := l.(loss.CurvedLink); ok {
			c.Curvature(curvature[:], z)
			fmt.Printf(" %7.4f", curvature[0])
		}
		fmt.Println()
	}
	// Output:
	// loss.Logistic           0.4741 -0.3775  0.2350
	// loss.Smoothed           0.5241 -0.2775  0.2350
	// loss.Robust             0.4116 -0.5025  0.2350
	// loss.Squared            0.0000  0.0000  2.0000
	// loss.Hinge              0.5000 -1.0000
	// loss.SquaredHinge       0.2500 -1.0000
	// loss.Exponential        0.6065 -0.6065  0.6065
	// loss.Sigmoid            0.3775 -0.2350
	// loss.ReverseKL          0.2721 -0.3989
	// loss.LogRatioModulated  0.5565 -0.4890
}

// The links of both rewards at 1 and −1.
func ExampleJointLink() {
	for _, l := range []loss.JointLink{
		loss.NCALink{}, loss.BCOLink{Delta: 0.5}, loss.CalLink{Target: 2}, loss.APOZeroLink{}, loss.APODownLink{},
	} {
		var value, chosen, rejected [1]float64
		l.Joint(value[:], chosen[:], rejected[:], []float64{1}, []float64{-1})
		fmt.Printf("%-16T %.4f %7.4f %7.4f\n", l, value[0], chosen[0], rejected[0])
	}
	// Output:
	// loss.NCALink     1.1265  0.0966  0.1345
	// loss.BCOLink     0.6755 -0.3775  0.1824
	// loss.CalLink     1.1269 -1.1192  1.1192
	// loss.APOZeroLink 0.5379 -0.1966  0.1966
	// loss.APODownLink 0.8503  0.0916  0.1050
}

// The same pair under several divergences from the reference.
func ExampleDivergence() {
	b := loss.Pairs{
		Chosen: []float64{-11}, Rejected: []float64{-14},
		RefChosen: []float64{-12}, RefRejected: []float64{-12},
	}
	out := loss.PairsOut{RewardChosen: make([]float64, 1), RewardRejected: make([]float64, 1)}
	for _, d := range []loss.Divergence{loss.LogRatio{}, loss.ForwardKL{}, loss.JensenShannon{}, loss.AlphaDivergence{Alpha: 0.5}, loss.ChiSquared{}} {
		total, err := loss.FDPO{Beta: 0.5, Divergence: d}.Eval(out, b)
		fmt.Printf("%-20T %.4f %7.4f %7.4f %v\n", d, total.Sum, out.RewardChosen[0], out.RewardRejected[0], err)
	}
	// Output:
	// loss.LogRatio        0.2014  0.5000 -1.0000 <nil>
	// loss.ForwardKL       0.0294 -0.1839 -3.6945 <nil>
	// loss.JensenShannon   0.3392 -0.1566 -1.0635 <nil>
	// loss.AlphaDivergence 0.1142  0.3935 -1.7183 <nil>
	// loss.ChiSquared      0.0595  1.8591 -0.9323 <nil>
}

// Sums add, and so a step of two micro-batches has the denominator of the whole step.
func ExampleTotal() {
	var step loss.Total
	for _, b := range []loss.Pairs{
		{Chosen: []float64{-4, -6}, Rejected: []float64{-5, -6}, RefChosen: []float64{-5, -6}, RefRejected: []float64{-5, -6}},
		{Chosen: []float64{-9}, Rejected: []float64{-3}, RefChosen: []float64{-8}, RefRejected: []float64{-5}},
	} {
		total, err := loss.DPO{Beta: 0.5}.Eval(loss.PairsOut{}, b)
		if err != nil {
			fmt.Println(err)
			return
		}
		step.Add(total)
	}
	fmt.Printf("mean %.4f of %d: %d right, %d tied\n", step.Mean(), step.Count, step.Correct, step.Ties)
	// Output:
	// mean 0.9562 of 3: 1 right, 1 tied
}

// An error says what cannot be used, and where it stands.
func ExampleInputError() {
	b := loss.Pairs{Chosen: []float64{-4, -6}, Rejected: []float64{-5, -6}, ChosenLen: []int{3, 0}, RejectedLen: []int{2, 4}}
	_, err := loss.SimPO{Beta: 2, Gamma: 0.5}.Eval(loss.PairsOut{}, b)
	var in *loss.InputError
	if errors.As(err, &in) {
		fmt.Println(in.Field, in.Index, in.Value)
	}
	fmt.Println(err)
	// Output:
	// ChosenLen 1 0
	// loss: ChosenLen[1] = 0: a mean over no tokens
}

func ExampleParamError() {
	_, err := loss.DPO{Beta: 0}.Eval(loss.PairsOut{}, loss.Pairs{})
	fmt.Println(err)
	// Output:
	// loss: DPO.Beta = 0, must be positive and finite
}

// A trainer asks before it cuts a batch.
func ExampleIsCoupled() {
	for _, l := range []any{loss.DPO{Beta: 0.1}, loss.AOT{Beta: 0.1}, loss.KTO{Beta: 0.1}, loss.MPO{{Weight: 1, Loss: loss.BetaDPO{Beta: 0.1}}}} {
		fmt.Printf("%T %v\n", l, loss.IsCoupled(l))
	}
	// Output:
	// loss.DPO false
	// loss.AOT true
	// loss.KTO true
	// loss.MPO true
}

// Two replies to each of two prompts: each prompt gets a reply of the other one.
func ExampleMismatch() {
	reply := make([]int, 4)
	err := loss.Mismatch(reply, []uint64{7, 7, 9, 9}, []bool{true, false, true, false})
	fmt.Println(reply, err)
	// Output:
	// [2 3 0 1] <nil>
}

// The shift of the next step is the mean of the rewards so far.
func ExampleRewardShift() {
	var shift loss.RewardShift
	if err := shift.Add([]float64{1, 2, -1}, []bool{true, true, false}); err != nil {
		fmt.Println(err)
		return
	}
	pooled, _ := shift.Delta(loss.Pooled)
	balanced, _ := shift.Delta(loss.Balanced)
	fmt.Printf("%.4f %.4f\n", pooled, balanced)
	// Output:
	// 0.6667 0.2500
}

func ExampleRunningMargin() {
	margins := loss.RunningMargin{Momentum: 0.9}
	b := loss.Pairs{
		Chosen: []float64{-4, -6}, Rejected: []float64{-5, -7}, RefChosen: []float64{-5, -6}, RefRejected: []float64{-5, -5},
	}
	fmt.Println(margins.Add(b))
	fmt.Printf("%.2f %.4f\n", margins.Mean, margins.Std)
	// Output:
	// <nil>
	// 0.15 0.0707
}

// Derivatives with respect to the log-probabilities and to the KLs of both replies.
func ExampleTDPO1() {
	batch := loss.TokenPairs{
		Layout:  loss.Layout{Begin: []int{0, 2, 3}, Prompt: []int{0, 0}},
		LogProb: []float64{-1, -2, -0.5},
		Ref:     []float64{-1.5, -1.5, -1.5},
		KL:      []float64{0.2, 0.3, 0.1},
	}
	out := loss.TokenPairsOut{LogProb: make([]float64, 3), KL: make([]float64, 3)}
	total, err := loss.TDPO1{Beta: 0.5}.Eval(out, batch)
	fmt.Printf("%.4f %.3f %.3f %v\n", total.Sum, out.LogProb, out.KL, err)
	// Output:
	// 0.8544 [-0.287 -0.287 0.287] [-0.287 -0.287 0.287] <nil>
}

// Means in place of sums make the hinge length-normalised.
func ExampleAveraged() {
	batch := loss.TokenPairs{
		Layout:  loss.Layout{Begin: []int{0, 3, 4}, Prompt: []int{0, 0}},
		LogProb: []float64{-1, -0.5, -2, -1.5},
		Ref:     []float64{-1, -1, -2.5, -1},
	}
	out := loss.TokenPairsOut{LogProb: make([]float64, 4)}
	total, err := loss.Averaged{Loss: loss.RSO{Beta: 0.5}}.Eval(out, batch)
	fmt.Printf("%.4f %.4f %v\n", total.Sum, out.LogProb, err)
	// Output:
	// 0.5833 [-0.1667 -0.1667 -0.1667 0.5000] <nil>
}
