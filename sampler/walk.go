package sampler

import "github.com/prefgrad/prefgrad/internal/vec"

// walk goes over the partial sums of the weights of a [Row], block by block, and over the
// tokens of those blocks alone where it stops.
type walk struct {
	r      *Row
	block  int     // the block it is in
	before float64 // the sum of all blocks before
	v      int     // the token it is at, in the block, −1 before the first
	sum    float64 // before, and the weights of the block up to that of v
	loaded bool    // r.block holds the weights of the block
}

// walk begins before the first token. Two walks over one Row get in each other's way.
func (r *Row) walk() walk {
	if !r.known.summed { // nothing but the model's own distribution, without an error
		_ = r.weigh()
	}
	return walk{r: r, v: -1}
}

// find goes on to the first token whose partial sum is above the target, which must not
// decrease from call to call, and returns it. A sliver that rounding leaves above the last
// partial sum, of a block or of all, belongs to its last token of positive weight; one without
// is never returned.
func (w *walk) find(target float64) int {
	blocks := w.r.known.blocks
	for ; w.block < len(blocks); w.next() {
		if w.before+blocks[w.block] <= target {
			continue
		}
		weights := w.load()
		for w.v < len(weights)-1 && (w.v < 0 || w.sum <= target || weights[w.v] == 0) {
			w.v++
			w.sum += weights[w.v]
		}
		for w.v >= 0 && weights[w.v] == 0 {
			w.v--
		}
		if w.v >= 0 {
			return w.block*vec.Block + w.v
		}
	}
	return w.last()
}

// next goes to the beginning of the next block.
func (w *walk) next() {
	w.before += w.r.known.blocks[w.block]
	w.block, w.v, w.sum, w.loaded = w.block+1, -1, w.before, false
}

// load returns the weights of the block.
func (w *walk) load() []float64 {
	logits := w.r.Logits[w.block*vec.Block:]
	weights := w.r.block[:min(len(logits), vec.Block)]
	if !w.loaded {
		vec.Exp(weights, logits[:len(weights)], w.r.known.top)
		w.loaded = true
	}
	return weights
}

// last returns the last token of positive weight.
func (w *walk) last() int {
	for block := len(w.r.known.blocks) - 1; block >= 0; block-- {
		w.block, w.loaded = block, false
		weights := w.load()
		for v := len(weights) - 1; v >= 0; v-- {
			if weights[v] > 0 {
				w.block = len(w.r.known.blocks) // whatever is asked next comes here
				return block*vec.Block + v
			}
		}
	}
	return -1
}
