package policy

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The pieces of a batch follow each other and take each run once, whatever prompts are in it.
func TestPiecesCoverTheBatch(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 1))
	wide, err := NewDense(8, 500, make([]float64, 4000))
	require.NoError(t, err)
	narrow, err := NewDense(1, 1, []float64{1})
	require.NoError(t, err)
	kinds := []*Candidates{nil, {}, {Features: wide}, {Features: narrow}, {Features: wide}}
	for range 200 {
		xs := make([]*Candidates, 1+g.IntN(800))
		for i := range xs {
			xs[i] = kinds[g.IntN(len(kinds))]
		}
		var b batch[*Candidates]
		b.init(NewLogLinear(500).source)
		b.lay(xs, g.IntN(2) == 0, false)
		b.n = pieces(b.cost, b.cost)
		require.Equal(t, b.cost >= sharedWork, b.n > 1)
		next := 0
		for i := range b.n {
			lo, hi := b.piece(i)
			require.Equal(t, next, lo)
			require.LessOrEqual(t, lo, hi)
			next = hi
		}
		require.Equal(t, len(b.runs), next)
		require.Equal(t, len(xs), b.last().items)
	}
}
