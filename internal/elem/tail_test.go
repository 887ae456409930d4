package elem

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/cpu"
	"github.com/prefgrad/prefgrad/internal/oracle"
)

// positive numbers on all scales, and near 1, with the hard ones first.
func positive(rng *rand.Rand, n int) []float64 {
	x := []float64{1, 2, 0.5, math.Sqrt2, math.Nextafter(2, 1), math.Nextafter(1, 0), math.Nextafter(1, 2), 0x1p-1022, math.MaxFloat64}
	for len(x) < n {
		x = append(x, 1+rng.Float64(), math.Ldexp(1+rng.Float64(), rng.IntN(2045)-1022))
	}
	return x[:n]
}

// Log against 1,400 bits.
func TestLogAccuracy(t *testing.T) {
	x := append(positive(rand.New(rand.NewPCG(3, 3)), 150), 5e-324, 0x1p-1030)
	dst, want := make([]float64, len(x)), make([]float64, len(x))
	for i, v := range x {
		want[i] = oracle.Round(oracle.Log(oracle.New(v)))
	}
	atEachLevel(t, func(t *testing.T) {
		Log(dst, x)
		for i, v := range x {
			scale := max(1, math.Abs(want[i]))
			if v >= 1 && v <= 2 {
				scale = want[i]
			}
			assert.LessOrEqual(t, math.Abs(dst[i]-want[i]), 4e-16*scale, "log %v", v)
		}
		special := []float64{0, math.Copysign(0, -1), inf, -1, -inf, nan, 4}
		Log(special, special)
		assert.Equal(t, []float64{-inf, -inf, inf}, special[:3])
		assert.True(t, math.IsNaN(special[3]) && math.IsNaN(special[4]) && math.IsNaN(special[5]))
		assert.InDelta(t, math.Log(4), special[6], 1e-15)
	})
}

// sameBits runs f at each level, and compares what it returns.
func sameBits(t *testing.T, f func() []float64) {
	t.Helper()
	defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
	var want []uint64
	for _, l := range cpu.Levels() {
		cpu.Best = l
		got := bits(f())
		if l == cpu.Go {
			want = got
		}
		require.Equal(t, want, got, l)
	}
}

func TestLogSameBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for n := range 101 {
		x, offset := positive(rng, n), rng.IntN(9)
		if n > 0 && n%3 == 0 { // an argument that stops the kernel
			x[rng.IntN(n)] = []float64{0, 5e-324, -1, inf}[rng.IntN(4)]
		}
		sameBits(t, func() []float64 {
			dst, intact := guarded(n, offset)
			copy(dst, x)
			Log(dst, dst)
			require.True(t, intact())
			return dst
		})
	}
}

func TestAbove(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	special := []float64{0, math.Copysign(0, -1), 5e-324, -5e-324, inf, -inf, nan, 1}
	atEachLevel(t, func(t *testing.T) {
		for n := range 300 {
			x, _ := guarded(n, rng.IntN(9))
			for i := range x {
				x[i] = rng.NormFloat64()
				if rng.IntN(3) == 0 {
					x[i] = special[rng.IntN(len(special))]
				}
			}
			for _, floor := range []float64{0, 1, -inf, inf, nan, 5e-324, math.MaxFloat64} {
				words := (n + 63) / 64
				mask := make([]uint64, words+2)
				for i := range mask {
					mask[i] = rng.Uint64()
				}
				rest := [2]uint64(mask[words:])
				Above(mask, x, floor)
				assert.Equal(t, rest, [2]uint64(mask[words:]))
				for i := range 64 * words {
					want := i < n && !(x[i] <= floor)
					if got := mask[i/64]>>(i%64)&1 == 1; got != want {
						require.Equal(t, want, got, "n = %d, x[%d], floor %v", n, i, floor)
					}
				}
			}
		}
	})
}

func TestShift(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 5))
	for n := range 101 {
		x, offset := arguments(rng, n), rng.IntN(9)
		sameBits(t, func() []float64 {
			dst, intact := guarded(n, offset)
			copy(dst, x)
			Shift(dst, dst, 0.1, -300)
			require.True(t, intact())
			for i, v := range dst {
				require.Equal(t, x[i]-0.1+300, v)
			}
			return dst
		})
	}
}

// tailOf returns n exceedances of a Pareto distribution, the largest, which is 1, first.
func tailOf(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = math.Exp(-3 * rng.ExpFloat64())
	}
	if n > 0 {
		x[0] = 1
	}
	return x
}

// The sum against the logarithm of the exact product.
func TestLogProductsAccuracy(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	a := []float64{-0.999, -0.5, -1e-3, 0, 1e-9, 0.3, 1, 7, 1e6, 1e15, 1e100, 1e305, -1, -2, inf, -inf, nan}
	for _, n := range []int{1, 2, 15, 16, 17, 300} {
		x, want := tailOf(rng, n), make([]float64, len(a))
		for j, v := range a[:12] {
			product := oracle.New(1)
			for _, x := range x {
				f := new(big.Float).SetPrec(oracle.Bits).Mul(oracle.New(v), oracle.New(x))
				product.Mul(product, f.Add(f, oracle.New(1)))
			}
			want[j] = oracle.Round(oracle.Log(product))
		}
		atEachLevel(t, func(t *testing.T) {
			dst := make([]float64, len(a))
			LogProducts(dst, a, x)
			for j, v := range a[:12] {
				assert.InDelta(t, want[j], dst[j], 4e-16*(float64(n)+math.Abs(want[j])), "a = %v, n = %d", v, n)
			}
			for _, v := range dst[12:] {
				assert.True(t, math.IsNaN(v))
			}
		})
	}
	none := []float64{3, nan}
	LogProducts(none, none, nil)
	assert.Equal(t, []float64{0, 0}, none)
}

func TestLogProductsSameBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for n := range 101 {
		for _, m := range []int{0, 1, 15, 16, 17, 47} {
			a, x, offset := make([]float64, m), tailOf(rng, n), rng.IntN(9)
			for j := range a {
				a[j] = math.Exp(20*rng.NormFloat64()) - 1
			}
			sameBits(t, func() []float64 {
				dst, intact := guarded(m, offset)
				copy(dst, a)
				LogProducts(dst, dst, x)
				require.True(t, intact())
				return dst
			})
		}
	}
}

// How often the range is seen to does not matter, since scaling by powers of 2 rounds nothing.
func TestProductEvery(t *testing.T) {
	x := tailOf(rand.New(rand.NewPCG(9, 9)), 100)
	m, n := product(7, x, 16)
	for _, every := range []int{1, 2, 100} {
		m2, n2 := product(7, x, every)
		assert.Equal(t, m, m2)
		assert.Equal(t, n, n2)
	}
}

func FuzzTail(f *testing.F) {
	f.Add(uint64(1), 40, 10.0, 0.5)
	f.Add(uint64(2), 100, -0.1, -3.0)
	f.Fuzz(func(t *testing.T, seed uint64, n int, a, floor float64) {
		if n < 0 || n > 500 {
			return
		}
		rng := rand.New(rand.NewPCG(seed, 1))
		x := tailOf(rng, n)
		sameBits(t, func() []float64 {
			dst := make([]float64, 3)
			LogProducts(dst, []float64{a, 2 * a, floor}, x)
			return dst
		})
		for range n / 8 {
			x[rng.IntN(n)] = math.Float64frombits(rng.Uint64())
		}
		sameBits(t, func() []float64 {
			dst := make([]float64, n)
			Log(dst, x)
			return dst
		})
		sameBits(t, func() []float64 {
			mask := make([]uint64, (n+63)/64)
			Above(mask, x, floor)
			dst := make([]float64, len(mask))
			for i, w := range mask {
				dst[i] = math.Float64frombits(w)
			}
			return dst
		})
	})
}
