package elem

import "math"

// Sub stores x[i] − y[i] in dst[i], which may be x or y, and returns the smallest and the largest. ok is false
// if one of them is infinite or NaN, or their sum, added up as [Sum] does it; lo and hi are then unspecified. For
// no elements they are +Inf and −Inf.
func Sub(dst, x, y []float64) (lo, hi float64, ok bool) {
	dst, y = dst[:len(x)], y[:len(x)]
	l := none
	for i := sub(dst, x, y, &l); i < len(x); i++ {
		dst[i] = x[i] - y[i]
		l.keep(i, dst[i])
	}
	return l.fold()
}

// extremes holds what Sub returns, lane by lane.
type extremes struct{ lo, hi, sum [lanes]float64 }

var none = func() (l extremes) {
	for j := range lanes {
		l.lo[j], l.hi[j] = math.Inf(1), math.Inf(-1)
	}
	return l
}()

func (l *extremes) keep(i int, d float64) {
	j := uint(i) % lanes
	l.lo[j], l.hi[j] = smaller(d, l.lo[j]), larger(d, l.hi[j])
	l.sum[j] += d
}

func (l *extremes) fold() (lo, hi float64, ok bool) {
	lo, hi = l.lo[0], l.hi[0]
	for j := range lanes {
		lo, hi = smaller(l.lo[j], lo), larger(l.hi[j], hi)
	}
	s := fold(&l.sum)
	return lo, hi, s-s == 0
}

// smaller and larger are what the processor calls so: of numbers that are not NaN, and quicker than min and max.
func smaller(a, b float64) float64 {
	if a < b {
		return a
	}
	return b
}

func larger(a, b float64) float64 {
	if a > b {
		return a
	}
	return b
}
