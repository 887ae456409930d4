package sampler_test

import (
	"testing"

	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/policy/policytest"
	"github.com/prefgrad/prefgrad/sampler"
)

func TestConformance(t *testing.T) {
	m := newModel(t, lm.Config{Vocab: 5, EOS: 3, Dim: 6, Buckets: 32, Seed: 1})
	a := sampler.NewAncestral(m, 3, 4)
	for _, temperature := range []float64{1, 0.5} {
		a.Temperature = temperature
		policytest.Generator(t, a, policytest.GeneratorConfig{
			Prompts: [][]int32{{1, 2}, {}, {4}}, Vocab: 5, EOS: func(id int32) bool { return id == 3 }, MaxTokens: 4,
			Model: m, Transformed: temperature != 1,
			Tol: policytest.Tolerance{LogProb: 1e-6}, Draws: 2000,
		})
	}
}

func TestConformanceOfTransforms(t *testing.T) {
	m := newModel(t, lm.Config{Vocab: 5, EOS: 3, Dim: 6, Buckets: 32, Seed: 1})
	a := sampler.NewAncestral(m, 3, 4)
	a.Transforms = sampler.HuggingFaceOrder(sampler.TopP(0.9), sampler.Temperature(0.8), sampler.RepetitionPenalty(1.2))
	a.AtOnce = 500
	policytest.Generator(t, a, policytest.GeneratorConfig{
		Prompts: [][]int32{{1, 2}, {}, {4}}, Vocab: 5, EOS: func(id int32) bool { return id == 3 }, MaxTokens: 4,
		Model: m, Transformed: true,
		Tol: policytest.Tolerance{LogProb: 1e-6}, Draws: 1000,
	})
}
