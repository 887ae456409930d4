package lm_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
)

// BenchmarkModel measures a step of 128 replies of 40 tokens to prompts of 60.
func BenchmarkModel(b *testing.B) {
	for _, size := range []struct {
		name string
		c    lm.Config
	}{
		{"small", lm.Config{Vocab: 2500, Dim: 64}},
		{"large", lm.Config{Vocab: 5000, Dim: 128, Buckets: 1 << 15}},
	} {
		m := newModel(b, size.c)
		ref := m.Freeze()
		g := rand.New(rand.NewPCG(1, 0))
		ids := func(n int) []int32 {
			s := make([]int32, n)
			for i := range s {
				s[i] = int32(g.IntN(size.c.Vocab))
			}
			return s
		}
		var batch policy.Tokens
		var prompts [][]int32
		for range 32 {
			x := ids(60)
			prompts = append(prompts, x)
			for range 4 {
				batch.Append(x, ids(40))
			}
		}
		const replies = 128 * 40
		run := func(name string, f func()) {
			b.Run(name+"/"+size.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/(replies*float64(b.N)), "ns/token")
			})
		}
		all := newStats(len(batch.IDs))
		logp := policy.TokenStats{LogProb: all.LogProb}
		score, train, against := m.NewTokenPass(), m.NewTokenPass(), m.Against(ref).NewTokenPass()
		run("logprob", func() { require.NoError(b, score.Forward(ctx, logp, batch)) })
		run("logprob+pullback", func() {
			require.NoError(b, train.Forward(ctx, logp, batch))
			require.NoError(b, train.Pullback(ctx, logp))
		})
		run("all", func() { require.NoError(b, against.Forward(ctx, all, batch)) })
		run("all+pullback", func() {
			require.NoError(b, against.Forward(ctx, all, batch))
			require.NoError(b, against.Pullback(ctx, all))
		})
		run("decode", func() {
			d, err := m.Open(ctx, prompts, 4)
			require.NoError(b, err)
			z := make([]float32, 128*size.c.Vocab)
			rows, next := make([]int, 128), make([]int32, 128)
			for i := range rows {
				rows[i] = i
			}
			for range 40 {
				require.NoError(b, d.Logits(ctx, z, rows))
				require.NoError(b, d.Append(ctx, rows, next))
			}
		})
	}
}
