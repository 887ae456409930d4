package sampler_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/sampler"
)

// BenchmarkAncestral writes 4 replies of 40 tokens to each of 32 prompts of 60.
func BenchmarkAncestral(b *testing.B) {
	for _, size := range []struct {
		name string
		c    lm.Config
	}{
		{"small", lm.Config{Vocab: 2500, Dim: 64}},
		{"large", lm.Config{Vocab: 5000, Dim: 128}},
	} {
		b.Run(size.name, func(b *testing.B) {
			m := newModel(b, size.c)
			prompts, ids := make([][]int32, 32), make([]uint64, 32)
			for i := range prompts {
				ids[i] = uint64(i)
				prompts[i] = make([]int32, 60)
				for t := range prompts[i] {
					prompts[i][t] = int32((i*37 + t*101) % size.c.Vocab)
				}
			}
			a := sampler.NewAncestral(m, -1, 40)
			var r policy.Rollout
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, a.Generate(ctx, &r, prompts, ids, 4, policy.Key{}))
			}
			b.ReportMetric(float64(128*40*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
