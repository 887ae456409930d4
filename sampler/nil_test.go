package sampler_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
)

// TestNilParts: what is missing is named where it is asked for, also in a batch of no items.
func TestNilParts(t *testing.T) {
	some := &fake{vocab: 2}
	var score sampler.ScorerFunc[int, int]
	var judge sampler.JudgeFunc[int, int]
	const mixture = "sampler: Mixture without Policy or Ref"
	for _, c := range []struct {
		name, want string
		call       func()
	}{
		{"Ancestral", "sampler: Ancestral without Decoder", func() {
			_ = sampler.NewAncestral(nil, -1, 1).Generate(ctx, &policy.Rollout{}, nil, nil, 1, policy.Key{})
		}},
		{"Mixture without Policy", mixture, func() { _, _ = sampler.Mixture{Ref: some}.Open(ctx, nil, 1) }},
		{"Mixture without Ref", mixture, func() { _, _ = sampler.Mixture{Policy: some}.Open(ctx, nil, 1) }},
		{"Mixture of nothing", mixture, func() { sampler.Mixture{}.Vocab() }},
		{"Scored", "sampler: Scored without Scorer", func() { _ = sampler.Scored[int, int]{}.Judge(ctx, nil, nil, nil, nil) }},
		{"BothOrders", "sampler: BothOrders without Inner", func() { _ = sampler.BothOrders[int, int]{}.Judge(ctx, nil, nil, nil, nil) }},
		{"BothOrders, bias", "sampler: BothOrders without Inner", func() { _, _ = sampler.BothOrders[int, int]{}.JudgeBias(ctx, nil, nil, nil, nil) }},
		{"Score", "sampler: nil Scorer", func() { _ = sampler.Score[int, int](ctx, nil, nil, nil, nil) }},
		{"Compare", "sampler: nil Judge", func() { _ = sampler.Compare[int, int](ctx, nil, nil, nil, nil, nil) }},
		{"Preferences", "sampler: nil Judge", func() { _ = sampler.Preferences[int, int](ctx, nil, nil, nil, nil, 2) }},
		{"ScorerFunc", "sampler: nil ScorerFunc", func() { _ = score.Score(ctx, nil, nil, nil) }},
		{"JudgeFunc", "sampler: nil JudgeFunc", func() { _ = judge.Judge(ctx, nil, nil, nil, nil) }},
		{"Row.Set", "sampler: Row.Set with a nil Transform", func() { _ = new(sampler.Row).Set([]float32{0, 1}, nil, sampler.Temperature(2), nil) }},
	} {
		assert.PanicsWithValue(t, c.want, c.call, c.name)
	}
}
