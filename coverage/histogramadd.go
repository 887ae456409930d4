package coverage

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// Add adds a batch. A log-probability that a sample of the source cannot have is an error
// that names it, and then nothing is added. It panics if lengths differ.
func (h *Histogram) Add(b Batch) error {
	b.lengths(h.config.Source)
	if h.config.Replicates > 0 { // they take much longer than a look ahead
		if err := b.check(h.config.Source); err != nil {
			return err
		}
		return b.chunks(h.addReplicates)
	}
	err := b.chunks(h.scatter)
	if err != nil {
		err = b.check(h.config.Source) // of the whole, for the index
	} else {
		h.boot.samples += uint64(len(b.Prompt))
	}
	h.fold(err == nil)
	return err
}

func (h *Histogram) scatter(b Batch) error {
	lo, hi, err := h.place(b)
	if err != nil {
		return err
	}
	elem.Scatter(h.added, h.entries[:len(b.Prompt)], h.weights[:len(b.Prompt)])
	h.lo, h.hi = min(h.lo, lo), max(h.hi, hi)
	return nil
}

// fold moves what was scattered to the sums, or drops it.
func (h *Histogram) fold(keep bool) {
	if h.lo > h.hi { // nothing
		return
	}
	first, last := h.bins.Entry(h.lo), h.bins.Entry(h.hi)
	h.lo, h.hi = math.Inf(1), math.Inf(-1)
	for k := first; k <= last; k++ {
		if keep {
			c := h.added[k].Fold()
			h.counts[k] += uint64(c.Count)
			h.mass[k] += c.Weight
		}
		h.added[k] = elem.Row{}
	}
}

func (h *Histogram) addReplicates(b Batch) error {
	if _, _, err := h.place(b); err != nil {
		return err
	}
	b.runs(func(lo, hi int) {
		taken := h.boot.take(b.Prompt[lo], hi-lo)
		for i := lo; i < hi; i++ {
			k := h.entries[i]
			h.counts[k]++
			h.mass[k] += h.weights[i]
			floats.AddScaled(h.replicates(k), h.weights[i], taken)
		}
	})
	return nil
}

// place stores the entries that the samples of a chunk belong to, and their weights in units of the entry. It returns
// the smallest and the largest ℓ.
func (h *Histogram) place(b Batch) (lo, hi float64, err error) {
	n, from := len(b.Prompt), h.config.Source
	l, w := h.ratios[:n], h.weights[:n]
	lo, hi, finite := elem.Sub(l, b.LogP, b.LogRef)
	if finite && from == FromMixture {
		finite = elem.Differences(w, b.LogP, b.LogFrom)
	}
	if !finite {
		if err := b.check(from); err != nil {
			return 0, 0, err
		}
		lo, hi = math.Inf(1), math.Inf(-1)
		for i := range l {
			w[i], _, l[i] = b.logWeights(from, i)
			lo, hi = min(lo, l[i]), max(hi, l[i])
		}
	}
	width := (h.config.Hi - h.config.Lo) / float64(h.config.Bins)
	if from == FromRef && width < elem.Far && h.edges[0] <= lo && hi < h.edges[h.config.Bins] {
		h.bins.Weigh(h.entries[:n], w, l)
		return lo, hi, nil
	}
	h.bins.Place(h.entries[:n], l, l)
	switch from {
	case FromPolicy:
		for i := range w {
			w[i] = 1
		}
	case FromRef:
		exp(w, l)
	default:
		exp(w, w)
	}
	return lo, hi, nil
}

// exp stores eˣ.
func exp(dst, x []float64) {
	if elem.Max(x) <= elem.Far {
		elem.Exp(dst, x, 1, 0)
		return
	}
	for i, v := range x { // weights far outside the range, which may overflow
		dst[i] = math.Exp(v)
	}
}
