package loss_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/loss"
)

// TestNilParts: an objective without a part that it is made of says so, also on an empty batch.
func TestNilParts(t *testing.T) {
	pairs := func(l loss.Pairwise) func() { return func() { _, _ = l.Eval(loss.PairsOut{}, loss.Pairs{}) } }
	tokens := func(l loss.TokenPairwise) func() {
		return func() { _, _ = l.Eval(loss.TokenPairsOut{}, loss.TokenPairs{}) }
	}
	rollouts := func(l loss.PolicyGradient) func() {
		return func() { _, _ = l.Eval(loss.RolloutsOut{}, loss.Rollouts{}) }
	}
	const (
		contrast  = "loss: Contrast without Score or Link"
		joint     = "loss: Joint without Score or Link"
		binary    = "loss: Binary without Score or Link"
		surrogate = "loss: Surrogate without Ratio or Gain"
		detached  = "loss: Detached without Ratio or Factor"
		onTokens  = "loss: an objective on tokens without Loss"
	)
	for _, c := range []struct {
		name, want string
		call       func()
	}{
		{"Contrast, Score", contrast, pairs(loss.Contrast{Link: loss.Logistic{}, Beta: 1})},
		{"Contrast, Link", contrast, pairs(loss.Contrast{Score: loss.LogRatio{}, Beta: 1})},
		{"Contrast.Curvature", contrast, func() { _ = loss.Contrast{Link: loss.Logistic{}, Beta: 1}.Curvature(nil, loss.Pairs{}) }},
		{"Joint, Score", joint, pairs(loss.Joint{Link: loss.NCALink{}, Beta: 1})},
		{"Joint, Link", joint, pairs(loss.Joint{Score: loss.LogRatio{}, Beta: 1})},
		{"Joint.Curvature", joint, func() { _ = loss.Joint{Link: loss.NCALink{}, Beta: 1}.Curvature(loss.JointCurvature{}, loss.Pairs{}) }},
		{"Binary, Score", binary, func() { _, _ = loss.Binary{Link: loss.Logistic{}}.Eval(loss.UnpairedOut{}, loss.Unpaired{}) }},
		{"Binary, Link", binary, func() { _, _ = loss.Binary{Score: loss.LogRatio{}}.Eval(loss.UnpairedOut{}, loss.Unpaired{}) }},
		{"FDPO", "loss: FDPO without Divergence", pairs(loss.FDPO{Beta: 1})},
		{"GPO", "loss: GPO without Link", pairs(loss.GPO{Beta: 1})},
		{"MPO, empty", "loss: MPO without terms", pairs(loss.MPO{})},
		{"MPO", "loss: MPO with a term without Loss", pairs(loss.MPO{{Weight: 1}})},
		{"HyPO", "loss: HyPO without Offline", func() { _, _ = loss.HyPO{}.Eval(loss.HyPOOut{}, loss.Pairs{}, loss.Samples{}) }},
		{"Summed", onTokens, tokens(loss.Summed{})},
		{"Averaged", onTokens, tokens(loss.Averaged{})},
		{"LDDPO", onTokens, tokens(loss.LDDPO{})},
		{"WPO", "loss: WPO without Loss, or of a batch-coupled one", tokens(loss.WPO{})},
		{"Surrogate, Ratio", surrogate, rollouts(loss.Surrogate{Gain: loss.Unclipped{}, By: loss.SumTokens})},
		{"Surrogate, Gain", surrogate, rollouts(loss.Surrogate{Ratio: loss.TokenRatio{}, By: loss.SumTokens})},
		{"Detached, Ratio", detached, rollouts(loss.Detached{Factor: loss.Uniform{}, By: loss.SumTokens})},
		{"Detached, Factor", detached, rollouts(loss.Detached{Ratio: loss.TokenRatio{}, By: loss.SumTokens})},
		{"PolicyTerms, empty", "loss: PolicyTerms without terms", rollouts(loss.PolicyTerms{})},
		{"PolicyTerms", "loss: PolicyTerms with a term without Loss", rollouts(loss.PolicyTerms{{Weight: 1}})},
		{"TokenMasks", "loss: TokenMasks with a mask that is nil", func() { _, _ = loss.TokenMasks{nil}.Keep(nil, loss.Rollouts{}) }},
	} {
		assert.PanicsWithValue(t, c.want, c.call, c.name)
	}
	assert.False(t, loss.IsCoupled(loss.MPO{{}}) || loss.IsCoupled(loss.PolicyTerms{{}}) || loss.IsCoupled(loss.Summed{}), "asked before they panic")
}
