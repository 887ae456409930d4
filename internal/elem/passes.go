package elem

import "math"

// Differences stores x − y in dst, which may be either, and reports whether all differences are finite. Lengths must
// fit.
func Differences(dst, x, y []float64) (finite bool) {
	x, y = x[:len(dst)], y[:len(dst)]
	i, finite := differences(dst, x, y)
	for ; i < len(dst); i++ {
		d := x[i] - y[i]
		finite = finite && math.Abs(d) <= math.MaxFloat64
		dst[i] = d
	}
	return finite
}

// Affine stores a·x − b in dst, which may be x, and is as long.
func Affine(dst, x []float64, a, b float64) {
	dst = dst[:len(x)]
	for i := affine(dst, x, a, b); i < len(x); i++ {
		dst[i] = float64(a*x[i]) - b
	}
}

// Products stores (a·d)·g in dst, and reports whether all are numbers. Lengths must fit.
func Products(dst, g, d []float64, a float64) (ordered bool) {
	g, d = g[:len(dst)], d[:len(dst)]
	i, ordered := scaledProducts(dst, g, d, a)
	for ; i < len(dst); i++ {
		p := a * d[i] * g[i]
		ordered = ordered && p == p
		dst[i] = p
	}
	return ordered
}

// Weigh multiplies x by weights w. Weight 0 wins over infinity, and NaN. Lengths must fit.
func Weigh(x, w []float64) {
	w = w[:len(x)]
	for i := weigh(x, w); i < len(x); i++ {
		if w[i] == 0 {
			x[i] = 0
		} else {
			x[i] *= w[i]
		}
	}
}

// Tally counts d > 0 as correct, d = 0 as tied, and where g and h are 0 as flat. Lengths must fit.
func Tally(d, g, h []float64) Counts {
	g, h = g[:len(d)], h[:len(d)]
	i, n := tally(d, g, h)
	for ; i < len(d); i++ {
		if d[i] > 0 {
			n[0]++
		} else if d[i] == 0 {
			n[1]++
		}
		if g[i] == 0 && h[i] == 0 {
			n[2]++
		}
	}
	return Counts{n[0], n[1], n[2]}
}

// Extent returns the least and the largest element, and whether all are finite: without that the others mean
// nothing. They are 0 of no elements. A 0 is never −0.
func Extent(x []float64) (least, most float64, finite bool) {
	finite = true
	if len(x) == 0 {
		return 0, 0, finite
	}
	least, most = x[0], x[0]
	if whole := len(x) &^ (lanes - 1); whole > 0 {
		if l, m, f, ok := extent(x[:whole]); ok {
			least, most, finite, x = l, m, f, x[whole:]
		}
	}
	for _, v := range x {
		finite = finite && math.Abs(v) <= math.MaxFloat64
		if v < least {
			least = v
		}
		if v > most {
			most = v
		}
	}
	return least + 0, most + 0, finite
}
