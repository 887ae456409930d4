package main

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// BenchmarkAudit reads 20,000 lines and computes the result.
func BenchmarkAudit(b *testing.B) {
	text := newWorld(1, 0.5).lines(rand.New(rand.NewPCG(1, 1)), 400, 25, "policy", "ref")
	c := &config{In: "-", Seed: 1, Ratio: 20, MinPrompts: 10, MaxKhat: 0.7}
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		a, err := read(b.Context(), c, strings.NewReader(text))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.result(c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(20000*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
