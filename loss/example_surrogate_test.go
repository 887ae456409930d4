package loss_test

import (
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
)

// What the ratios make of a reply of two tokens, the first of which π has made twice as likely,
// the second half as likely: log ρ of each token.
func ExampleRatio() {
	diff, advantage := []float64{0.693, -0.693}, []float64{1, 1}
	for _, r := range []loss.Ratio{
		loss.TokenRatio{}, loss.SequenceRatio{}, loss.GeometricRatio{}, loss.GeometricTokenRatio{},
		loss.ClippedGeometricRatio{Low: 0.4, High: 0.4},
	} {
		logRatio := make([]float64, 2)
		clips := r.LogRatios(logRatio, diff, advantage)
		slope := []float64{1, 0} // of a loss that has the first token's ratio alone
		r.Pullback(slope, diff, advantage)
		fmt.Printf("%T: %.3f, slopes %.1f, %d beyond a bound\n", r, logRatio, slope, clips.High)
	}
	// Output:
	// loss.TokenRatio: [0.693 -0.693], slopes [1.0 0.0], 0 beyond a bound
	// loss.SequenceRatio: [0.000 0.000], slopes [1.0 1.0], 0 beyond a bound
	// loss.GeometricRatio: [0.000 0.000], slopes [0.5 0.5], 0 beyond a bound
	// loss.GeometricTokenRatio: [0.000 0.000], slopes [1.0 0.0], 0 beyond a bound
	// loss.ClippedGeometricRatio: [-0.146 -0.146], slopes [0.0 0.5], 1 beyond a bound
}

// Losses and slopes in log ρ of two tokens with ρ = 2, one good and one bad.
func ExampleGain() {
	t := loss.ReplyTokens{Ratio: []float64{2, 2}, LogRatio: []float64{0.693, 0.693}, LogProb: []float64{-1, -1}, Advantage: []float64{1, -1}}
	for _, g := range []loss.Gain{loss.Unclipped{}, loss.Clip{Low: 0.2, High: 0.2}, loss.Clip{Low: 0.2, High: 0.2, Dual: 1.5}, loss.SoftGate{Positive: 1, Negative: 1.05}} {
		value, slope := make([]float64, 2), make([]float64, 2)
		g.Losses(value, slope, t)
		fmt.Printf("%T: %.2f, slopes %.2f\n", g, value, slope)
	}
	// Output:
	// loss.Unclipped: [-2.00 2.00], slopes [-2.00 2.00]
	// loss.Clip: [-1.20 2.00], slopes [0.00 2.00]
	// loss.Clip: [-1.20 1.50], slopes [0.00 0.00]
	// loss.SoftGate: [-2.92 2.82], slopes [-1.57 1.54]
}

// Factors of tokens that π has made half and three times as likely.
func ExampleFactor() {
	t := loss.ReplyTokens{Ratio: []float64{0.5, 3}, LogRatio: []float64{-0.693, 1.099}, LogProb: []float64{-1, -1}, Advantage: []float64{1, 1}}
	for _, f := range []loss.Factor{loss.Uniform{}, loss.Truncated{Max: 2}, loss.Gamma{K: 2, Lambda: 3, NegativeK: 3, NegativeLambda: 2}} {
		factor := make([]float64, 2)
		f.Factors(factor, t)
		fmt.Printf("%T: %.3f\n", f, factor)
	}
	// Output:
	// loss.Uniform: [1.000 1.000]
	// loss.Truncated: [0.500 2.000]
	// loss.Gamma: [1.121 0.022]
}
