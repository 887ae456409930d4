package elem

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

func randomMatrix(rng *rand.Rand, rows, cols int) Matrix {
	m := Matrix{Rows: rows, Cols: cols, Stride: cols + rng.IntN(4)}
	m.Data = make([]float32, rows*m.Stride)
	for i := range m.Data {
		m.Data[i] = float32(rng.NormFloat64())
	}
	return m
}

// The product is that of three loops, with the same bits at each level, and touches nothing between the rows.
func TestMatMul(t *testing.T) {
	defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
	rng := rand.New(rand.NewPCG(11, 11))
	for trial := range 200 {
		rows, inner, cols := rng.IntN(10), rng.IntN(20), rng.IntN(100)
		a, b, c := randomMatrix(rng, rows, inner), randomMatrix(rng, inner, cols), randomMatrix(rng, rows, cols)
		at := func(i, k int) float32 { return a.Data[i*a.Stride+k] }
		multiply := AddMatMul
		if trial%2 == 1 {
			a = randomMatrix(rng, inner, rows)
			at = func(i, k int) float32 { return a.Data[k*a.Stride+i] }
			multiply = AddMatTMul
		}
		want := append([]float32(nil), c.Data...)
		for i := range rows {
			for j := range cols {
				for k := range inner {
					want[i*c.Stride+j] += float32(at(i, k) * b.Data[k*b.Stride+j])
				}
			}
		}
		for _, l := range cpu.Levels() {
			cpu.Best = l
			got := c
			got.Data = append([]float32(nil), c.Data...)
			multiply(got, a, b)
			require.Equal(t, want, got.Data, "%v: %d × %d × %d", l, rows, inner, cols)
		}
	}
	a, b, c := randomMatrix(rng, 5, 6), randomMatrix(rng, 6, 40), randomMatrix(rng, 5, 40)
	require.Zero(t, testing.AllocsPerRun(10, func() { AddMatMul(c, a, b) }))
	require.PanicsWithValue(t, badMatrix, func() { AddMatMul(c, b, a) })
	require.PanicsWithValue(t, badMatrix, func() { AddMatTMul(c, a, b) })
	a.Data = a.Data[:len(a.Data)-a.Stride]
	require.PanicsWithValue(t, badMatrix, func() { AddMatMul(c, a, b) })
}
