package lm_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
)

// language writes sequences over vocab ids of which each is, with probability 0.9, the
// one that follows from the two before it, and else any.
func language(seed uint64, n, length, vocab int) policy.Tokens {
	g := rand.New(rand.NewPCG(seed, 0))
	var b policy.Tokens
	for range n {
		y := make([]int32, length)
		for t := range y {
			if t < 2 || g.Float64() > 0.9 {
				y[t] = int32(g.IntN(vocab))
			} else {
				y[t] = (3*y[t-1] + 5*y[t-2]) % int32(vocab)
			}
		}
		b.Append([]int32{0}, y)
	}
	return b
}

// bigramEntropy returns the entropy of a token given the one before it, from counts.
func bigramEntropy(b policy.Tokens, vocab int) float64 {
	counts := make([]float64, vocab*vocab)
	total := 0.0
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		for at := lo + 1; at < hi; at++ {
			counts[int(b.IDs[at-1])*vocab+int(b.IDs[at])]++
			total++
		}
	}
	h := 0.0
	for v := range vocab {
		row, sum := counts[v*vocab:(v+1)*vocab], 0.0
		for _, c := range row {
			sum += c
		}
		for _, c := range row {
			if c > 0 {
				h -= c / total * math.Log(c/sum)
			}
		}
	}
	return h
}

func TestLearnsMoreThanBigrams(t *testing.T) {
	const vocab = 8
	train, held := language(1, 120, 12, vocab), language(2, 100, 12, vocab)
	m, err := lm.New(lm.Config{Vocab: vocab, Dim: 6, Order: 2, Buckets: 4096, Seed: 1})
	require.NoError(t, err)
	loss := func(b policy.Tokens) float64 {
		s := policy.TokenStats{LogProb: make([]float64, len(b.IDs))}
		require.NoError(t, m.NewTokenPass().Forward(ctx, s, b))
		sum, n := 0.0, 0.0
		for i := range b.Len() {
			lo, hi := b.Reply(i)
			for _, l := range s.LogProb[lo+2 : hi] { // the first two are noise
				sum, n = sum-l, n+1
			}
		}
		return sum / n
	}
	assert.InDelta(t, math.Log(vocab), loss(held), 1e-6, "a new model is uniform")

	pass := m.NewTokenPass()
	s, w := make([]float64, len(train.IDs)), make([]float64, len(train.IDs))
	for i := range w {
		w[i] = 1 / float64(train.Len()*12)
	}
	for range 200 {
		require.NoError(t, pass.Forward(ctx, policy.TokenStats{LogProb: s}, train))
		require.NoError(t, pass.Pullback(ctx, policy.TokenStats{LogProb: w}))
		for i, g := range m.Grad() {
			m.Params()[i] += 0.6 * g
			m.Grad()[i] = 0
		}
	}
	bigram := bigramEntropy(train, vocab)
	assert.Greater(t, bigram, 1.8, "the language cannot be learned from bigrams")
	assert.Less(t, loss(held), 0.7, "0.47 is its entropy")
}
