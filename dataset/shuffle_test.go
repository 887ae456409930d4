package dataset_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// upTo yields 0 … n−1.
func upTo(n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
}

func shuffled(t *testing.T, n int, seed uint64, buffer int) []int {
	t.Helper()
	out, bad := collect(dataset.Shuffle(upTo(n), seed, buffer))
	require.Empty(t, bad)
	return out
}

func TestShuffle(t *testing.T) {
	for _, buffer := range []int{1, 2, 10, 99, 100, 101, dataset.InFull} {
		out := shuffled(t, 100, 7, buffer)
		for position, i := range out {
			if buffer != dataset.InFull {
				assert.GreaterOrEqual(t, position, i-buffer+1)
			}
		}
		assert.Equal(t, out, shuffled(t, 100, 7, buffer), "same seed, same order")
		if buffer > 1 {
			assert.NotEqual(t, out, shuffled(t, 100, 8, buffer), "other seed, other order")
			assert.False(t, slices.IsSorted(out))
		} else {
			assert.True(t, slices.IsSorted(out), "a buffer of one leaves the order")
		}
		slices.Sort(out)
		for i, x := range out {
			require.Equal(t, i, x, "every record once")
		}
	}
	assert.Equal(t, shuffled(t, 100, 7, 100), shuffled(t, 100, 7, dataset.InFull), "a buffer that holds all")
	assert.Empty(t, shuffled(t, 0, 7, 10))
	assert.PanicsWithValue(t, "dataset: shuffle buffer must be at least 1", func() { dataset.Shuffle(upTo(1), 1, 0) })
	for i := range dataset.Shuffle(upTo(100), 1, 10) {
		_ = i
		break // leaving the loop early is fine
	}
}

// The orders do not change with the version of Go or of this package.
func TestShuffleGolden(t *testing.T) {
	assert.Equal(t, []int{6, 3, 1, 9, 7, 4, 8, 2, 0, 5}, shuffled(t, 10, 1, dataset.InFull))
	assert.Equal(t, []int{1, 0, 2, 4, 5, 3, 7, 6, 9, 8}, shuffled(t, 10, 1, 3))
}

// In full, every permutation is equally likely: χ² over the 24 of four records, 23 degrees of freedom, whose 0.999
// quantile is 49.7. The seeds are fixed, so the test does not flicker.
func TestShuffleUniform(t *testing.T) {
	const n = 12_000
	counts := map[string]int{}
	for seed := range uint64(n) {
		counts[fmt.Sprint(shuffled(t, 4, seed, dataset.InFull))]++
	}
	require.Len(t, counts, 24)
	chi2 := 0.0
	for _, c := range counts {
		d := float64(c) - n/24
		chi2 += d * d / (n / 24)
	}
	assert.Less(t, chi2, 49.7)
}

func TestShuffleErrors(t *testing.T) {
	broken := errors.New("broken")
	records := func(yield func(int, error) bool) {
		_ = yield(1, nil) && yield(0, broken) && yield(2, nil)
	}
	first := true
	for _, err := range dataset.Shuffle(records, 1, 10) {
		assert.Equal(t, first, err != nil, "errors do not wait in the buffer")
		first = false
	}
	good, bad := collect(dataset.Shuffle(records, 1, 1))
	assert.Equal(t, []int{1, 2}, good)
	assert.Equal(t, []error{broken}, bad)
}
