package elem

import "math"

// Bins is a range cut into bins of equal width. The entry of a number is that of the bin which it is in, counted from
// 1: 0 is below the range, and after the last bin comes what is above.
type Bins struct {
	Edges []float64 // lower edges of the bins, and the upper edge of the last: lo + (hi−lo)·(i/n)
	grid  grid
	plain bool // edges are lo + i·step, rounded once, and e^step is a number
}

// grid is what places numbers among the edges.
type grid struct {
	lo, top float64 // the first edge, and the last
	width   float64 // of the range
	perUnit float64 // the number of bins in a range of 1
	bias    float64 // of (x−lo)·perUnit: it makes the whole part that of the bin, or of the one before
	n, per1 float64 // the number of bins, and 1/n
	step    float64 // the width of a bin
}

// NewBins cuts the range from lo to hi > lo, both finite, into n bins.
func NewBins(lo, hi float64, n int) *Bins {
	b := &Bins{Edges: make([]float64, n+1)}
	width := hi - lo
	for i := range b.Edges {
		b.Edges[i] = lo + float64(width*(float64(i)/float64(n)))
	}
	g := grid{lo: b.Edges[0], top: b.Edges[n], width: width, perUnit: float64(n) / width, n: float64(n), per1: 1 / float64(n), step: width / float64(n)}
	// Rounding of the edges, in bins, is below 2u·n + u·max(|lo|, |hi|)·perUnit for u = 2⁻⁵³; that of x's place below 4u·n.
	g.bias = 0x1p-50 * (g.n + max(math.Abs(lo), math.Abs(hi))*g.perUnit)
	b.grid = g
	b.plain = b.even() && g.step <= Far
	for i, e := range b.Edges {
		b.plain = b.plain && e == math.FMA(float64(i), g.step, lo)
	}
	return b
}

// Place stores the entry of x[i], which must not be NaN, in entry[i], and in over[i] how far x[i] is above the lower edge
// of its bin; above the range that is the upper edge of the last bin, and below the range the lower of the first. over may be x.
func (b *Bins) Place(entry []int, over, x []float64) {
	entry, over = entry[:len(x)], over[:len(x)]
	i := 0
	if b.even() {
		i = place(entry, over, x, &b.grid)
	}
	for ; i < len(x); i++ {
		k := b.Entry(x[i])
		entry[i], over[i] = k, x[i]-b.Edges[max(k, 1)-1]
	}
}

// Weigh stores the entry of x[i] in entry[i] and e^over in w[i], with over as [Bins.Place] has it, for x in the range
// of the bins, none of which is wider than Far. w may be x.
func (b *Bins) Weigh(entry []int, w, x []float64) {
	entry, w = entry[:len(x)], w[:len(x)]
	i := 0
	if b.plain {
		i = weighBins(entry, w, x, &b.grid)
	}
	b.Place(entry[i:], w[i:], x[i:])
	Exp(w[i:], w[i:], 1, 0)
}

// even reports whether rounding leaves the bins so nearly of equal width that the kernels find them.
func (b *Bins) even() bool { return b.grid.bias <= 0.25 && b.grid.n <= 1<<30 }

// Entry returns the entry of x, which must not be NaN.
func (b *Bins) Entry(x float64) int {
	last := len(b.Edges) - 1
	switch {
	case !(x >= b.grid.lo):
		return 0
	case x >= b.grid.top:
		return last + 1
	}
	k := 1 + min(last-1, int((x-b.grid.lo)*b.grid.perUnit))
	for x < b.Edges[k-1] { // rounding
		k--
	}
	for x >= b.Edges[k] {
		k++
	}
	return k
}
