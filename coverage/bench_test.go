package coverage_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/prefgrad/prefgrad/coverage"
)

func BenchmarkKL(b *testing.B) {
	for _, spread := range []float64{0.01, 0.5, 3} { // each regime of the log-ratio
		b.Run(fmt.Sprint("spread=", spread), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			p, q := make([]float64, 4096), make([]float64, 4096)
			for i := range p {
				p[i] = rng.NormFloat64()
				q[i] = p[i] + spread*rng.NormFloat64()
			}
			normalize(p)
			normalize(q)
			b.ReportAllocs()
			for b.Loop() {
				coverage.KL(p, q)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/response")
		})
	}
}

func BenchmarkKLEstimator(b *testing.B) {
	l := clusters(rand.New(rand.NewPCG(1, 1)), 1024, 4, 1, 1, 1)
	var e coverage.KLEstimator
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Add(l, 4); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/sample")
}

func BenchmarkLogBall(b *testing.B) {
	for _, logq := range []float64{-0.5, -10, -700} {
		b.Run(fmt.Sprint("logq=", logq), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				coverage.LogBall(logq, 0.1)
			}
		})
	}
}

func BenchmarkRenyi(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	p, q := simplex(rng, 4096, 1), simplex(rng, 4096, 1)
	b.ReportAllocs()
	for b.Loop() {
		coverage.Renyi(2, p, q)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/response")
}

func BenchmarkPSIS(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint("n=", n), func(b *testing.B) {
			l := logNormal(rand.New(rand.NewPCG(1, 1)), n, 1)
			dst := make([]float64, n)
			var s coverage.PSIS
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Smooth(dst, l); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/sample")
		})
	}
}

func BenchmarkTail(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint("n=", n), func(b *testing.B) {
			l := logNormal(rand.New(rand.NewPCG(1, 1)), n, 1)
			b.ReportAllocs()
			for b.Loop() {
				if err := coverage.NewTail(n).Add(l); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/sample")
		})
	}
}

func BenchmarkAccumulators(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		batch := coverage.Batch{Prompt: make([]uint64, n), LogP: logNormal(rand.New(rand.NewPCG(1, 1)), n, 1), LogRef: make([]float64, n)}
		for i := range n {
			batch.Prompt[i] = uint64(i / 4)
		}
		for _, replicates := range []int{0, 200} {
			m, err := coverage.NewMoments(coverage.MomentsConfig{Source: coverage.FromRef, Orders: orders, Replicates: replicates})
			if err != nil {
				b.Fatal(err)
			}
			h, err := coverage.NewHistogram(coverage.HistogramConfig{Replicates: replicates})
			if err != nil {
				b.Fatal(err)
			}
			benchmarkAdd(b, fmt.Sprint("moments/replicates=", replicates), m.Add, batch)
			ref, err := coverage.NewHistogram(coverage.HistogramConfig{Source: coverage.FromRef, Replicates: replicates})
			if err != nil {
				b.Fatal(err)
			}
			benchmarkAdd(b, fmt.Sprint("histogram/replicates=", replicates), h.Add, batch)
			benchmarkAdd(b, fmt.Sprint("histogram/ref/replicates=", replicates), ref.Add, batch)
		}
		benchmarkAdd(b, "promptkl", coverage.NewPromptKL(coverage.FromPolicy).Add, batch)
	}
}

func benchmarkAdd(b *testing.B, name string, add func(coverage.Batch) error, batch coverage.Batch) {
	b.Run(fmt.Sprint(name, "/n=", len(batch.LogP)), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := add(batch); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(batch.LogP)), "ns/sample")
	})
}
