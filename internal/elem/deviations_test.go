package elem

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/cpu"
	"github.com/prefgrad/prefgrad/internal/oracle"
)

// Deviations against exact sums, with the same bits at each level, in place and not, for groups of every size.
func TestDeviations(t *testing.T) {
	defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
	rng := rand.New(rand.NewPCG(11, 11))
	for k := 1; k <= 66; k++ {
		n := k * (1 + rng.IntN(5))
		r, _ := guarded(n, rng.IntN(9))
		for i := range r {
			r[i] = 1e6 + rng.NormFloat64()
		}
		scale := 1 + rng.Float64()
		var want []uint64
		for _, l := range cpu.Levels() {
			cpu.Best = l
			dst, intact := guarded(n, rng.IntN(9))
			if k%2 == 0 {
				copy(dst, r)
				Deviations(dst, dst, k, scale)
			} else {
				Deviations(dst, r, k, scale)
			}
			require.True(t, intact())
			if l == cpu.Go {
				want = bits(dst)
				for i, v := range dst {
					sum := oracle.New(0)
					for _, x := range r[i/k*k:][:k] {
						sum.Add(sum, oracle.New(x))
					}
					sum.Quo(sum, oracle.New(float64(k)))
					sum.Sub(oracle.New(r[i]), sum)
					assert.InDelta(t, scale*oracle.Round(sum), v, 1e-14, "k = %d", k)
				}
			}
			require.Equal(t, want, bits(dst), "%v, k = %d", l, k)
		}
	}
	Deviations(nil, nil, 8, 1)
}

// Equal elements differ from their mean by exactly 0. A NaN or infinity is seen in all of its group, and in no other.
func TestDeviationsExtremes(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		for _, k := range []int{1, 3, 4, 8, 16, 19} {
			r, dst := make([]float64, 3*k), make([]float64, 3*k)
			for i := range r {
				r[i] = 0.1
			}
			Deviations(dst, r, k, 3)
			assert.Equal(t, make([]float64, 3*k), dst)
			for _, v := range []float64{nan, inf, -inf} {
				r[2*k-1] = v
				Deviations(dst, r, k, 3)
				for i, d := range dst {
					if i/k == 1 {
						assert.False(t, d-d == 0, "k = %d", k)
					} else {
						assert.Zero(t, d)
					}
				}
			}
		}
		x := make([]float64, 64)
		assert.Zero(t, testing.AllocsPerRun(10, func() { Deviations(x, x, 16, 1) }))
	})
}
