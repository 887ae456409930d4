package elem

import "math"

// Powers returns the sums of e, e² and e⁴ for e = exp(a·x[i] − b), each added up as [Sum] does it. e is 0 for an
// argument below −Far, and nonsense for one above Far.
func Powers(x []float64, a, b float64) (e, e2, e4 float64) {
	var sums [3][lanes]float64
	for i := powers(x, a, b, &sums); i < len(x); i++ {
		y := math.FMA(a, x[i], -b)
		if !(y >= -Far) {
			continue // adds 0
		}
		v, j := expOf(y), i%lanes
		sums[0][j] += v
		v *= v
		sums[1][j] += v
		v *= v
		sums[2][j] += v
	}
	return fold(&sums[0]), fold(&sums[1]), fold(&sums[2])
}
