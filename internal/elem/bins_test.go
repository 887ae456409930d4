package elem

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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

// Weigh does what Place and Exp do, whether the edges are plain or not.
func TestWeigh(t *testing.T) {
	rng := rand.New(rand.NewPCG(26, 1))
	for _, b := range []*Bins{NewBins(-16, 48, 256), NewBins(-0.5, 0.75, 40), NewBins(-1, 2, 17), NewBins(0.1, 0.7, 1), NewBins(-700, 700, 2), NewBins(0, 1e-300, 4)} {
		first, width := b.Edges[0], b.Edges[len(b.Edges)-1]-b.Edges[0]
		for n := range 101 {
			x := make([]float64, n)
			for i := range x {
				if x[i] = first + width*rng.Float64(); i%3 == 0 {
					x[i] = b.Edges[rng.IntN(len(b.Edges)-1)]
				}
			}
			offset := rng.IntN(9)
			sameAtEachLevel(t, func() []float64 {
				w, intact := guarded(n, offset)
				entry, want, over := make([]int, n), make([]int, n), make([]float64, n)
				b.Weigh(entry, w, x)
				require.True(t, intact())
				b.Place(want, over, x)
				require.Equal(t, want, entry)
				Exp(over, over, 1, 0)
				require.Equal(t, bits(over), bits(w))
				return w
			})
		}
	}
	assert.True(t, NewBins(-16, 48, 256).plain, "the default of histograms")
	assert.False(t, NewBins(-1, 2, 17).plain)
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
