package elem

import "math"

// Far is the largest |x| for which eˣ is taken to be a normal number.
const Far = 708

// Exp stores exp(a·x[i] − b), with a relative error below 4e-16 beside that of the argument, in dst[i]: 0 for an
// argument below −Far, and nonsense for one above Far. dst may be x, and is as long.
func Exp(dst, x []float64, a, b float64) {
	dst = dst[:len(x)]
	for i := exp(dst, x, a, b); i < len(x); i++ {
		if y := float64(a*x[i]) - b; y >= -Far {
			dst[i] = expOf(y)
		} else {
			dst[i] = 0
		}
	}
}

// expOf returns eʸ for |y| ≤ Far within 1.5 units in the last place. With n the integer nearest
// to y/log 2 and r = y − n·log 2, |r| ≤ ½·log 2, it is 2ⁿ·(1 + r + r²·p(r)).
func expOf(y float64) float64 {
	t := float64(y*math.Log2E) + round
	n := t - round // the integer, which stands in the low bits of t as well
	r := y - float64(n*ln2Hi)
	r -= float64(n * ln2Lo)
	r2 := float64(r * r)
	r4 := float64(r2 * r2)
	p := float64((float64((float64(exp9*r)+exp8)*r4)+cubic(exp4, exp5, exp6, exp7, r, r2))*r4) + cubic(exp0, exp1, exp2, exp3, r, r2)
	m := float64(r2*p) + r
	return math.Float64frombits(math.Float64bits(1+m) + math.Float64bits(t)<<52)
}

// cubic returns a + b·x + (c + d·x)·x² for x2 = x².
func cubic(a, b, c, d, x, x2 float64) float64 {
	return float64((float64(d*x)+c)*x2) + (float64(b*x) + a)
}

// p is minimax: of (e^r − 1 − r)/r² for |r| ≤ ½·log 2, with an error of 4e-18·e^r.
const (
	round = 0x1.8p52
	ln2Hi = 0x1.62e42fefap-1 // log 2 to 36 bits: n·ln2Hi is exact
	ln2Lo = math.Ln2 - ln2Hi

	exp0 = 0x1.000000000000ap-1
	exp1 = 0x1.55555555554f9p-3
	exp2 = 0x1.555555555083ep-5
	exp3 = 0x1.1111111127d0ep-7
	exp4 = 0x1.6c16c18438b11p-10
	exp5 = 0x1.a01a012a0f35cp-13
	exp6 = 0x1.a01999e26209fp-16
	exp7 = 0x1.71df25b30d420p-19
	exp8 = 0x1.28ad9b8648615p-22
	exp9 = 0x1.ad7f3ee5d2f80p-26
)
