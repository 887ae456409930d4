package loss_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/loss"
)

// tokenGolden is one group of a file made by testdata/generate_tokens.py.
type tokenGolden struct {
	By, Kind string

	Beta, Epsilon, Alpha, Delta float64
	LambdaD                     float64 `json:"lambda_d"`
	LambdaU                     float64 `json:"lambda_u"`
	Top, Step                   int

	LogProb, Ref, Mismatch []float64
	MismatchRef            []float64 `json:"mismatch_ref"`
	Desirable              []bool
	Begin                  []int
	KL                     []float64
	SumSq                  []float64 `json:"sum_sq"`
	Logit, Label           []float64

	Loss     []float64 // nil where the peer gives the sum alone
	Sum      float64
	DLogProb []float64   `json:"d_logprob"`
	DLogit   []float64   `json:"d_logit"`
	DLogits  [][]float64 `json:"d_logits"`
	JacLP    [][]float64 `json:"jacobian_logprob"`
	JacKL    [][]float64 `json:"jacobian_kl"`
}

func tokenGoldens(t *testing.T, file string, test func(t *testing.T, g tokenGolden)) {
	text, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	var groups []tokenGolden
	require.NoError(t, json.Unmarshal(text, &groups))
	require.NotEmpty(t, groups)
	for i, g := range groups {
		t.Run(fmt.Sprint(i, " ", g.By, " ", g.Kind), func(t *testing.T) { test(t, g) })
	}
}

func (g tokenGolden) unpaired() loss.Unpaired {
	return loss.Unpaired{LogProb: g.LogProb, Ref: g.Ref, Desirable: g.Desirable,
		MismatchLogProb: g.Mismatch, MismatchRef: g.MismatchRef}
}

// An error of one unit in the last place of the margin z is one of |z| units in the tail of a
// link, and log-ratios of peers that subtract in another order are off by the rounding of
// log-probabilities of 100.
func (g tokenGolden) tolerance(i int) float64 {
	return 1e-15 * (100 + math.Abs(g.Beta*(g.LogProb[i]-g.Ref[i])))
}

func TestPointwiseGolden(t *testing.T) {
	tokenGoldens(t, "unpaired.json", func(t *testing.T, g tokenGolden) {
		objectives := map[string]loss.Pointwise{
			"kto": loss.KTO{Beta: g.Beta, Desirable: g.LambdaD, Undesirable: g.LambdaU},
			"apo": loss.APOUnpaired{Beta: g.Beta, Desirable: g.LambdaD, Undesirable: g.LambdaU},
			"bco": loss.BCOUnpaired{Beta: g.Beta, Delta: g.Delta},
		}
		require.Contains(t, objectives, g.Kind)
		out, total := evalUnpaired(t, objectives[g.Kind], g.unpaired())
		for i, want := range g.DLogProb {
			within(t, want, out.LogProb[i], g.tolerance(i), "∂", i)
		}
		for i, want := range g.Loss {
			within(t, want, out.Loss[i], g.tolerance(i), i)
		}
		if g.Sum != 0 {
			within(t, g.Sum, total.Sum, 1e-13)
		}
	})
}

// TRL adds a batch to its running mean, which it rounds to float32, before it evaluates it.
func TestRewardShiftGolden(t *testing.T) {
	var s loss.RewardShift
	seen := 0
	tokenGoldens(t, "unpaired.json", func(t *testing.T, g tokenGolden) {
		if g.By != "TRL 0.24.0 BCOTrainer" {
			return
		}
		require.Equal(t, seen, g.Step)
		seen++
		out, _ := evalUnpaired(t, loss.BCOUnpaired{Beta: g.Beta}, g.unpaired())
		require.NoError(t, s.Add(out.Reward, g.Desirable))
		delta, err := s.Delta(loss.Pooled)
		require.NoError(t, err)
		assert.InDelta(t, g.Delta, delta, 1e-7)
	})
	assert.Equal(t, 2, seen)
}

func TestAOTGolden(t *testing.T) {
	tokenGoldens(t, "aot.json", func(t *testing.T, g tokenGolden) {
		n := len(g.LogProb) / 2
		var sum float64
		var grad []float64
		if g.Kind == "aot" {
			out, total := eval(t, loss.AOT{Beta: g.Beta, LabelSmoothing: g.Epsilon}, loss.Pairs{
				Chosen: g.LogProb[:n], Rejected: g.LogProb[n:], RefChosen: g.Ref[:n], RefRejected: g.Ref[n:]})
			sum, grad = total.Sum, append(out.Chosen, out.Rejected...)
		} else {
			out, total := evalUnpaired(t, loss.AOTUnpaired{Beta: g.Beta, LabelSmoothing: g.Epsilon}, g.unpaired())
			sum, grad = total.Sum, out.LogProb
		}
		within(t, g.Sum, sum, 1e-13)
		assert.InDeltaSlice(t, g.DLogProb, grad, 1e-14)
	})
}

func TestPlackettLuceGolden(t *testing.T) {
	tokenGoldens(t, "plackettluce.json", func(t *testing.T, g tokenGolden) {
		n := len(g.Begin) - 1
		out := rankingsOut(n, len(g.LogProb))
		b := loss.Rankings{LogProb: g.LogProb, Ref: g.Ref, Begin: g.Begin}
		_, err := loss.PlackettLuceDPO{Beta: g.Beta, Top: g.Top}.Eval(out, b)
		require.NoError(t, err)
		score := make([]float64, len(g.Ref))
		for i := range score {
			score[i] = g.Beta * (g.LogProb[i] - g.Ref[i])
		}
		rewards := rankingsOut(n, len(score))
		_, err = loss.PlackettLuce{Top: g.Top}.Eval(rewards, score, g.Begin)
		require.NoError(t, err)
		for r := range n {
			lo, hi := g.Begin[r], g.Begin[r+1]
			// The sum of absolute terms of a derivative is at most the number of choices;
			// scores this far apart have a condition number of their distance.
			spread := 100 + floats.Max(score[lo:hi]) - floats.Min(score[lo:hi])
			within(t, g.Loss[r], out.Loss[r], 1e-15*spread)
			within(t, g.Loss[r], rewards.Loss[r], 1e-15*spread)
			for i := lo; i < hi; i++ {
				assert.InDelta(t, g.DLogProb[i], out.LogProb[i], 1e-16*g.Beta*spread)
				assert.InDelta(t, g.DLogProb[i], g.Beta*rewards.LogProb[i], 1e-16*g.Beta*spread)
			}
		}
	})
}

func TestTokensGolden(t *testing.T) {
	dpo := func(g tokenGolden) loss.Pairwise { return loss.DPO{Beta: g.Beta} }
	objectives := map[string]func(g tokenGolden) loss.TokenPairwise{
		"summed":   func(g tokenGolden) loss.TokenPairwise { return loss.Summed{Loss: dpo(g)} },
		"averaged": func(g tokenGolden) loss.TokenPairwise { return loss.Averaged{Loss: dpo(g)} },
		"ld":       func(g tokenGolden) loss.TokenPairwise { return loss.LDDPO{Loss: dpo(g), Alpha: g.Alpha} },
		"wpo":      func(g tokenGolden) loss.TokenPairwise { return loss.WPO{Loss: loss.Summed{Loss: dpo(g)}} },
		"tdpo1":    func(g tokenGolden) loss.TokenPairwise { return loss.TDPO1{Beta: g.Beta} },
		"tdpo2":    func(g tokenGolden) loss.TokenPairwise { return loss.TDPO2{Beta: g.Beta, Alpha: g.Alpha} },
	}
	single := map[string]tokenLoss{"nll": loss.TokenNLL{By: loss.SumTokens}, "dft": loss.DFT{By: loss.SumTokens}}
	tokenGoldens(t, "tokens.json", func(t *testing.T, g tokenGolden) {
		layout := loss.Layout{Begin: g.Begin, Prompt: make([]int, len(g.Begin)-1)}
		if l, ok := single[g.Kind]; ok {
			out := tokenOut(layout)
			total, err := l.Eval(out, layout, g.LogProb)
			require.NoError(t, err)
			within(t, g.Sum, total.Sum, 1e-14)
			assert.InDeltaSlice(t, g.DLogProb, out.LogProb, 1e-15)
			return
		}
		require.Contains(t, objectives, g.Kind)
		out, total := evalTokens(t, objectives[g.Kind](g), loss.TokenPairs{
			Layout: layout, LogProb: g.LogProb, Ref: g.Ref, KL: g.KL, SumSq: g.SumSq})
		within(t, g.Sum, total.Sum, 1e-13)
		if g.DLogits == nil {
			assert.InDeltaSlice(t, g.DLogProb, out.LogProb, 1e-14)
			return
		}
		assert.InDeltaSlice(t, g.Loss, out.Loss, 1e-14)
		for p, want := range g.DLogits {
			got := make([]float64, len(want))
			floats.AddScaled(got, out.LogProb[p], g.JacLP[p])
			floats.AddScaled(got, out.KL[p], g.JacKL[p])
			assert.InDeltaSlice(t, want, got, 1e-14)
		}
	})
}

func TestProcessRewardGolden(t *testing.T) {
	tokenGoldens(t, "process.json", func(t *testing.T, g tokenGolden) {
		b := loss.Steps{Logit: g.Logit, Label: g.Label, Begin: g.Begin}
		out := stepsOut(b)
		_, err := loss.ProcessReward{By: loss.SumTokens}.Eval(out, b)
		require.NoError(t, err)
		assert.InDeltaSlice(t, g.Loss, out.Loss, 1e-14)
		assert.InDeltaSlice(t, g.DLogit, out.Logit, 1e-15)
	})
}
