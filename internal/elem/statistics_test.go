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

// sameAtEachLevel asserts that f gives the same bits with each set of instructions, and returns them.
func sameAtEachLevel(t *testing.T, f func() []float64) (want []float64) {
	t.Helper()
	defer func(best cpu.Level) { cpu.Best = best }(cpu.Best)
	for _, l := range cpu.Levels() {
		cpu.Best = l
		got := f()
		if l == cpu.Go {
			want = got
		}
		require.Equal(t, bits(want), bits(got), "%v", l)
	}
	return want
}

// scattered are n numbers on several scales, at some offset in memory.
func scattered(rng *rand.Rand, n int) []float64 {
	x, _ := guarded(n, rng.IntN(9))
	for i := range x {
		switch rng.IntN(8) {
		case 0:
			x[i] = 0
		case 1:
			x[i] = math.Copysign(0, -1)
		case 2:
			x[i] = 5e-324 * float64(rng.IntN(100))
		case 3:
			x[i] = 1000 * rng.NormFloat64()
		default:
			x[i] = rng.NormFloat64()
		}
	}
	return x
}

func TestSub(t *testing.T) {
	rng := rand.New(rand.NewPCG(20, 1))
	for n := range 101 {
		x, y, offset := scattered(rng, n), scattered(rng, n), rng.IntN(9)
		got := sameAtEachLevel(t, func() []float64 {
			dst, intact := guarded(n, offset)
			lo, hi, ok := Sub(dst, x, y)
			require.True(t, ok && intact())
			return append(dst, lo, hi)
		})
		lo, hi := inf, -inf
		for i := range x {
			require.Equal(t, x[i]-y[i], got[i])
			lo, hi = min(lo, got[i]), max(hi, got[i])
		}
		require.Equal(t, []float64{lo, hi}, got[n:])
	}
}

// An infinite element or NaN is noticed wherever it stands, and so are two infinities that cancel.
func TestSubOfWhatIsNotFinite(t *testing.T) {
	rng := rand.New(rand.NewPCG(20, 2))
	atEachLevel(t, func(t *testing.T) {
		for n := 1; n < 40; n++ {
			for at := range n {
				for _, bad := range [][2]float64{{nan, 0}, {0, nan}, {inf, 0}, {-inf, 0}, {0, inf}, {-inf, -inf}, {1e308, -1e308}} {
					x, y := scattered(rng, n), scattered(rng, n)
					x[at], y[at] = bad[0], bad[1]
					_, _, ok := Sub(x, x, y)
					require.False(t, ok, "%v at %d of %d", bad, at, n)
				}
			}
		}
	})
}

func TestPowers(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 1))
	for n := range 101 {
		x := scattered(rng, n)
		a, b := 0.5*rng.NormFloat64(), 0.0
		for _, v := range x {
			b = max(b, a*v)
		}
		got := sameAtEachLevel(t, func() []float64 {
			s := Powers(x, a, b)
			return s[:]
		})
		if n%10 > 0 {
			continue // the oracle is slow
		}
		want := [3]*big.Float{oracle.New(0), oracle.New(0), oracle.New(0)}
		for _, v := range x {
			y := new(big.Float).SetPrec(oracle.Bits).Mul(oracle.New(a), oracle.New(v))
			y.Sub(y, oracle.New(b))
			if f, _ := y.Float64(); f >= -Far {
				e := oracle.Exp(y)
				for k := range want {
					want[k].Add(want[k], e)
					e.Mul(e, e)
				}
			}
		}
		for k := range want {
			w := oracle.Round(want[k])
			assert.InDelta(t, w, got[k], 4e-15*w+1e-300, "sum %d of %d", k, n)
		}
	}
	s := Powers([]float64{-inf, -709, -1e300, 0, 2}, 1, 2)
	assert.InDeltaSlice(t, []float64{1 + math.Exp(-2), 1 + math.Exp(-4), 1 + math.Exp(-8)}, s[:], 1e-15)
}

// SubPowers does what Sub and Powers do.
func TestSubPowers(t *testing.T) {
	rng := rand.New(rand.NewPCG(25, 1))
	for n := range 101 {
		x, y, offset := scattered(rng, n), scattered(rng, n), rng.IntN(9)
		if n%4 == 3 {
			x[rng.IntN(n)] = []float64{nan, inf, -inf, 1e300}[rng.IntN(4)]
		}
		sameAtEachLevel(t, func() []float64 {
			d := make([]float64, n)
			dst, intact := guarded(n, offset)
			lo, hi, ok := Sub(d, x, y)
			s, lo2, hi2, ok2 := SubPowers(dst, x, y, 1, max(hi, 0))
			require.True(t, intact())
			require.Equal(t, bits(d), bits(dst))
			require.Equal(t, ok, ok2)
			if !ok {
				return nil
			}
			require.Equal(t, bits([]float64{lo, hi}), bits([]float64{lo2, hi2}))
			require.Equal(t, Powers(d, 1, max(hi, 0)), s)
			return append(s[:], lo, hi)
		})
	}
}

func TestGroups(t *testing.T) {
	rng := rand.New(rand.NewPCG(24, 1))
	for _, k := range []int{1, 2, 3, 4, 5, 7, 8, 11, 16, 20} {
		for prompts := range 40 {
			x, c := scattered(rng, k*prompts), rng.NormFloat64()
			got := sameAtEachLevel(t, func() []float64 {
				sum, squares := Groups(x, k, c)
				return []float64{sum, squares}
			})
			sum, squares, scale := 0.0, 0.0, 1e-300
			for g := range prompts {
				d := 0.0
				for _, v := range x[g*k:][:k] {
					d += v - c
					scale += math.Abs(v - c)
				}
				sum += d
				squares += d * d
			}
			require.InDelta(t, sum, got[0], 1e-14*scale, "%d groups of %d", prompts, k)
			require.InDelta(t, squares, got[1], 1e-14*scale*scale, "%d groups of %d", prompts, k)
		}
	}
}

func TestStatisticsAllocateNothing(t *testing.T) {
	x, y, entry := make([]float64, 100), make([]float64, 100), make([]int, 100)
	b, table := NewBins(-1, 1, 8), make([]Row, 10)
	assert.Zero(t, testing.AllocsPerRun(10, func() {
		Sub(y, x, x)
		Powers(x, 1, 0)
		b.Place(entry, y, x)
		Scatter(table, entry, y)
		SubPowers(y, x, x, 1, 0)
		b.Weigh(entry, y, x)
		Groups(x, 4, 0)
	}))
}

func FuzzStatistics(f *testing.F) {
	f.Add(0.5, -0.3, -16.0, 64.0, uint8(17), uint16(256))
	f.Add(-708.0, 0.1, 1e10, 3.0, uint8(40), uint16(3))
	f.Fuzz(func(t *testing.T, a, b, lo, width float64, n uint8, bins uint16) {
		x := make([]float64, n)
		for i := range x {
			x[i] = a + float64(i)*b
			if x[i] != x[i] {
				t.Skip()
			}
		}
		hi := lo + width
		if bins == 0 || !(lo < hi) || math.IsInf(hi-lo, 0) || math.IsInf(lo, 0) {
			t.Skip()
		}
		grid, entry := NewBins(lo, hi, int(bins)), make([]int, n)
		sameAtEachLevel(t, func() []float64 {
			over := make([]float64, n)
			grid.Place(entry, over, x)
			for i, k := range entry {
				if k != grid.Entry(x[i]) {
					t.Fatalf("%v in entry %d, want %d", x[i], k, grid.Entry(x[i]))
				}
			}
			if dst := make([]float64, n); a-a == 0 && b-b == 0 && math.Abs(a)+300*math.Abs(b) < Far {
				l, h, _ := Sub(dst, x, over)
				p := Powers(x, 1, 0)
				s, q := Groups(x[:n&^3], 4, lo)
				over = append(over, l, h, p[0], p[1], p[2], s, q)
			}
			return over
		})
	})
}
