package loss_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// rolloutGolden is one group of rollouts.json, made by testdata/generate_rollouts.py.
type rolloutGolden struct {
	By, Kind string
	Params   map[string]float64

	Begin                        []int
	Mask                         []bool
	LogProb, Old, Ref, Advantage []float64 // a value, its old one and the return in the first three
	Weight, Entropy, Behaviour   []float64

	Sum      float64
	Gradient []float64
}

func (g rolloutGolden) by() loss.Aggregation {
	if g.Params["mean"] != 0 {
		return loss.MeanTokens
	}
	return loss.SumTokens
}

// objective is the one that a group is of. What weighs or masks tokens does so to b.
func (g rolloutGolden) objective(t *testing.T, b *loss.Rollouts) loss.PolicyGradient {
	p := g.Params
	low, high := p["low"], p["high"]
	dapo := loss.DAPO{ClipLow: low, ClipHigh: high}
	zero := func(m loss.TokenMask) {
		keep := make([]bool, len(b.LogProb))
		dropped, err := m.Keep(keep, *b)
		require.NoError(t, err)
		assert.Positive(t, dropped)
		w := make([]float64, len(keep))
		loss.ZeroWeights(w, b.Weight, keep)
		b.Weight = w
	}
	corrected := func() { // the weights of the two methods that mask by ratio
		b.Weight = make([]float64, len(b.Old))
		for i := range b.Weight {
			b.Weight[i] = math.Exp(b.Old[i] - b.Behaviour[i])
		}
	}
	switch g.Kind {
	case "reinforce":
		return loss.Reinforce{By: g.by()}
	case "rloo":
		return loss.RLOO{ClipLow: low, ClipHigh: high}
	case "ppo":
		return loss.PPO{ClipLow: low, ClipHigh: high, Dual: p["dual"], By: g.by()}
	case "grpo":
		return loss.GRPO{ClipLow: low, ClipHigh: high, Dual: p["dual"], Beta: p["beta"], WeightKL: p["weight_kl"] != 0}
	case "drgrpo":
		return loss.DrGRPO{ClipLow: low, ClipHigh: high}
	case "dapo":
		return dapo
	case "gspo":
		return loss.GSPO{ClipLow: low, ClipHigh: high}
	case "gspotoken":
		return loss.GSPOToken{ClipLow: low, ClipHigh: high}
	case "luspo":
		return loss.LUSPO{ClipLow: low, ClipHigh: high}
	case "cispo":
		return loss.CISPO{Min: p["min"], Max: p["max"]}
	case "gmpo":
		return loss.GMPO{Low: low, High: high}
	case "sapo":
		return loss.SAPO{TauPos: p["tau_pos"], TauNeg: p["tau_neg"]}
	case "vespo":
		return loss.VESPO{K: p["k"], Lambda: p["lambda"], NegativeK: p["negative_k"], NegativeLambda: p["negative_lambda"]}
	case "klcov":
		return loss.KLCov{Coef: p["coef"], Share: p["share"], By: loss.SumTokens}
	case "clipcov": // with a share of 1 nothing is left to chance
		w := make([]float64, len(b.LogProb))
		drawn, err := loss.ClipCov{ClipLow: low, ClipHigh: high, Min: p["lb"], Max: p["ub"], Share: p["share"]}.
			Weights(w, *b, rand.New(rand.NewPCG(1, 1)))
		require.NoError(t, err)
		b.Weight = w
		assert.Positive(t, drawn)
		return dapo
	case "topentropy":
		zero(loss.TopEntropy{Share: p["share"]})
		return dapo
	case "offpolicy":
		zero(loss.OffPolicySequences{Delta: p["delta"]})
		return dapo
	case "icepop":
		corrected()
		zero(loss.IcePop{Min: p["min"], Max: p["max"]})
		return dapo
	case "geometricmask":
		corrected()
		zero(loss.GeometricMask{Min: p["min"], Max: p["max"]})
		return dapo
	case "astarpo":
		return loss.AStarPO{Beta: p["beta"]}
	}
	require.Fail(t, "unknown kind", g.Kind)
	return nil
}

// tolerance is that of sums of some terms of order 1. verl and OpenRLHF add 1e-8 to the number
// of tokens of a mean.
func (g rolloutGolden) tolerance() float64 {
	switch {
	case g.By == "OpenRLHF ppo", g.By == "OpenRLHF gspo", g.By == "verl sapo ", g.By == "verl geo_mean ",
		g.By == "verl vanilla seq-mean-token-mean", g.By == "verl gspo seq-mean-token-mean":
		return 3e-8
	}
	return 1e-13
}

func TestPolicyGradientGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/rollouts.json")
	require.NoError(t, err)
	var groups []rolloutGolden
	require.NoError(t, json.Unmarshal(text, &groups))
	kinds := map[string]int{}
	for _, g := range groups {
		t.Run(g.By, func(t *testing.T) {
			kinds[g.Kind]++
			layout := loss.Layout{Begin: g.Begin, Prompt: make([]int, len(g.Begin)-1), Mask: g.Mask}
			if g.Kind == "value" {
				b := loss.Values{Layout: layout, Value: g.LogProb, Old: g.Old, Return: g.Ref}
				out, total := evalValues(t, loss.ValueLoss{Clip: g.Params["clip"], By: loss.SumTokens}, b)
				assert.InDelta(t, g.Sum, total.Sum, 1e-13)
				assert.InDeltaSlice(t, g.Gradient, out.Value, 1e-14)
				return
			}
			b := loss.Rollouts{Layout: layout, LogProb: g.LogProb, Old: g.Old, Ref: g.Ref, Advantage: g.Advantage, Weight: g.Weight,
				Entropy: g.Entropy, Behaviour: g.Behaviour}
			l := g.objective(t, &b)
			out, total := evalRollouts(t, l, b)
			assert.InDelta(t, g.Sum, total.Sum, g.tolerance()*10)
			assert.InDeltaSlice(t, g.Gradient, out.LogProb, g.tolerance())
		})
	}
	assert.Len(t, kinds, 21, "every kind is there")
}

func evalValues(t testing.TB, l loss.ValueLoss, b loss.Values) (loss.ValuesOut, loss.ValuesTotal) {
	t.Helper()
	out := loss.ValuesOut{Loss: slices.Repeat([]float64{7}, b.Len()), Value: make([]float64, len(b.Value))}
	total, err := l.Eval(out, b)
	require.NoError(t, err)
	return out, total
}
