package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/cpu"
)

// results64 are what the kernels over float64 make of a row.
type results64 struct {
	blocks, e, maxima, wide, scaled, divided []float64
	total, max                               float64
	mask                                     []uint64
}

func compute64(z []float32, x []float64, ref float64, level cpu.Level) (r results64) {
	defer use(level)()
	n := len(x)
	r.blocks, r.e, r.maxima = make([]float64, Blocks(n)), make([]float64, n), make([]float64, lanes*Blocks(n))
	r.wide, r.scaled, r.mask = make([]float64, n), make([]float64, n), make([]uint64, (n+63)/64)
	r.total = BlockSums(r.blocks, x, ref)
	Exp(r.e, x, ref)
	Maxima(r.maxima, x)
	r.max = Max(x)
	NotBelow(r.mask, x, ref-1)
	Widen(r.wide, z)
	Scale(r.scaled, z, 0.5, 0.7)
	r.divided = append(r.divided, x...)
	Divide(r.divided, r.divided, 0.5, 0.7)
	for _, f := range [][]float64{r.blocks, r.e, r.wide, r.scaled, r.divided} {
		for i, y := range f {
			if y != y {
				f[i] = 1e308 // the one NaN, to be compared
			}
		}
	}
	if r.total != r.total {
		r.total = 1e308
	}
	return r
}

func widened(z []float32) []float64 {
	x := make([]float64, len(z)+1)[1:]
	for v := range z {
		x[v] = float64(z[v])
	}
	return x
}

func TestLevelsAgreeInFloat64(t *testing.T) {
	g := rand.New(rand.NewPCG(4, 0))
	for n := range 101 {
		for kind := range 13 {
			size := n
			if n%10 == 0 {
				size *= 29 // several blocks
			}
			z, _ := rows(g, size, kind)
			x := widened(z)
			ref := max(Max(x), -1e300)
			want := compute64(z, x, ref, cpu.Go)
			for _, level := range cpu.Levels()[1:] {
				require.Equal(t, want, compute64(z, x, ref, level), "%d of kind %d", size, kind)
			}
		}
	}
}

// Every level against definitions, and sums in 60 digits.
func TestFloat64Kernels(t *testing.T) {
	g := rand.New(rand.NewPCG(5, 0))
	for _, level := range cpu.Levels() {
		for _, n := range []int{0, 1, 17, 300, 2100} {
			z, _ := rows(g, n, 1)
			x := widened(z)
			ref := max(Max(x), -100)
			r := compute64(z, x, ref, level)
			top, maxima := math.Inf(-1), make([]float64, len(r.maxima))
			for i := range maxima {
				maxima[i] = math.Inf(-1)
			}
			for b, sum := range r.blocks {
				want := newBig(0)
				for v := b * Block; v < min((b+1)*Block, n); v++ {
					e := newBig(0)
					if !math.IsInf(x[v], -1) {
						e = bigExp(newBig(x[v] - ref))
					}
					want.Add(want, e)
					require.Less(t, off(e, r.e[v]), 1e-14+3e-16*(ref-x[v]))
				}
				w, _ := want.Float64()
				require.InDelta(t, w, sum, 2e-14*w+1e-290)
			}
			for v, y := range x {
				top = max(top, y)
				assert.Equal(t, y >= ref-1, r.mask[v/64]>>(v%64)&1 == 1)
				part := v/Block*lanes + v%lanes
				maxima[part] = max(maxima[part], y)
				assert.Equal(t, y, r.wide[v])
				assert.Equal(t, (y-0.5)/0.7, r.scaled[v])
				assert.Equal(t, (y-0.5)/0.7, r.divided[v])
			}
			assert.Equal(t, top, r.max)
			assert.Equal(t, maxima, r.maxima)
		}
	}
}

// What is not a number shows in the sums.
func TestNaNInFloat64(t *testing.T) {
	for _, level := range cpu.Levels() {
		defer use(level)()
		for n := 1; n < 40; n += 7 {
			for at := range n {
				x, sums := make([]float64, n), make([]float64, 1)
				x[at] = math.Float64frombits(0x7ff0000000000001)
				assert.True(t, math.IsNaN(BlockSums(sums, x, 0)))
				mask := make([]uint64, 1)
				NotBelow(mask, x, 1)
				assert.Equal(t, uint64(1)<<at, mask[0])
			}
		}
	}
}

func TestFloat64AllocatesNothing(t *testing.T) {
	z := make([]float32, 3001)
	x, e := widened(z), make([]float64, len(z))
	blocks, tops, mask := make([]float64, Blocks(len(x))), make([]float64, lanes*Blocks(len(x))), make([]uint64, len(x)/64+1)
	for _, level := range cpu.Levels() {
		defer use(level)()
		assert.Zero(t, testing.AllocsPerRun(10, func() {
			_ = BlockSums(blocks, x, 0)
			Exp(e, x, 0)
			Maxima(tops, x)
			_ = Max(x)
			NotBelow(mask, x, 0)
			Widen(x, z)
			Scale(x, z, 0, 2)
			Divide(x, x, 0, 2)
		}))
	}
}
