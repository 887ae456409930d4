package vec_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/prefgrad/prefgrad/internal/cpu"
	"github.com/prefgrad/prefgrad/internal/vec"
)

// BenchmarkRows goes over 64 MiB of logits, more than any cache holds.
func BenchmarkRows(b *testing.B) {
	for _, vocab := range []int{32000, 128256} {
		n := 1 << 24 / vocab
		z, dst := randomFloats(n*vocab), make([]float32, n*vocab)
		e, x, sums := make([]float64, vocab), make([]float64, vocab), make([]float64, vec.Blocks(vocab))
		tops, mask := make([]float64, 16*vec.Blocks(vocab)), make([]uint64, (vocab+63)/64)
		vec.Widen(x, z[:vocab])
		for _, level := range cpu.Levels() {
			run := func(name string, f func(row, dst, other []float32)) {
				b.Run(fmt.Sprintf("%s/V=%d/%v", name, vocab, level), func(b *testing.B) {
					defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
					cpu.Best = level
					b.ReportAllocs()
					b.SetBytes(int64(4 * vocab))
					i := 0
					for b.Loop() {
						f(z[i*vocab:(i+1)*vocab], dst[i*vocab:(i+1)*vocab], z[(n-1-i)*vocab:(n-i)*vocab])
						i = (i + 1) % n
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(vocab), "ns/element")
				})
			}
			run("logsum", func(row, _, _ []float32) { vec.Row(row, 1, vec.JustE) })
			run("moments", func(row, _, _ []float32) { vec.Row(row, 1, vec.Moments) })
			run("pair", func(row, _, other []float32) { vec.Pair(row, other, 1) })
			run("score", func(row, dst, _ []float32) { vec.Score(dst, row, 1, 1, 12) })
			run("logsum+score", func(row, dst, _ []float32) {
				vec.Row(row, 1, vec.JustE)
				vec.Score(dst, row, 1, 1, 12)
			})
			at, atQ, _, _ := vec.Pair(z[:16], z[16:32], 1)
			m := vec.Mix{E: 1e-3, D: 1e-3, E2: 1e-3, Diff: 1e-3, Q: 1e-3}
			run("mix", func(row, dst, _ []float32) { m.Row(dst, row, &at) })
			run("mixpair", func(row, dst, other []float32) { m.Pair(dst, row, other, &at, &atQ) })
			run("widen", func(row, _, _ []float32) { vec.Widen(x, row) })
			run("scale", func(row, _, _ []float32) { vec.Scale(x, row, 0, 0.7) })
			run("blocksums", func(_, _, _ []float32) { vec.BlockSums(sums, x, 20) })
			run("exp", func(_, _, _ []float32) { vec.Exp(e, x, 20) })
			run("maxima", func(_, _, _ []float32) { vec.Maxima(tops, x) })
			run("notbelow", func(_, _, _ []float32) { vec.NotBelow(mask, x, 5) })
		}
	}
}

func randomFloats(n int) []float32 {
	g := rand.New(rand.NewPCG(1, 0))
	z := make([]float32, n)
	for i := range z {
		z[i] = float32(3 * g.NormFloat64())
	}
	return z
}
