package rloo_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/rloo"
)

// peers holds what verl and TRL compute, by testdata/generate_peers.py.
type peers struct {
	Sequences []struct {
		Begin                         []int
		Reward, Length, Greedy, Other []float64

		RLOO, GRPO, OPO, GPG, ReMax, Best, Baseline, Whitened, GDPO []float64

		DrGRPO []float64 `json:"dr_grpo"`
	}
	Tokens []struct {
		Begin         []int
		Mask          []bool
		Gamma, Lam    float64
		Reward, Value []float64

		GAE, Returns, Plus, ToGo []float64

		TRLWhitened []float64 `json:"trl_whitened"`
	}
}

func readPeers(t *testing.T) (p peers) {
	text, err := os.ReadFile("testdata/peers.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &p))
	require.NotEmpty(t, p.Sequences)
	require.NotEmpty(t, p.Tokens)
	return p
}

// Whitening there divides by the count plus 10⁻⁸, GDPO is in float32.
const counted, single = 1e-7, 1e-5

func TestPeersSequences(t *testing.T) {
	for i, c := range readPeers(t).Sequences {
		g := rloo.Groups{Begin: c.Begin}
		sizes := make([]float64, len(c.Reward)) // of each sample's group
		for j := range g.Len(len(c.Reward)) {
			lo, hi := g.Group(j)
			floats.AddConst(float64(hi-lo), sizes[lo:hi])
		}
		best := append([]float64(nil), c.Best...)
		floats.Mul(best, sizes)
		inside := rloo.Std{Epsilon: 1e-8, Inside: true}
		for name, p := range map[string]struct {
			advantage rloo.Advantage
			want      []float64
			tolerance float64
		}{
			"RLOO":                 {rloo.RLOO{}, c.RLOO, 1e-13},
			"GRPO":                 {rloo.Standardised{Std: rloo.Std{Epsilon: 1e-6}}, c.GRPO, 1e-13},
			"Dr. GRPO":             {rloo.GroupMean{}, c.DrGRPO, 1e-13},
			"OPO":                  {rloo.OPO{Length: c.Length}, c.OPO, 1e-13},
			"ReMax":                {rloo.ReMax{Baseline: c.Greedy}, c.ReMax, 1e-13},
			"pass@k":               {rloo.PassAtK{}, best, 1e-12},
			"REINFORCE++":          {rloo.Whitened{Std: inside}, c.Whitened, counted},
			"REINFORCE++-baseline": {rloo.Whitened{Of: rloo.GroupMean{}, Std: inside}, c.Baseline, counted},
			"GPG":                  {rloo.GPG{}, c.GPG, 1e-13},
		} {
			dst := make([]float64, len(c.Reward))
			_, err := p.advantage.Eval(dst, c.Reward, g)
			require.NoError(t, err)
			assert.InDeltaSlice(t, p.want, dst, p.tolerance, "%s, case %d", name, i)
		}

		dst := make([]float64, len(c.Reward))
		gdpo := rloo.GDPO{Std: rloo.Std{Epsilon: 1e-6}, Weight: []float64{1, 0.5}}
		_, err := gdpo.Eval(dst, [][]float64{c.Reward, c.Other}, g)
		require.NoError(t, err)
		_, err = rloo.Whitened{Std: inside}.Eval(dst, dst, g)
		require.NoError(t, err)
		assert.InDeltaSlice(t, c.GDPO, dst, single, "GDPO, case %d", i)
	}
}

func TestPeersTokens(t *testing.T) {
	for i, c := range readPeers(t).Tokens {
		l := rloo.Layout{Begin: c.Begin, Mask: c.Mask}
		n := len(c.Reward)
		a, r := make([]float64, n), make([]float64, n)
		gae := rloo.GAE{Gamma: c.Gamma, Lambda: c.Lam}
		require.NoError(t, gae.Eval(rloo.TokenAdvantages{Advantage: a, Return: r},
			rloo.Trajectories{Layout: l, Reward: c.Reward, Value: c.Value}))
		assert.InDeltaSlice(t, c.Returns, r, 1e-13, "case %d", i)
		inside := rloo.Std{Epsilon: 1e-8, Inside: true}
		require.NoError(t, rloo.WhitenTokens(a, a, l, inside))
		assert.InDeltaSlice(t, c.GAE, a, counted, "case %d", i)

		togo := rloo.RewardToGo{Gamma: c.Gamma}
		require.NoError(t, togo.Eval(a, c.Reward, l))
		assert.InDeltaSlice(t, c.ToGo, a, 1e-13, "case %d", i)
		plus := rloo.ReinforcePlusPlus{RewardToGo: togo, Std: inside}
		require.NoError(t, plus.Eval(a, c.Reward, l))
		assert.InDeltaSlice(t, c.Plus, a, counted, "case %d", i)

		require.NoError(t, rloo.WhitenTokens(a, c.Reward, l, inside))
		assert.InDeltaSlice(t, c.TRLWhitened, a, counted, "case %d", i)
	}
}
