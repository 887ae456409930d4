package vec

import "math"

// The sums that kernels form, as rows of [sums].
const (
	sumE   = iota // Σ e
	sumED         // Σ e·d
	sumEE         // Σ e²
	sumQ          // Σ e_q
	sumED2        // Σ e·(d − d_q)
	sumQD2        // Σ e_q·(d_q − d)
	nSums
)

// The bounds that they find beside them, as rows of [bounds]. A NaN is no bound.
const (
	maxP  = iota // the largest x
	maxQ         // the largest x_q
	maxPQ        // the largest x − x_q: +Inf where only p is possible
	minPQ        // the least x − x_q: −Inf where only q is possible
	nBounds
)

type (
	sums   [nSums][lanes]float64
	bounds [nBounds][lanes]float32
)

func newBounds() bounds {
	var b bounds
	for i := range lanes {
		inf := float32(math.Inf(1))
		b[maxP][i], b[maxQ][i], b[maxPQ][i], b[minPQ][i] = -inf, -inf, -inf, inf
	}
	return b
}

func (b *bounds) max(row int) float32 {
	m := b[row][0]
	for _, x := range b[row] {
		m = max(m, x)
	}
	return m
}

func (b *bounds) min(row int) float32 {
	m := b[row][0]
	for _, x := range b[row] {
		m = min(m, x)
	}
	return m
}

// logSumGo adds the exponentials of z, a multiple of 16 long, to sumE, in the unit of the point like all
// sums here.
func logSumGo(s *sums, b *bounds, z []float32, at *Point) {
	var e [lanes]float64
	for ; len(z) >= lanes; z = z[lanes:] {
		x := (*[lanes]float32)(z)
		at.addPowers(&s[sumE], &e, x)
		above(&b[maxP], x)
	}
}

// momentsGo does what logSumGo does and adds to sumED and sumEE.
func momentsGo(s *sums, b *bounds, z []float32, at *Point) {
	var d, e [lanes]float64
	for ; len(z) >= lanes; z = z[lanes:] {
		x := (*[lanes]float32)(z)
		at.distances(&d, x)
		at.addPowers(&s[sumE], &e, x)
		for i, y := range e {
			s[sumED][i] = fma(y, d[i], s[sumED][i])
			s[sumEE][i] = fma(y, y, s[sumEE][i])
		}
		above(&b[maxP], x)
	}
}

// pairGo does what momentsGo does for z, and forms the sums of two rows.
func pairGo(s *sums, b *bounds, z, zq []float32, at, atQ *Point) {
	var d, e, dq, eq [lanes]float64
	for ; len(z) >= lanes; z, zq = z[lanes:], zq[lanes:] {
		x, y := (*[lanes]float32)(z), (*[lanes]float32)(zq)
		at.distances(&d, x)
		at.addPowers(&s[sumE], &e, x)
		atQ.distances(&dq, y)
		atQ.addPowers(&s[sumQ], &eq, y)
		for i := range lanes {
			p, q, diff := e[i], eq[i], d[i]-dq[i]
			s[sumED][i] = fma(p, d[i], s[sumED][i])
			s[sumEE][i] = fma(p, p, s[sumEE][i])
			s[sumED2][i] = fma(p, diff, s[sumED2][i])
			s[sumQD2][i] = fma(-q, diff, s[sumQD2][i])
		}
		above(&b[maxP], x)
		above(&b[maxQ], y)
		for i := range lanes {
			diff := x[i] - y[i]
			if diff > b[maxPQ][i] {
				b[maxPQ][i] = diff
			}
			if diff < b[minPQ][i] {
				b[minPQ][i] = diff
			}
		}
	}
}

func above(m, x *[lanes]float32) {
	for i, y := range x {
		if y > m[i] {
			m[i] = y
		}
	}
}
