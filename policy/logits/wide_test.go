package logits_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy/logits"
)

// Logits near the largest float32 are too wide for vector kernels. At a temperature to match
// they are the same distribution as small ones.
func TestWideRows(t *testing.T) {
	g := rand.New(rand.NewPCG(12, 0))
	const vocab, scale = 40, 1 << 121
	narrow, wide := randomRows(g, 1, vocab, 0), randomRows(g, 1, vocab, 0)
	ref, wideRef := randomRows(g, 1, vocab, 0), randomRows(g, 1, vocab, 0)
	for v := range vocab {
		wide.Data[v], wideRef.Data[v] = narrow.Data[v]*scale, ref.Data[v]*scale
	}
	narrow.Data[3], wide.Data[3], ref.Data[3], wideRef.Data[3] = -inf32, -inf32, -inf32, -inf32
	narrow.Data[4], wide.Data[4] = -100, -100*scale
	for _, weights := range combinations {
		w := weightsOf(weights, 1)
		a, b, da, db := allStats(1), allStats(1), randomRows(g, 1, vocab, 0), randomRows(g, 1, vocab, 0)
		require.NoError(t, logits.Gradient(da, a, w, logits.Batch{Logits: narrow, Ref: ref, Labels: []int32{1}, Temperature: 1}))
		require.NoError(t, logits.Gradient(db, b, w, logits.Batch{Logits: wide, Ref: wideRef, Labels: []int32{1}, Temperature: scale}))
		for f, x := range row(a, 0) {
			assert.InDelta(t, x, row(b, 0)[f], 1e-13*max(1, math.Abs(x)), "quantity %d", f)
		}
		for v, x := range da.Data {
			assert.InDelta(t, x, db.Data[v]*scale, 3e-7*math.Abs(float64(x))+1e-8, "derivative %d", v)
		}
	}
}
