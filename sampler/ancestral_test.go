package sampler_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/sampler"
)

var ctx = context.Background()

func newModel(t testing.TB, vocab int) *lm.Model {
	t.Helper()
	m, err := lm.New(lm.Config{Vocab: vocab, EOS: 0, Dim: 4, Buckets: 64, Seed: 1})
	require.NoError(t, err)
	for i := range m.Params() {
		m.Params()[i] += float64(i*7919%13-6) / 12
	}
	return m
}

// A reply's log-probabilities are the model's own, by its own scoring.
func TestLogProbsAreTheModels(t *testing.T) {
	m := newModel(t, 6)
	a := sampler.NewAncestral(m, 0, 8)
	a.Temperature = 0.7
	var r policy.Rollout
	prompts := [][]int32{{1, 2}, {}, {5, 5, 5}}
	require.NoError(t, a.Generate(ctx, &r, prompts, []uint64{10, 11, 12}, 5, policy.Key{Seed: 3}))
	require.Equal(t, 15, r.Tokens.Len())
	got := make([]float64, len(r.Tokens.IDs))
	require.NoError(t, m.NewTokenPass().Forward(ctx, policy.TokenStats{LogProb: got}, r.Tokens))
	assert.InDeltaSlice(t, got, r.Model, 1e-12)
}
