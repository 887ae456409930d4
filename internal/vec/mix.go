package vec

import "math"

// Mix holds the coefficients of a derivative with respect to each element of a row,
//
//	e_v·(E + D·d_v + E2·e_v + Diff·(d_v − d_qv)) + Q·e_qv,
//
// with e_v and d_v at the [Point] of the row, e_q and d_q at that of a second one.
type Mix struct{ E, D, E2, Diff, Q float64 }

// Regular reports whether no coefficient is so large or so small that its products with
// exponentials might overflow, or be less than their last digits.
func (m *Mix) Regular() bool {
	for _, x := range [...]float64{m.E, m.D, m.E2, m.Diff, m.Q} {
		if x != 0 && !(math.Abs(x) > 1e-270 && math.Abs(x) < 1e200) {
			return false
		}
	}
	return true
}

// Row stores the derivatives in dst, which may be z, for a row at p without a second one. m is
// [Mix.Regular].
func (m *Mix) Row(dst, z []float32, p *Point) {
	n := len(z) &^ (lanes - 1)
	tail := fill(z[n:])
	mix(dst[:n], z[:n], p, m)
	mix(tail[:], tail[:], p, m)
	copy(dst[n:], tail[:])
}

// Pair stores the derivatives in dst, which may be z. It holds for points and rows for which
// [Pair] is ok.
func (m *Mix) Pair(dst, z, zq []float32, p, q *Point) {
	n := len(z) &^ (lanes - 1)
	tail, tailQ := fill(z[n:]), fill(zq[n:])
	mixPair(dst[:n], z[:n], zq[:n], p, q, m)
	mixPair(tail[:], tail[:], tailQ[:], p, q, m)
	copy(dst[n:], tail[:])
}

func mixGo(dst, z []float32, at *Point, m *Mix) {
	var d, e [lanes]float64
	for ; len(z) >= lanes; z, dst = z[lanes:], dst[lanes:] {
		at.distances(&d, (*[lanes]float32)(z))
		expGo(&e, &d, at.scale)
		for i, y := range e {
			dst[i] = float32(y * fma(m.E2, y, fma(m.D, d[i], m.E)))
		}
	}
}

func mixPairGo(dst, z, zq []float32, at, atQ *Point, m *Mix) {
	var d, e, dq, eq [lanes]float64
	for ; len(z) >= lanes; z, zq, dst = z[lanes:], zq[lanes:], dst[lanes:] {
		at.distances(&d, (*[lanes]float32)(z))
		expGo(&e, &d, at.scale)
		atQ.distances(&dq, (*[lanes]float32)(zq))
		expGo(&eq, &dq, atQ.scale)
		for i, y := range e {
			s := fma(m.E2, y, fma(m.D, d[i], m.E))
			s = fma(m.Diff, d[i]-dq[i], s)
			dst[i] = float32(fma(m.Q, eq[i], float64(y*s)))
		}
	}
}
