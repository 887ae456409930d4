package logits_test

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy/logits"
)

// Goroutines that share the rows change no bit, and no error.
func TestWorkers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	g := rand.New(rand.NewPCG(11, 0))
	const n, vocab = 24, 77
	b := logits.Batch{
		Logits: randomRows(g, n, vocab, 1), Ref: randomRows(g, n, vocab, 0), Labels: randomLabels(g, n, vocab),
		Temperature: 0.9, Lengths: []int{8, 3, 0},
	}
	w := allStats(n)
	for i := range n {
		w.LogProb[i], w.Entropy[i], w.SumSq[i], w.KL[i], w.ReverseKL[i], w.LogZ[i] = float64(i%3), 1, 0, -1, 2, 0
	}
	want, dz := allStats(n), randomRows(g, n, vocab, 0)
	require.NoError(t, logits.Gradient(dz, want, w, b))
	for _, workers := range []int{-1, 1, 2, 100} {
		b.Workers = workers
		forward, backward, got := allStats(n), allStats(n), randomRows(g, n, vocab, 0)
		require.NoError(t, logits.Forward(forward, b))
		require.NoError(t, logits.Gradient(got, backward, w, b))
		assert.Equal(t, want, forward)
		assert.Equal(t, want, backward)
		assert.Equal(t, dz, got)
	}
	b.Workers = 4
	b.Logits.Row(2)[5], b.Logits.Row(9)[1], b.Logits.Row(20)[0] = nan32, nan32, nan32
	for range 20 {
		assert.EqualError(t, logits.Forward(allStats(n), b), "logits: row 2: logit 5 is NaN")
		assert.EqualError(t, logits.Gradient(dz, logits.Stats{}, w, b), "logits: row 2: logit 5 is NaN")
	}
}
