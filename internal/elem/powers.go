package elem

import "math"

// PowerSums are sums of e, e² and e⁴, each added up as [Sum] does it.
type PowerSums [3]float64

// Powers returns sums over e = exp(a·x[i] − b). For an argument below −Far e is e^−Far, which is nothing beside 1, and
// for one above Far nonsense.
func Powers(x []float64, a, b float64) PowerSums {
	var s powerLanes
	for i := powers(x, a, b, &s); i < len(x); i++ {
		s.add(i, math.FMA(a, x[i], -b))
	}
	return s.fold()
}

// SubPowers is [Sub], and [Powers] of dst, at once.
func SubPowers(dst, x, y []float64, a, b float64) (s PowerSums, lo, hi float64, ok bool) {
	dst, y = dst[:len(x)], y[:len(x)]
	var sums powerLanes
	l := none
	for i := subPowers(dst, x, y, a, b, &sums, &l); i < len(x); i++ {
		dst[i] = x[i] - y[i]
		l.keep(i, dst[i])
		sums.add(i, math.FMA(a, dst[i], -b))
	}
	lo, hi, ok = l.fold()
	return sums.fold(), lo, hi, ok
}

type powerLanes [3][lanes]float64

func (s *powerLanes) add(i int, y float64) {
	if !(y > -Far) {
		y = -Far
	}
	e, j := expOf(y), uint(i)%lanes
	s[0][j] += e
	e *= e
	s[1][j] += e
	e *= e
	s[2][j] += e
}

func (s *powerLanes) fold() PowerSums { return PowerSums{fold(&s[0]), fold(&s[1]), fold(&s[2])} }
