package elem

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// The products are those of a plain loop, with the same bits at each level.
func TestDense(t *testing.T) {
	t.Run("float64", testDense[float64])
	t.Run("float32", testDense[float32])
}

func testDense[T Float](t *testing.T) {
	defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
	rng := rand.New(rand.NewPCG(9, 9))
	for trial := range 300 {
		rows, d := rng.IntN(11), 1+rng.IntN(40)
		if trial%20 == 0 {
			rows = 60 + rng.IntN(80)
		}
		x := make([]T, rows*d)
		for i := range x {
			x[i] = T(rng.NormFloat64())
		}
		theta, w := make([]float64, d), make([]float64, rows)
		for j := range theta {
			theta[j] = rng.NormFloat64()
		}
		for y := range w {
			if trial%3 > 0 || rng.IntN(2) == 0 { // with rows of weight 0 between
				w[y] = rng.NormFloat64()
			}
		}
		product, gradient := make([]float64, rows), make([]float64, d)
		for y := range rows {
			for j := range d {
				product[y] += float64(x[y*d+j]) * theta[j]
				gradient[j] += w[y] * float64(x[y*d+j])
			}
		}
		var wantP, wantG []uint64
		for _, l := range cpu.Levels() {
			cpu.Best = l
			dst, intactDst := guarded(rows, rng.IntN(9))
			grad, intactGrad := guarded(d, rng.IntN(9))
			Mul(dst, x, theta)
			clear(grad)
			AddMulT(grad, x, w)
			require.True(t, intactDst() && intactGrad())
			require.InDeltaSlice(t, product, dst, 1e-12)
			require.InDeltaSlice(t, gradient, grad, 1e-12)
			if l == cpu.Go {
				wantP, wantG = bits(dst), bits(grad)
			}
			require.Equal(t, wantP, bits(dst), "%v: %d × %d", l, rows, d)
			require.Equal(t, wantG, bits(grad), "%v: %d × %d", l, rows, d)
		}
	}
	theta, grad, x := make([]float64, 64), make([]float64, 64), make([]T, 64*16)
	dst := make([]float64, 16)
	require.Zero(t, testing.AllocsPerRun(10, func() { Mul(dst, x, theta) }))
	require.Zero(t, testing.AllocsPerRun(10, func() { AddMulT(grad, x, dst) }))
}
