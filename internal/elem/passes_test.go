package elem

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// strangers are what vector instructions might treat otherwise than Go does.
var strangers = []float64{nan, inf, -inf, 0, math.Copysign(0, -1), 5e-324, -5e-324, math.MaxFloat64, -math.MaxFloat64, 0x1p-1022}

// block is n numbers at some offset, one in eight of which may be a stranger.
func block(rng *rand.Rand, n int) (x []float64, intact func() bool) {
	x, intact = guarded(n, rng.IntN(9))
	few := rng.IntN(2) == 0
	for i := range x {
		x[i] = math.Round(4*rng.NormFloat64()) / 4 * math.Ldexp(1, 300*rng.IntN(2))
		if few && rng.IntN(8) == 0 {
			x[i] = strangers[rng.IntN(len(strangers))]
		}
	}
	return x, intact
}

// passes call each function on blocks, and return what it stores and says.
var passes = map[string]func(dst, x, y, z []float64) any{
	"Differences": func(dst, x, y, _ []float64) any { return Differences(dst, x, y) },
	"Affine":      func(dst, x, _, _ []float64) any { Affine(dst, x, -1.7, 0.3); return nil },
	"Products":    func(dst, x, y, _ []float64) any { return Products(dst, x, y, 0.1) },
	"Weigh":       func(dst, x, y, _ []float64) any { copy(dst, x); Weigh(dst, y); return nil },
	"Tally":       func(_, x, y, z []float64) any { return Tally(x, y, z) },
	"Excess": func(dst, x, y, _ []float64) any {
		arg := make([]float64, len(y))
		for i, v := range y {
			arg[i] = math.Ldexp(v, -i%5) // near 0 and far
			dst[i] = math.Exp(arg[i])
		}
		Excess(dst, arg, dst)
		return nil
	},
	"Extent": func(_, x, _, _ []float64) any {
		least, most, finite := Extent(x)
		if !finite {
			return finite
		}
		return fmt.Sprint(bits([]float64{least, most}))
	},
}

func canonical(x []float64) []uint64 {
	b := bits(x)
	for i, v := range x {
		if v != v {
			b[i] = math.Float64bits(nan) // which NaN it is, is not said
		}
	}
	return b
}

func TestPassesSameBits(t *testing.T) {
	defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
	for name, f := range passes {
		rng := rand.New(rand.NewPCG(8, 8))
		for n := range 101 {
			for range 3 {
				x, _ := block(rng, n)
				y, _ := block(rng, n)
				z, _ := block(rng, n)
				var want []uint64
				var said any
				for _, l := range cpu.Levels() {
					cpu.Best = l
					dst, intact := guarded(n, rng.IntN(9))
					got := f(dst, x, y, z)
					require.True(t, intact())
					if l == cpu.Go {
						want, said = canonical(dst), got
					}
					require.Equal(t, want, canonical(dst), "%s, %v, n = %d", name, l, n)
					require.Equal(t, said, got, "%s, %v, n = %d: %v, %v, %v", name, l, n, x, y, z)
				}
			}
		}
	}
}

// What is said of a block is true wherever its one odd element stands.
func TestPassesSeeEachElement(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		for _, n := range []int{1, 7, 8, 9, 31, 33, 70} {
			for i := range n {
				x, y, dst := make([]float64, n), make([]float64, n), make([]float64, n)
				for j := range n {
					x[j], y[j] = float64(j+1), -2
				}
				assert.True(t, Differences(dst, x, y) && Products(dst, x, y, 3))
				assert.Equal(t, Counts{Correct: n}, Tally(x, y, x))
				for _, odd := range []float64{inf, -inf, nan} {
					x[i] = odd
					assert.False(t, Differences(dst, x, y))
					assert.False(t, Differences(dst, y, x))
					_, _, finite := Extent(x)
					assert.False(t, finite)
					y[i] = 0
					assert.False(t, Products(dst, x, y, 3))
					copy(dst, x)
					Weigh(dst, y)
					assert.Equal(t, math.Float64bits(0), math.Float64bits(dst[i]), "weight 0 wins")
					y[i] = -2
				}
				x[i] = -1e9
				least, most, finite := Extent(x)
				assert.True(t, finite)
				assert.Equal(t, -1e9, least)
				want := float64(n)
				if i == n-1 {
					want--
				}
				if n > 1 {
					assert.Equal(t, want, most)
				}
				x[i] = 0
				assert.Equal(t, Counts{Correct: n - 1, Ties: 1}, Tally(x, y, x))
				y[i] = math.Copysign(0, -1)
				assert.Equal(t, Counts{Correct: n - 1, Ties: 1, Flat: 1}, Tally(x, y, x))
				x[i] = nan
				assert.Equal(t, Counts{Correct: n - 1}, Tally(x, y, x))
			}
		}
	})
	least, most, finite := Extent(nil)
	assert.True(t, least == 0 && most == 0 && finite)
}

func FuzzPasses(f *testing.F) {
	f.Add(uint64(1), uint8(40))
	f.Fuzz(func(t *testing.T, seed uint64, n uint8) {
		defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
		rng := rand.New(rand.NewPCG(seed, 2))
		x, _ := block(rng, int(n))
		y, _ := block(rng, int(n))
		z, _ := block(rng, int(n))
		for name, f := range passes {
			var want []uint64
			var said any
			for _, l := range cpu.Levels() {
				cpu.Best = l
				dst := make([]float64, n)
				if got := f(dst, x, y, z); l == cpu.Go {
					want, said = canonical(dst), got
				} else if !assert.Equal(t, said, got, name) || !assert.Equal(t, want, canonical(dst), name) {
					t.Fatal(x, y, z)
				}
			}
		}
	})
}
