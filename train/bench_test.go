package train_test

import "testing"

// BenchmarkStep measures steps of a small problem, where the loop itself would show.
func BenchmarkStep(b *testing.B) {
	const steps = 100
	toy := newToy(64, 128)
	for _, c := range []struct {
		name  string
		terms func() []term
	}{
		{"DPO", func() []term { return []term{toy.dpo()} }},
		{"HyPO", func() []term { return toy.budgeted(toy.LogLinear) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l := toy.loop(c.terms()...)
				l.Batch, l.Steps = 64, steps
				run(b, l)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*steps), "ns/step")
		})
	}
}
