package logits_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/prefgrad/prefgrad/policy/logits"
)

func BenchmarkLogits(b *testing.B) {
	for _, vocab := range []int{2500, 32000, 128256} {
		g := rand.New(rand.NewPCG(9, 0))
		n := 1 << 20 / vocab
		in := logits.Batch{Logits: randomRows(g, n, vocab, 0), Ref: randomRows(g, n, vocab, 0), Labels: randomLabels(g, n, vocab), Temperature: 1}
		dz, dst, all := randomRows(g, n, vocab, 0), allStats(n), weightsOf([6]float64{1, 1, 1, 1, 1, 1}, n)
		if err := logits.Forward(dst, in); err != nil {
			b.Fatal(err)
		}
		run := func(name string, f func() error) {
			b.Run(fmt.Sprintf("%s/V=%d", name, vocab), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(4 * n * vocab))
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*vocab), "ns/element")
			})
		}
		run("logprob", func() error { return logits.Forward(logits.Stats{LogProb: dst.LogProb}, in) })
		run("entropy", func() error { return logits.Forward(logits.Stats{Entropy: dst.Entropy}, in) })
		run("all", func() error { return logits.Forward(dst, in) })
		run("logprob+gradient", func() error {
			return logits.Gradient(dz, logits.Stats{LogProb: dst.LogProb}, logits.Stats{LogProb: all.LogProb}, in)
		})
		run("gradient after logprob", func() error {
			in := in
			in.LogZ = dst.LogZ
			return logits.Gradient(dz, logits.Stats{}, logits.Stats{LogProb: all.LogProb}, in)
		})
		run("logprob+gradient in place", func() error { // of what the last one left
			return logits.Gradient(dz, logits.Stats{LogProb: dst.LogProb}, logits.Stats{LogProb: all.LogProb}, logits.Batch{Logits: dz, Labels: in.Labels, Temperature: 1})
		})
		run("all+gradient", func() error { return logits.Gradient(dz, dst, all, in) })
	}
}
