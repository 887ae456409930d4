package parquet_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/dataset/parquet"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// counter counts the bytes that are read.
type counter struct {
	*bytes.Reader
	n int64
}

func (c *counter) ReadAt(b []byte, at int64) (int, error) {
	n, err := c.Reader.ReadAt(b, at)
	c.n += int64(n)
	return n, err
}

// TestStreams: records are delivered as their pages are read, though all are in one row group, and columns that the
// record has no field for are not read.
func TestStreams(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := func() dataset.Text {
		var b bytes.Buffer
		for range 50 {
			fmt.Fprintf(&b, "%x", rng.Uint64())
		}
		return text(b.String())
	}
	var pairs []dataset.Pair
	for range 4000 {
		pairs = append(pairs, dataset.Pair{Prompt: noise(), Chosen: noise(), Rejected: noise()})
	}
	data := encoded(t, parquet.Writer[dataset.Pair]{}, pairs)
	size := int64(len(data))
	require.Greater(t, size, int64(7<<20))

	in, seen := &counter{Reader: bytes.NewReader(data)}, 0
	for p, err := range parquet.Read[dataset.Pair](in, size, "in") {
		require.NoError(t, err)
		require.True(t, p.Prompt.Equal(pairs[seen].Prompt) && p.Chosen.Equal(pairs[seen].Chosen) && p.Rejected.Equal(pairs[seen].Rejected))
		seen++
		require.LessOrEqual(t, in.n, size*int64(seen)/4000+2<<20)
	}
	assert.Equal(t, 4000, seen)
	assert.Less(t, in.n, size+size/20, "nothing is read twice")

	in = &counter{Reader: bytes.NewReader(data)}
	prompts, bad := collect(parquet.Read[dataset.PromptOnly](in, size, "in"))
	assert.Empty(t, bad)
	assert.Len(t, prompts, 4000)
	assert.Less(t, in.n, size*2/5)
}

// TestAgain: a sequence can be ranged over more than once, and by several goroutines.
func TestAgain(t *testing.T) {
	records := parquet.Pairs(golden("chat-zstd-v2-direct.parquet"))
	want := whole(t, records)
	done := make(chan []dataset.Pair)
	for range 3 {
		go func() {
			good, _ := collect(records)
			done <- unplaced(good)
		}()
	}
	for range 3 {
		assert.Equal(t, want, <-done)
	}
}
