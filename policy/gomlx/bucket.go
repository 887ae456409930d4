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

const shortest = 8 // the smallest padded length

// limits bound one execution. A single sequence may exceed them.
type limits struct {
	cells  int // tokens, padding included
	logits int // of the tokens that count, without padding
}

// defaultLimits need about 3 GB for the largest vocabularies.
var defaultLimits = limits{cells: 1 << 14, logits: 1 << 26}

// chunk is the part of a batch that one execution scores: sequences, each padded to the
// same length, and rows, the positions whose next token counts.
type chunk struct {
	rows, length int     // shape of ids
	ids          []int32 // rows × length
	from         []int32 // of each counted token, the place in ids that it follows
	label        []int32 // its id
	at           []int   // its position in the batch; shorter than from by the padding
}

// split cuts the sequences of a batch that can be scored into chunks: one if that is
// within the limits, else several, in order of length.
func (l limits) split(b policy.Tokens, failed []error, vocab int) []chunk {
	var order []int
	for i := range b.Len() {
		if failed[i] == nil {
			order = append(order, i)
		}
	}
	if l.fit(b, order, vocab) < len(order) {
		slices.SortStableFunc(order, func(i, j int) int { return inputs(b, j) - inputs(b, i) })
	}
	var chunks []chunk
	for len(order) > 0 {
		n := l.fit(b, order, vocab)
		chunks = append(chunks, newChunk(b, order[:n]))
		order = order[n:]
	}
	return chunks
}

// fit returns how many of the sequences, from the first on, one execution may take: at
// least one, if there is one.
func (l limits) fit(b policy.Tokens, order []int, vocab int) int {
	longest, replies := 0, 0
	for n, i := range order {
		lo, hi := b.Reply(i)
		longest, replies = max(longest, inputs(b, i)), replies+hi-lo
		if n > 0 && (bucket(n+1, 1)*bucket(longest, shortest) > l.cells || replies*vocab > l.logits) {
			return n
		}
	}
	return len(order)
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
