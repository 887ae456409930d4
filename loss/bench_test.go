package loss_test

import (
	"fmt"
	"testing"

	"github.com/prefgrad/prefgrad/loss"
)

var sizes = []int{64, 4096, 1 << 20}

// bench runs f on n elements per call and reports the time of one.
func bench(b *testing.B, n int, f func() error) {
	b.Run(fmt.Sprint(n), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/pair")
	})
}

func BenchmarkPairwise(b *testing.B) {
	for _, l := range pairwise {
		b.Run(l.name, func(b *testing.B) {
			for _, n := range sizes {
				p, out := randomPairs(1, n, 3), pairsOut(n)
				bench(b, n, func() error { _, err := l.Eval(out, p); return err })
			}
		})
	}
}

// BenchmarkDPO wants the sum and the derivatives, as training does.
func BenchmarkDPO(b *testing.B) {
	for _, n := range sizes {
		p, out := randomPairs(1, n, 3), loss.PairsOut{Chosen: make([]float64, n), Rejected: make([]float64, n)}
		bench(b, n, func() error { _, err := loss.DPO{Beta: 0.1}.Eval(out, p); return err })
	}
}

func BenchmarkCurvature(b *testing.B) {
	for _, n := range sizes {
		p, dst := randomPairs(1, n, 3), make([]float64, n)
		bench(b, n, func() error { return loss.DPO{Beta: 0.1}.Curvature(dst, p) })
	}
}

func BenchmarkTriples(b *testing.B) {
	for _, l := range triplewise {
		b.Run(l.name, func(b *testing.B) {
			for _, n := range sizes {
				t, out := randomTriples(1, n, 3), triplesOut(n)
				bench(b, n, func() error { _, err := l.eval(out, t); return err })
			}
		})
	}
}

func BenchmarkChosenNLL(b *testing.B) {
	for _, n := range sizes {
		p, out := randomPairs(1, n, 3), pairsOut(n)
		bench(b, n, func() error { _, err := loss.ChosenNLL{Over: loss.Mean}.Eval(out, p); return err })
	}
}

func BenchmarkXPO(b *testing.B) {
	for _, n := range sizes {
		p, out := randomPairs(1, n, 3), pairsOut(n)
		bench(b, n, func() error { _, err := loss.XPO{Alpha: 1e-5}.Eval(out.Loss, out.Chosen, p.Chosen); return err })
	}
}

func BenchmarkVPO(b *testing.B) {
	for _, n := range sizes {
		p, out := randomPairs(1, n, 3), pairsOut(n)
		l := loss.VPO{Alpha: 1e-5, Beta: 0.1}
		bench(b, n, func() error { _, err := l.Eval(out.Loss, out.Chosen, p.Chosen, p.RefChosen); return err })
	}
}

func BenchmarkNLL(b *testing.B) {
	for _, n := range sizes {
		p, out := randomPairs(1, n, 3), pairsOut(n)
		bench(b, n, func() error { _, err := loss.NLL{}.Eval(out.Loss, out.Chosen, p.Chosen); return err })
	}
}

func BenchmarkBradleyTerry(b *testing.B) {
	for _, n := range sizes {
		p, out := randomPairs(1, n, 3), pairsOut(n)
		r := loss.Rewards{Chosen: p.Chosen, Rejected: p.Rejected}
		bench(b, n, func() error { _, err := loss.BradleyTerry{Center: 0.01}.Eval(out, r); return err })
	}
}

func BenchmarkRLHF(b *testing.B) {
	for _, n := range sizes {
		s, out := randomSamples(1, n/4, 4), samplesOut(n)
		bench(b, n, func() error { _, err := loss.RLHF{Beta: 0.1}.Eval(out, s); return err })
	}
}

func BenchmarkKLPenalty(b *testing.B) {
	for _, n := range sizes {
		s, out := randomSamples(1, n/4, 4), samplesOut(n)
		bench(b, n, func() error { _, err := loss.KLPenalty{Lambda: 0.1}.Eval(out, s); return err })
	}
}

// As many samples as pairs.
func BenchmarkHyPO(b *testing.B) {
	for _, n := range sizes {
		p, s := randomPairs(1, n, 3), randomSamples(1, n/4, 4)
		out := loss.HyPOOut{Pairs: pairsOut(n), Samples: samplesOut(n)}
		l := loss.HyPO{Offline: loss.DPO{Beta: 0.1}, Lambda: 0.05}
		bench(b, n, func() error { _, err := l.Eval(out, p, s); return err })
	}
}
