package elem

import (
	"fmt"
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
			e, e2, e4 := Powers(x, a, b)
			return []float64{e, e2, e4}
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
	e, e2, e4 := Powers([]float64{-inf, -709, -1e300, 0, 2}, 1, 2)
	assert.InDeltaSlice(t, []float64{1 + math.Exp(-2), 1 + math.Exp(-4), 1 + math.Exp(-8)}, []float64{e, e2, e4}, 1e-15)
}

// The edges and all numbers next to them, and others, are in the bins that the edges say, in ranges of all sizes.
func TestPlace(t *testing.T) {
	rng := rand.New(rand.NewPCG(22, 1))
	type kind struct {
		lo, hi float64
		n      int
	}
	kinds := []kind{{-16, 48, 256}, {0, 1, 1}, {-1, 1, 3}, {-1e-300, 1e-300, 7}, {1e15, 1e15 + 4, 64}, {1e16, 1e16 + 6, 100}, {-1e307, 1e307, 10}}
	for range 60 {
		lo := 100 * rng.NormFloat64()
		kinds = append(kinds, kind{lo, lo + math.Exp(5*rng.NormFloat64()), 1 + rng.IntN(700)})
	}
	for _, c := range kinds {
		b := NewBins(c.lo, c.hi, c.n)
		require.Equal(t, c.lo, b.Edges[0])
		x := []float64{inf, -inf, c.lo - 1, c.hi + 1, 0, 1e308, -1e308}
		for _, e := range b.Edges {
			x = append(x, e, math.Nextafter(e, inf), math.Nextafter(e, -inf), c.lo+(c.hi-c.lo)*rng.Float64())
		}
		name := fmt.Sprintf("[%v, %v) in %d", c.lo, c.hi, c.n)
		got := sameAtEachLevel(t, func() []float64 {
			entry, over := make([]int, len(x)+1), make([]float64, len(x))
			entry[len(x)] = -1
			b.Place(entry[:len(x)], over, x)
			require.Equal(t, -1, entry[len(x)])
			for _, k := range entry[:len(x)] {
				over = append(over, float64(k))
			}
			return over
		})
		for i, v := range x {
			k := int(got[len(x)+i])
			require.True(t, k == 0 || v >= b.Edges[k-1], "%s: %v in entry %d", name, v, k)
			require.True(t, k == len(b.Edges) || v < b.Edges[k], "%s: %v in entry %d", name, v, k)
			require.Equal(t, v-b.Edges[max(k, 1)-1], got[i], "%s: %v in entry %d", name, v, k)
		}
	}
}

func TestPlaceOfFew(t *testing.T) {
	rng := rand.New(rand.NewPCG(22, 2))
	b := NewBins(-3, 2, 17)
	for n := range 101 {
		x := scattered(rng, n)
		sameAtEachLevel(t, func() []float64 {
			entry := make([]int, n)
			over, intact := guarded(n, n%9)
			b.Place(entry, over, x)
			require.True(t, intact())
			for i, k := range entry {
				require.Equal(t, b.Entry(x[i]), k)
			}
			return over
		})
	}
}

func TestScatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 1))
	for n := range 101 {
		w, entry := scattered(rng, n), make([]int, n)
		var want [5][4]Cell
		for i := range entry {
			entry[i] = rng.IntN(5)
			c := &want[entry[i]][i%4]
			*c = Cell{c.Weight + w[i], c.Count + 1}
		}
		atEachLevel(t, func(t *testing.T) {
			table := make([]Row, 7)
			Scatter(table[1:6], entry, w)
			require.Zero(t, table[0])
			require.Zero(t, table[6])
			for k, r := range table[1:6] {
				require.Equal(t, Row(want[k]), r)
			}
		})
	}
	r := Row{{1, 2}, {10, 20}, {100, 200}, {1000, 2000}}
	assert.Equal(t, Cell{1111, 2222}, r.Fold())
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
				e, e2, e4 := Powers(x, 1, 0)
				s, q := Groups(x[:n&^3], 4, lo)
				over = append(over, l, h, e, e2, e4, s, q)
			}
			return over
		})
	})
}
