package elem

import "math"

// Far is the largest |x| for which eˣ is taken to be a normal number.
const Far = 708

// Exp stores exp(a·x[i] − b), with a relative error below 4e-16 beside that of b, in dst[i]: 0 for an
// argument below −Far, and nonsense for one above Far. dst may be x, and is as long.
func Exp(dst, x []float64, a, b float64) {
	dst = dst[:len(x)]
	for i := exp(dst, x, a, b); i < len(x); i++ {
		if y := math.FMA(a, x[i], -b); y >= -Far {
			dst[i] = expOf(y)
		} else {
			dst[i] = 0
		}
	}
}

// expOf returns eʸ for |y| ≤ Far within 1.2 units in the last place. With n/16 the multiple of 1/16
// nearest to y/log 2, n = 16·m + j and r = y/log 2 − n/16, |r| ≤ 1/32, it is 2ᵐ·2^(j/16)·(1 + r·p(r)).
func expOf(y float64) float64 {
	t := math.FMA(y, math.Log2E, sixteenths)
	r := math.FMA(y, log2ELo, math.FMA(y, math.Log2E, sixteenths-t))
	p := math.FMA(exp5, r, exp4)
	p = math.FMA(p, r, exp3)
	p = math.FMA(p, r, exp2)
	p = math.FMA(p, r, exp1)
	p = math.FMA(p, r, exp0)
	n := math.Float64bits(t) // n is in its low bits
	power := math.Float64frombits(root[n%16] + n<<48)
	return math.FMA(power*r, p, power)
}

// root holds the bits of 2^(j/16), less what j adds to them when it is moved to the exponent with m.
var root = func() (bits [16]uint64) {
	for j, x := range [...]float64{
		0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0,
		0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0,
		0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
		0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0,
	} {
		bits[j] = math.Float64bits(x) - uint64(j)<<48
	}
	return bits
}()

// p is minimax: of (2ʳ − 1)/r for |r| ≤ 1/32, with an error of 7e-18·2ʳ/r.
const (
	sixteenths = 0x1.8p48 // adding it rounds to a multiple of 1/16
	log2ELo    = 0x1.777d0ffda0d24p-56

	exp0 = 0x1.62e42fefa39fdp-1
	exp1 = 0x1.ebfbdff82c553p-3
	exp2 = 0x1.c6b08d6e8ba08p-5
	exp3 = 0x1.3b2ab6fe272c3p-7
	exp4 = 0x1.5d89bdcd026fap-10
	exp5 = 0x1.430818ad73e5ap-13
)
