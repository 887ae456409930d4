package train_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

func BenchmarkAdamW(b *testing.B) {
	for _, n := range []int{64, 1 << 12, 1 << 20} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			p := policy.NewLogLinear(n)
			o := train.NewAdamW(p)
			for b.Loop() {
				for i := range p.Grad() {
					p.Grad()[i] = float64(i%7) - 3
				}
				_, _ = o.Update(context.Background(), 1e-3, 1, math.Inf(1))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/parameter")
		})
	}
}
