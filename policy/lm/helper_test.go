package lm_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
)

var ctx = context.Background()

// newModel returns a model with random parameters everywhere.
func newModel(t testing.TB, c lm.Config) *lm.Model {
	t.Helper()
	m, err := lm.New(c)
	require.NoError(t, err)
	g := rand.New(rand.NewPCG(c.Seed, 99))
	for i := range m.Params() {
		m.Params()[i] = 0.5 * g.NormFloat64()
	}
	return m
}

// randomTokens returns n sequences with prompts of up to 5 tokens and replies of 1 to
// longest tokens.
func randomTokens(seed uint64, n, vocab, longest int) policy.Tokens {
	g := rand.New(rand.NewPCG(seed, 7))
	ids := func(n int) []int32 {
		s := make([]int32, n)
		for i := range s {
			s[i] = int32(g.IntN(vocab))
		}
		return s
	}
	var b policy.Tokens
	for range n {
		b.Append(ids(g.IntN(6)), ids(1+g.IntN(longest)))
	}
	return b
}

// configs are models of several shapes, tiny enough for an oracle.
func configs() map[string]lm.Config {
	return map[string]lm.Config{
		"plain":        {Vocab: 11, Dim: 5, Order: 3, Buckets: 17, Seed: 1},
		"unigram":      {Vocab: 7, Dim: 3, Order: 1, Seed: 2},
		"no prompt":    {Vocab: 11, Dim: 4, Order: 2, Buckets: 13, NoPrompt: true, Seed: 3},
		"longest":      {Vocab: 5, Dim: 2, Order: 8, Buckets: 1, Seed: 4},
		"wide":         {Vocab: 400, Dim: 70, Order: 2, Buckets: 50, Seed: 5},
		"two of a lot": {Vocab: 2, Dim: 200, Order: 2, Buckets: 50, Seed: 6},
	}
}
