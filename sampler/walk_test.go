package sampler

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// At the ends of [0, 1), and where rounding leaves a sliver, a token that cannot be drawn is
// still none.
func TestWalkToTheEnds(t *testing.T) {
	inf := float32(math.Inf(-1))
	z := make([]float32, 5000)
	for v := range z {
		z[v] = inf
	}
	z[1500], z[1501], z[1700], z[3000], z[3002] = 0, 1, -900, 2, -1
	for _, ts := range [][]Transform{nil, {Temperature(1)}, {TopP(0.9999)}, {TopK(4)}} {
		var r Row
		require.NoError(t, r.Set(z, nil, ts...))
		total := func() float64 { _ = r.walk(); return r.known.total }()
		for _, c := range []struct {
			target float64
			want   int
		}{
			{0, 1500}, {math.SmallestNonzeroFloat64, 1500}, {math.Nextafter(total, 0), 3002}, {total, 3002}, {2 * total, 3002},
			{math.Exp(-2) * 0.999, 1500}, {math.Exp(-2) * 1.001, 1501}, {1, 3000},
		} {
			w := r.walk()
			assert.Equal(t, c.want, w.find(c.target), "%v: %v", ts, c.target)
		}
		w := r.walk()
		for i, target := range []float64{0, 0, 0.2, 0.2, 1, total * 0.9999999, total, 2 * total, 3 * total} {
			want := []int{1500, 1500, 1501, 1501, 3000, 3002, 3002, 3002, 3002}[i]
			assert.Equal(t, want, w.find(target), "%v: %v", ts, target)
		}
	}
	// The sum of a block can be above that of its weights one by one.
	r := Row{Logits: make([]float64, 3)}
	r.Logits[2] = math.Inf(-1)
	r.known = known{trusted: true, topped: true, summed: true, total: 2.5, blocks: []float64{2.5}}
	w := r.walk()
	assert.Equal(t, 1, w.find(2.25))
	assert.Equal(t, 1, w.find(2.25))
	assert.Equal(t, 1, w.find(2.5))
}
