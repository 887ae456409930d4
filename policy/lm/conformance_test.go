package lm_test

import (
	"testing"

	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/policy/policytest"
)

// The central differences of the suite are those of float32 logits, hence its
// tolerances; TestPullbackAgainstDifferences has none of that noise.
func TestConformance(t *testing.T) {
	m := newModel(t, lm.Config{Vocab: 11, EOS: 3, Dim: 6, Buckets: 32, Seed: 1})
	ref := newModel(t, lm.Config{Vocab: 11, EOS: 3, Dim: 4, Order: 2, Buckets: 8, Seed: 2}).Freeze()
	tol := policytest.Tolerance{LogProb: 1e-6, Grad: 1e-3, Step: 1e-2}
	prompts := [][]int32{{1, 2, 3}, {}, {10, 10}, {4}}
	policytest.TokenPolicy(t, m.Against(ref), policytest.TokenConfig{
		Prompts: prompts, Replies: [][]int32{{5, 3}, {0, 1, 2, 3, 4}, {7, 7, 7}, {9, 8}},
		Vocab: 11, Ref: ref, Params: policytest.HostParams(m), Tol: tol,
	})
	policytest.Decoder(t, m, policytest.DecoderConfig{Prompts: prompts, Model: m, Tol: tol})
	policytest.Decoder(t, ref, policytest.DecoderConfig{Prompts: prompts, Model: ref, Tol: tol})
}
