package sampler

import (
	"math"
	"math/bits"
	"slices"

	"github.com/prefgrad/prefgrad/internal/vec"
)

// candidates are some tokens of a row, ascending, with their logits.
type candidates struct {
	ids         []int32
	score, mass []float64
}

// weigh returns exp(score − top).
func (c *candidates) weigh(top float64) []float64 {
	c.mass = resize(c.mass, len(c.score))
	vec.Exp(c.mass, c.score, top)
	return c.mass
}

// collect returns the tokens whose logits are at least t and above −Inf. A NaN is among them, so
// that it stays and is found.
func (r *Row) collect(t float64) *candidates {
	t = max(t, -math.MaxFloat64)
	c := &r.found
	c.ids, c.score = c.ids[:0], c.score[:0]
	if r.known.listed {
		for _, id := range r.known.left {
			if x := r.Logits[id]; !(x < t) {
				c.ids, c.score = append(c.ids, id), append(c.score, x)
			}
		}
		return c
	}
	n := (len(r.Logits) + 63) / 64
	if cap(r.mask) < n {
		r.mask = make([]uint64, n)
	}
	r.mask = r.mask[:n]
	vec.NotBelow(r.mask, r.Logits, t)
	count := 0
	for _, word := range r.mask {
		count += bits.OnesCount64(word)
	}
	c.ids, c.score = slices.Grow(c.ids, count)[:count], resize(c.score, count)
	k := 0
	for i, word := range r.mask {
		for ; word != 0; word &= word - 1 {
			v := 64*i + bits.TrailingZeros64(word)
			c.ids[k], c.score[k] = int32(v), r.Logits[v]
			k++
		}
	}
	return c
}

// atLeastOf returns a logit that at least k tokens reach, none much lower than it takes: the
// k-th of the maxima of small parts of the vocabulary, or −Inf where these are too few.
func (r *Row) atLeastOf(k int) float64 {
	parts := 16 * vec.Blocks(len(r.Logits))
	if r.known.listed || k > parts/4 {
		return math.Inf(-1)
	}
	r.score = resize(r.score, parts)
	vec.Maxima(r.score, r.Logits)
	t, _ := r.selection.edge(r.score, nil, math.Inf(-1), float64(k))
	return t
}

// retain makes the first n candidates the only tokens that can be drawn. The most probable one
// is among them.
func (r *Row) retain(n int) {
	c, k := &r.found, &r.known
	c.ids, c.score = c.ids[:n], c.score[:n]
	if k.listed {
		for _, id := range k.left {
			r.remove(int(id))
		}
	} else {
		removeAll(r.Logits)
	}
	for i, id := range c.ids {
		r.Logits[id] = c.score[i]
	}
	if !k.trusted {
		return
	}
	if !k.topped {
		k.setTop(vec.Max(c.score))
	}
	k.left, c.ids, k.listed = c.ids, k.left, true
	if k.summed = n < len(r.Logits)/8; !k.summed {
		return // a sum over all is faster
	}
	k.blocks = resize(k.blocks, vec.Blocks(len(r.Logits)))
	clear(k.blocks)
	for i, w := range c.weigh(k.top) {
		k.blocks[k.left[i]/vec.Block] += w
	}
	k.total = 0
	for _, sum := range k.blocks {
		k.total += sum
	}
}

// removeAll makes all tokens impossible.
func removeAll(logits []float64) {
	logits[0] = math.Inf(-1)
	for n := 1; n < len(logits); n *= 2 {
		copy(logits[n:], logits[:n])
	}
}
