package elem

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// Benchmark measures each function with each set of instructions.
func Benchmark(b *testing.B) {
	defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
	rng := rand.New(rand.NewPCG(1, 1))
	numbers := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		return x
	}
	measure := func(name string, n int, f func()) {
		for _, l := range cpu.Levels() {
			b.Run(fmt.Sprintf("%s/%v", name, l), func(b *testing.B) {
				cpu.Best = l
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/item")
			})
		}
	}
	for _, n := range []int{16, 2500} {
		x, dst := numbers(n), make([]float64, n)
		measure(fmt.Sprintf("Softmax/n=%d", n), n, func() { Softmax(dst, x) })
		measure(fmt.Sprintf("LogSumExp/n=%d", n), n, func() { LogSumExp(x) })
	}
	tail, grid, mask := tailOf(rng, 300), numbers(47), make([]uint64, 40)
	for i, v := range grid {
		grid[i] = v * v
	}
	out := make([]float64, 2500)
	weights := tailOf(rng, 2500)
	measure("Log/n=2500", 2500, func() { Log(out, weights) })
	measure("Above/n=2500", 2500, func() { Above(mask, weights, 0.9) })
	measure("Shift/n=2500", 2500, func() { Shift(out, weights, 1, 2) })
	measure("LogProducts/47x300", 47*300, func() { LogProducts(out[:47], grid, tail) })
	for _, d := range []int{64, 1024} {
		const rows = 16
		theta, w, dst, grad := numbers(d), numbers(rows), make([]float64, rows), make([]float64, d)
		x := make([]float32, rows*d)
		measure(fmt.Sprintf("Mul/d=%d", d), rows*d, func() { Mul(dst, x, theta) })
		measure(fmt.Sprintf("AddMulT/d=%d", d), rows*d, func() { AddMulT(grad, x, w) })
	}
	{
		const n = 512
		x, y, dst, entry := numbers(n), numbers(n), make([]float64, n), make([]int, n)
		b, table := NewBins(-16, 48, 256), make([]Row, 258)
		measure("Sub", n, func() { Sub(dst, x, y) })
		measure("Powers", n, func() { Powers(x, 0.5, 3) })
		measure("SubPowers", n, func() { SubPowers(dst, x, y, 0.5, 3) })
		measure("Weigh", n, func() { b.Weigh(entry, dst, x) })
		measure("Place", n, func() { b.Place(entry, dst, x) })
		measure("Scatter", n, func() { Scatter(table, entry, x) })
		measure("Groups/k=4", n, func() { Groups(x, 4, 0) })
	}
	left, right, product := randomMatrix(rng, 32, 64), randomMatrix(rng, 64, 2500), randomMatrix(rng, 32, 2500)
	measure("AddMatMul/32x64x2500", 32*64*2500, func() { AddMatMul(product, left, right) })
}
