package vec

import "math"

// Sums are the sums over a row that the quantities of its distribution are made of, with
// e_v and d_v of its [Point], and those of a second row, e_q and d_q, at the point of that.
type Sums struct {
	E, ED, EE    float64 // Σ e, Σ e·d, Σ e²
	Q            float64 // Σ e_q
	EDiff, QDiff float64 // Σ e·(d − d_q), Σ e_q·(d_q − d)
	Max          float32 // the largest of the row
}

// What [Row] sums up beside E.
const (
	JustE   = false
	Moments = true
)

// Row sums up the exponentials of z at temperature 1/inv, and the moments if wanted. It is
// not ok, and says no more, if z has a NaN or a +Inf or nothing but −Inf, or if z/T spreads
// over more than a float64 can hold.
func Row(z []float32, inv float64, moments bool) (at Point, out Sums, ok bool) {
	if at, ok = guess(z, inv); !ok {
		return at, out, false
	}
	for {
		var s sums
		b := newBounds()
		whole := z[:len(z)&^(lanes-1)]
		tail := fill(z[len(whole):])
		if moments {
			momentsOf(&s, &b, whole, &at)
			momentsOf(&s, &b, tail[:], &at)
			out.ED, out.EE = halves(&s[sumED])/at.unit, halves(&s[sumEE])/(at.unit*at.unit)
		} else {
			logSum(&s, &b, whole, &at)
			logSum(&s, &b, tail[:], &at)
		}
		out.E, out.Max = halves(&s[sumE])/at.unit, b.max(maxP)
		if at.reaches(out.Max) {
			return at, out, out.E < math.Inf(1) // not a NaN
		}
		if at, ok = newPoint(out.Max, inv); !ok {
			return at, out, false
		}
	}
}

// reaches reports whether exponentials up to that of x can be summed up and squared.
func (p *Point) reaches(x float32) bool { return p.Exponent(float64(x)) <= height }

// fill returns z and −Inf behind it.
func fill(z []float32) (x [lanes]float32) {
	for i := range x {
		x[i] = float32(math.Inf(-1))
	}
	copy(x[:], z)
	return x
}

// Pair sums up two rows of the same length, with everything that there is in Sums. It is not
// ok where [Row] is not for one of them, and where a token that matters in one of them is
// all but impossible in the other.
func Pair(z, zq []float32, inv float64) (at, atQ Point, out Sums, ok bool) {
	at, ok = guess(z, inv)
	atQ, okQ := guess(zq, inv)
	for ok && okQ {
		var s sums
		b := newBounds()
		n := len(z) &^ (lanes - 1)
		tail, tailQ := fill(z[n:]), fill(zq[n:])
		pair(&s, &b, z[:n], zq[:n], &at, &atQ)
		pair(&s, &b, tail[:], tailQ[:], &at, &atQ)
		out = Sums{
			halves(&s[sumE]) / at.unit, halves(&s[sumED]) / at.unit, halves(&s[sumEE]) / (at.unit * at.unit),
			halves(&s[sumQ]) / atQ.unit, halves(&s[sumED2]) / at.unit, halves(&s[sumQD2]) / atQ.unit, b.max(maxP),
		}
		maxQ := b.max(maxQ)
		if at.reaches(out.Max) && atQ.reaches(maxQ) {
			// Where a floor acts on a token of weight in the other row, the difference is large.
			far := depth / 2 / inv
			hi, lo := float64(b.max(maxPQ))-at.Ref+atQ.Ref, float64(b.min(minPQ))-at.Ref+atQ.Ref
			return at, atQ, out, out.E < math.Inf(1) && out.Q < math.Inf(1) && hi < far && lo > -far
		}
		at, ok = newPoint(out.Max, inv)
		atQ, okQ = newPoint(maxQ, inv)
	}
	return at, atQ, out, false
}
