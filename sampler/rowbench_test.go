package sampler_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/sampler"
)

// BenchmarkRow makes a distribution of a row of logits and draws from it.
func BenchmarkRow(b *testing.B) {
	for _, vocab := range []int{32000, 128256} {
		g := rand.New(rand.NewPCG(1, 0))
		z := make([]float32, vocab)
		for v := range z {
			z[v] = float32(3 * g.NormFloat64())
		}
		history := make([]int32, 1000)
		for i := range history {
			history[i] = int32(g.IntN(vocab))
		}
		src, k := rand.NewPCG(2, 0), make([]sampler.Token, 8)
		draw := func(r *sampler.Row) error { r.Draw(src); return nil }
		for _, c := range []struct {
			name string
			ts   []sampler.Transform
			draw func(r *sampler.Row) error
		}{
			{"model", nil, draw},
			{"plain", []sampler.Transform{sampler.Temperature(0.7)}, draw},
			{"topk", []sampler.Transform{sampler.Temperature(0.7), sampler.TopK(50)}, draw},
			{"topp", []sampler.Transform{sampler.Temperature(0.7), sampler.TopP(0.9)}, draw},
			{"minp", []sampler.Transform{sampler.Temperature(0.7), sampler.MinP(0.05)}, draw},
			{"typical", []sampler.Transform{sampler.Typical(0.9)}, draw},
			{"penalty", []sampler.Transform{sampler.RepetitionPenalty(1.1)}, draw},
			{"all", sampler.HuggingFaceOrder(sampler.RepetitionPenalty(1.1), sampler.Temperature(0.7), sampler.TopK(50),
				sampler.TopP(0.9), sampler.MinP(0.05), sampler.Typical(0.9)), draw},
			{"gumbelmax", nil, func(r *sampler.Row) error { r.GumbelMax(src); return nil }},
			{"gumbeltopk8", nil, func(r *sampler.Row) error { _, err := r.GumbelTopK(k, src); return err }},
			{"stratified8", nil, func(r *sampler.Row) error { r.Stratified(k, src); return nil }},
		} {
			b.Run(fmt.Sprintf("%s/V=%d", c.name, vocab), func(b *testing.B) {
				var r sampler.Row
				require.NoError(b, r.Set(z, history, c.ts...)) // takes the memory
				require.NoError(b, c.draw(&r))
				b.ReportAllocs()
				b.SetBytes(int64(4 * vocab))
				for b.Loop() {
					if err := r.Set(z, history, c.ts...); err != nil {
						b.Fatal(err)
					}
					if err := c.draw(&r); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(vocab), "ns/entry")
			})
		}
	}
}
