package loss_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// A parameter outside its range is named, with the objective's own name for it.
func TestPolicyGradientParams(t *testing.T) {
	nan := math.NaN()
	sum := loss.SumTokens
	for param, ls := range map[string][]loss.PolicyGradient{
		"Reinforce.By":               {loss.Reinforce{}, loss.Reinforce{By: 9}},
		"RLOO.ClipLow":               {loss.RLOO{ClipHigh: 1}, loss.RLOO{ClipLow: nan, ClipHigh: 1}},
		"RLOO.ClipHigh":              {loss.RLOO{ClipLow: 1}},
		"PPO.ClipLow":                {loss.PPO{}, loss.PPO{ClipLow: 1.5, ClipHigh: 0.2, By: sum}, loss.PPO{ClipLow: -1, ClipHigh: 0.2, By: sum}},
		"PPO.ClipHigh":               {loss.PPO{ClipLow: 0.2, By: sum}, loss.PPO{ClipLow: 0.2, ClipHigh: nan, By: sum}},
		"PPO.Dual":                   {loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, Dual: 1, By: sum}, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, Dual: nan, By: sum}},
		"PPO.By":                     {loss.PPO{ClipLow: 0.2, ClipHigh: 0.2}},
		"GRPO.ClipLow":               {loss.GRPO{}},
		"GRPO.ClipHigh":              {loss.GRPO{ClipLow: 1}},
		"GRPO.Dual":                  {loss.GRPO{ClipLow: 1, ClipHigh: 1, Dual: -1}},
		"GRPO.Beta":                  {loss.GRPO{ClipLow: 1, ClipHigh: 1, Beta: -1}, loss.GRPO{ClipLow: 1, ClipHigh: 1, Beta: inf}},
		"DrGRPO.ClipLow":             {loss.DrGRPO{}},
		"DrGRPO.ClipHigh":            {loss.DrGRPO{ClipLow: 1}},
		"DAPO.ClipLow":               {loss.DAPO{}},
		"DAPO.ClipHigh":              {loss.DAPO{ClipLow: 1}},
		"GSPO.ClipLow":               {loss.GSPO{}},
		"GSPO.ClipHigh":              {loss.GSPO{ClipLow: 1}},
		"GSPOToken.ClipLow":          {loss.GSPOToken{}},
		"GSPOToken.ClipHigh":         {loss.GSPOToken{ClipLow: 1}},
		"LUSPO.ClipLow":              {loss.LUSPO{}},
		"LUSPO.ClipHigh":             {loss.LUSPO{ClipLow: 1}},
		"CISPO.Min":                  {loss.CISPO{Min: -1, Max: 1}, loss.CISPO{Min: inf, Max: inf}},
		"CISPO.Max":                  {loss.CISPO{}, loss.CISPO{Min: 2, Max: 1}, loss.CISPO{Max: nan}},
		"GMPO.Low":                   {loss.GMPO{}, loss.GMPO{Low: nan, High: 1}},
		"GMPO.High":                  {loss.GMPO{Low: inf}},
		"SAPO.TauPos":                {loss.SAPO{TauNeg: 1}, loss.SAPO{TauPos: inf, TauNeg: 1}},
		"SAPO.TauNeg":                {loss.SAPO{TauPos: 1}},
		"VESPO.K":                    {loss.VESPO{}},
		"VESPO.Lambda":               {loss.VESPO{K: 1, Lambda: -1}},
		"VESPO.NegativeK":            {loss.VESPO{K: 1, Lambda: 1}},
		"VESPO.NegativeLambda":       {loss.VESPO{K: 1, Lambda: 1, NegativeK: 1}},
		"KLCov.Coef":                 {loss.KLCov{Coef: -1, Share: 1, By: sum}},
		"KLCov.Share":                {loss.KLCov{By: sum}, loss.KLCov{Share: 1.5, By: sum}, loss.KLCov{Share: nan, By: sum}},
		"KLCov.By":                   {loss.KLCov{Share: 1}},
		"AStarPO.Beta":               {loss.AStarPO{}, loss.AStarPO{Beta: inf}},
		"ReverseKLTerm.Beta":         {loss.ReverseKLTerm{Beta: -1, By: sum}},
		"ReverseKLTerm.By":           {loss.ReverseKLTerm{}},
		"ForwardKLTerm.Beta":         {loss.ForwardKLTerm{Beta: nan, By: sum}},
		"ForwardKLTerm.By":           {loss.ForwardKLTerm{}},
		"EntropyBonus.Coef":          {loss.EntropyBonus{Coef: inf, By: sum}},
		"EntropyBonus.By":            {loss.EntropyBonus{}},
		"PolicyTerms.Weight":         {loss.PolicyTerms{{-1, loss.Reinforce{By: sum}}}, loss.PolicyTerms{{nan, loss.Reinforce{By: sum}}}},
		"Surrogate.By":               {loss.Surrogate{Ratio: loss.TokenRatio{}, Gain: loss.Unclipped{}}},
		"Clip.Low":                   {loss.Surrogate{Ratio: loss.TokenRatio{}, Gain: loss.Clip{}, By: sum}},
		"Clip.High":                  {loss.Surrogate{Ratio: loss.TokenRatio{}, Gain: loss.Clip{Low: 1}, By: sum}},
		"Clip.Dual":                  {loss.Surrogate{Ratio: loss.TokenRatio{}, Gain: loss.Clip{Low: 1, High: 1, Dual: 0.5}, By: sum}},
		"SoftGate.Positive":          {loss.Surrogate{Ratio: loss.SequenceRatio{}, Gain: loss.SoftGate{}, By: sum}},
		"SoftGate.Negative":          {loss.Surrogate{Ratio: loss.GeometricTokenRatio{}, Gain: loss.SoftGate{Positive: 1}, By: sum}},
		"Detached.By":                {loss.Detached{Ratio: loss.GeometricRatio{}, Factor: loss.Uniform{}}},
		"Truncated.Min":              {loss.Detached{Ratio: loss.TokenRatio{}, Factor: loss.Truncated{Min: -1}, By: sum}},
		"Truncated.Max":              {loss.Detached{Ratio: loss.TokenRatio{}, Factor: loss.Truncated{}, By: sum}},
		"Gamma.Lambda":               {loss.Detached{Ratio: loss.TokenRatio{}, Factor: loss.Gamma{K: 1}, By: sum}},
		"ClippedGeometricRatio.Low":  {loss.Surrogate{Ratio: loss.ClippedGeometricRatio{}, Gain: loss.Unclipped{}, By: sum}},
		"ClippedGeometricRatio.High": {loss.Detached{Ratio: loss.ClippedGeometricRatio{Low: 1}, Factor: loss.Uniform{}, By: sum}},
	} {
		for _, l := range ls {
			_, err := l.Eval(loss.RolloutsOut{}, randomRollouts(1, 2, 1, false, true))
			var bad *loss.ParamError
			require.ErrorAs(t, err, &bad, param)
			assert.Equal(t, param, bad.Param)
		}
	}
}

// What counts and cannot be used is named by its position; what an objective does not read may
// be anything.
func TestPolicyGradientInputErrors(t *testing.T) {
	for _, l := range policyGradients {
		clean := randomRollouts(2, 4, 0.3, true, true)
		at, _ := clean.Reply(2)
		for _, f := range []struct {
			field string
			v     func(*loss.Rollouts) []float64
			bad   []float64
			reads bool
		}{
			{"LogProb", func(b *loss.Rollouts) []float64 { return b.LogProb }, []float64{math.NaN(), inf}, true},
			{"Old", func(b *loss.Rollouts) []float64 { return b.Old }, []float64{math.NaN(), inf, -inf}, true},
			{"Advantage", func(b *loss.Rollouts) []float64 { return b.Advantage }, []float64{math.NaN(), inf, -inf}, l.readsAdvantage()},
			{"Weight", func(b *loss.Rollouts) []float64 { return b.Weight }, []float64{math.NaN(), inf, -1}, l.readsAdvantage()},
			{"Entropy", func(b *loss.Rollouts) []float64 { return b.Entropy }, []float64{math.NaN(), inf, -inf}, true},
			{"Ref", func(b *loss.Rollouts) []float64 { return b.Ref }, []float64{math.NaN(), inf}, l.readsRef()},
		} {
			for _, bad := range f.bad {
				b := randomRollouts(2, 4, 0.3, true, true)
				f.v(&b)[at] = bad
				_, err := l.Eval(rolloutsOut(b), b)
				if f.reads {
					inputError(t, err, f.field, at, bad)
				} else {
					assert.NoError(t, err, "%s reads %s", l.name, f.field)
				}
			}
		}
	}
}

func (l onRollouts) readsAdvantage() bool {
	switch l.PolicyGradient.(type) {
	case loss.EntropyBonus, loss.ReverseKLTerm, loss.ForwardKLTerm:
		return false
	}
	return true
}

func (l onRollouts) readsRef() bool {
	switch l := l.PolicyGradient.(type) {
	case loss.ReverseKLTerm, loss.ForwardKLTerm, loss.PolicyTerms, loss.AStarPO:
		return true
	case loss.GRPO:
		return l.Beta != 0
	}
	return false
}

func TestPolicyGradientMisusePanics(t *testing.T) {
	b := randomRollouts(1, 3, 0.3, false, true)
	dapo := loss.DAPO{ClipLow: 0.2, ClipHigh: 0.28}
	lengths := "loss: slices of different lengths"
	for name, c := range map[string]struct {
		want   string
		l      loss.PolicyGradient
		change func(*loss.Rollouts, *loss.RolloutsOut)
	}{
		"old":           {lengths, dapo, func(b *loss.Rollouts, _ *loss.RolloutsOut) { b.Old = b.Old[:3] }},
		"unused":        {lengths, dapo, func(b *loss.Rollouts, _ *loss.RolloutsOut) { b.Behaviour = b.Old[:3] }},
		"truncated":     {lengths, dapo, func(b *loss.Rollouts, _ *loss.RolloutsOut) { b.Truncated = b.Truncated[:1] }},
		"mask":          {lengths, dapo, func(b *loss.Rollouts, _ *loss.RolloutsOut) { b.Mask = make([]bool, 2) }},
		"out":           {lengths, dapo, func(_ *loss.Rollouts, o *loss.RolloutsOut) { o.LogProb = o.LogProb[:2] }},
		"out per reply": {lengths, dapo, func(_ *loss.Rollouts, o *loss.RolloutsOut) { o.Loss = o.Loss[:2] }},
		"advantage": {"loss: Rollouts without Advantage, which the objective uses", dapo,
			func(b *loss.Rollouts, _ *loss.RolloutsOut) { b.Advantage = nil }},
		"advantage of the coupled": {"loss: Rollouts without Advantage, which the objective uses", loss.KLCov{Share: 1, By: loss.SumTokens},
			func(b *loss.Rollouts, _ *loss.RolloutsOut) { b.Advantage = nil }},
		"ref": {"loss: Rollouts without Ref or Entropy, which the objective uses", loss.GRPO{ClipLow: 1, ClipHigh: 1, Beta: 1},
			func(b *loss.Rollouts, _ *loss.RolloutsOut) { b.Ref = nil }},
		"entropy": {"loss: Rollouts without Ref or Entropy, which the objective uses", loss.EntropyBonus{By: loss.SumTokens},
			func(b *loss.Rollouts, _ *loss.RolloutsOut) { b.Entropy = nil }},
		"no parts":   {"loss: Surrogate without Ratio or Gain", loss.Surrogate{}, func(*loss.Rollouts, *loss.RolloutsOut) {}},
		"no factor":  {"loss: Detached without Ratio or Factor", loss.Detached{Ratio: loss.TokenRatio{}}, func(*loss.Rollouts, *loss.RolloutsOut) {}},
		"no terms":   {"loss: PolicyTerms without terms", loss.PolicyTerms{}, func(*loss.Rollouts, *loss.RolloutsOut) {}},
		"empty term": {"loss: PolicyTerms with a term without Loss", loss.PolicyTerms{{1, nil}}, func(*loss.Rollouts, *loss.RolloutsOut) {}},
	} {
		c1, out := b, rolloutsOut(b)
		c.change(&c1, &out)
		assert.PanicsWithValue(t, c.want, func() { c.l.Eval(out, c1) }, name)
	}
	// An empty batch is one.
	for _, l := range policyGradients {
		total, err := l.Eval(loss.RolloutsOut{}, loss.Rollouts{})
		assert.NoError(t, err, l.name)
		assert.Equal(t, loss.RolloutsTotal{}, total, l.name)
	}
}

func TestPolicyGradientAllocatesNothing(t *testing.T) {
	for _, masked := range []bool{false, true} {
		b := randomRollouts(1, 50, 0.3, masked, true)
		out := rolloutsOut(b)
		for _, l := range append(policyGradients, onRollouts{name: "A*-PO", PolicyGradient: loss.AStarPO{Beta: 1}}) {
			allocatesNothing(t, func() { l.Eval(out, b) }, l.name)
		}
		dst := make([]bool, len(b.LogProb))
		weights := make([]float64, len(dst))
		g := rand.New(rand.NewPCG(1, 2))
		for _, m := range tokenMasks {
			allocatesNothing(t, func() { m.Keep(dst, b) }, m)
		}
		allocatesNothing(t, func() { loss.ZeroWeights(weights, b.Weight, dst) })
		allocatesNothing(t, func() {
			loss.ClipCov{ClipLow: 0.2, ClipHigh: 0.2, Max: 9, Share: 0.1}.Weights(weights, b, g)
		})
		v := loss.Values{Layout: b.Layout, Value: b.LogProb, Old: b.Old, Return: b.Ref}
		vout := loss.ValuesOut{Loss: out.Loss, Value: out.LogProb}
		allocatesNothing(t, func() { loss.ValueLoss{Clip: 0.2, By: loss.SumTokens}.Eval(vout, v) })
	}
}

// Nil destinations are not wanted, and do not change the others.
func TestPolicyGradientNilDestinations(t *testing.T) {
	b := randomRollouts(5, 7, 0.4, true, true)
	for _, l := range policyGradients {
		all, total := evalRollouts(t, l, b)
		got, err := l.Eval(loss.RolloutsOut{}, b)
		require.NoError(t, err)
		assert.Equal(t, total, got, l.name)
		only := loss.RolloutsOut{LogProb: make([]float64, len(b.LogProb))}
		for i := range only.LogProb {
			only.LogProb[i] = 7 // what was there does not matter
		}
		_, err = l.Eval(only, b)
		require.NoError(t, err)
		bits(t, all.LogProb, only.LogProb, l.name)
	}
}

// Finite input gives no NaN, or an error.
func FuzzPolicyGradient(f *testing.F) {
	f.Add(-1.0, -2.0, -3.0, -2.5, 1.0, -1.0, 0.5)
	f.Add(-1e5, -9e4, -1e-300, -1e5, -1e9, 0.0, 0.0)
	f.Add(-1250.0, -9e4, 0.5, -11111.1, -1e8, -68.0, -65.0) // derivatives of both signs that are infinite
	f.Add(1e300, -1e300, 0.0, -700.0, 1e-300, 1e300, 1e300)
	f.Fuzz(func(t *testing.T, a, b, c, old, adv, other, weight float64) {
		for _, v := range []float64{a, b, c, old, adv, other, weight} {
			if !(math.Abs(v) <= 1e300) {
				t.Skip()
			}
		}
		batch := loss.Rollouts{
			Layout:  loss.Layout{Begin: []int{0, 2, 4}, Prompt: []int{0, 1}},
			LogProb: []float64{a, b, math.NaN(), c}, Old: []float64{old, b, math.NaN(), a}, Ref: []float64{c, old, math.NaN(), b},
			Advantage: []float64{adv, other, math.NaN(), -adv}, Weight: []float64{math.Abs(weight), 1, math.NaN(), 0}, Entropy: []float64{1, 0, math.NaN(), 2},
		}
		for _, l := range policyGradients {
			out := rolloutsOut(batch)
			total, err := l.Eval(out, batch)
			var input *loss.InputError
			if err != nil {
				if !errors.As(err, &input) {
					t.Fatal(l.name, err)
				}
				continue
			}
			if isNaN(total.Sum) || isNaN(out.Loss...) || isNaN(out.LogProb...) || isNaN(out.Entropy...) {
				t.Fatal(l.name, total, out)
			}
			if out.LogProb[2] != 0 {
				t.Fatal(l.name, "prompt", out)
			}
		}
	})
}
