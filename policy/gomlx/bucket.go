package gomlx

import (
	"slices"

	"github.com/prefgrad/prefgrad/policy"
)

// bucket returns the smallest of 1, 2, 3, 4, 6, 8, 12, 16, 24, … that is at least n and
// at least lo, which is one of them: sizes to pad to, so that few graphs serve all
// batches and at most a third of one is padding.
func bucket(n, lo int) int {
	b := lo
	for b < n {
		if b&(b-1) == 0 && b > 1 {
			b += b / 2 // from 2^k to 3·2^(k−1)
		} else if b == 1 {
			b = 2
		} else {
			b = b / 3 * 4
		}
	}
	return b
}

const (
	shortest = 8       // the smallest padded length
	maxCells = 1 << 14 // tokens of one execution, padding included
)

// chunk is the part of a batch that one execution scores: sequences, each padded to the
// same length, and rows, the positions whose next token counts.
type chunk struct {
	rows, length int     // shape of ids
	ids          []int32 // rows × length
	from         []int32 // of each counted token, the place in ids that it follows
	label        []int32 // its id
	at           []int   // its position in the batch; shorter than from by the padding
}

// split cuts the sequences of a batch that can be scored into chunks. A batch of at most
// maxCells tokens, padded, is one chunk; a larger one is cut in order of length.
func split(b policy.Tokens, failed []error) []chunk {
	var order []int
	longest := 0
	for i := range b.Len() {
		if failed[i] == nil {
			order = append(order, i)
			longest = max(longest, inputs(b, i))
		}
	}
	if len(order) == 0 {
		return nil
	}
	if bucket(len(order), 1)*bucket(longest, shortest) <= maxCells {
		return []chunk{newChunk(b, order)}
	}
	slices.SortStableFunc(order, func(i, j int) int { return inputs(b, j) - inputs(b, i) })
	var chunks []chunk
	for len(order) > 0 {
		length := bucket(inputs(b, order[0]), shortest)
		n := 1
		for n < len(order) && bucket(n+1, 1)*length <= maxCells {
			n++
		}
		chunks = append(chunks, newChunk(b, order[:n]))
		order = order[n:]
	}
	return chunks
}

// inputs returns the number of tokens of sequence i that predict another one.
func inputs(b policy.Tokens, i int) int { return b.Begin[i+1] - b.Begin[i] - 1 }

func newChunk(b policy.Tokens, sequences []int) chunk {
	c := chunk{rows: bucket(len(sequences), 1)}
	for _, i := range sequences {
		c.length = max(c.length, inputs(b, i))
	}
	c.length = bucket(c.length, shortest)
	c.ids = make([]int32, c.rows*c.length)
	for row, i := range sequences {
		begin := b.Begin[i]
		copy(c.ids[row*c.length:], b.IDs[begin:begin+inputs(b, i)])
		lo, hi := b.Reply(i)
		for p := lo; p < hi; p++ {
			if b.Counts(p) {
				c.from = append(c.from, int32(row*c.length+p-begin-1))
				c.label = append(c.label, b.IDs[p])
				c.at = append(c.at, p)
			}
		}
	}
	// One of three sizes for each shape of ids: all of it, a half, a quarter.
	size := c.rows * c.length
	for size > 4 && size/2 >= len(c.at) && size/2 >= c.rows*c.length/4 {
		size /= 2
	}
	c.from = append(c.from, make([]int32, size-len(c.at))...)
	c.label = append(c.label, make([]int32, size-len(c.at))...)
	return c
}
