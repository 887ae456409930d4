package rloo_test

import (
	"fmt"
	"testing"

	"github.com/prefgrad/prefgrad/rloo"
)

func bench(b *testing.B, f func(dst, reward, logp, ref []float64, k int) error) {
	for _, k := range []int{4, 64} {
		for _, n := range []int{64, 4096, 1 << 20} {
			b.Run(fmt.Sprintf("k=%d/n=%d", k, n), func(b *testing.B) {
				reward, logp, ref := randomSamples(n)
				dst := make([]float64, n)
				b.ReportAllocs()
				for b.Loop() {
					if err := f(dst, reward, logp, ref, k); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/sample")
			})
		}
	}
}

func BenchmarkLeaveOneOut(b *testing.B) {
	bench(b, func(dst, reward, _, _ []float64, k int) error { rloo.LeaveOneOut(dst, reward, k); return nil })
}

func BenchmarkKL(b *testing.B) {
	bench(b, func(dst, _, logp, ref []float64, k int) error { return rloo.KL(dst, logp, ref, k) })
}

func BenchmarkReward(b *testing.B) {
	bench(b, func(dst, reward, logp, ref []float64, k int) error {
		return rloo.Reward(dst, reward, logp, ref, 0.1, k)
	})
}
