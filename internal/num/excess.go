package num

import "math"

// Excess returns eˣ − 1 − x, which is never negative, to a few roundings: the terms cancel near 0,
// where it is x²/2. It is +Inf where eˣ exceeds every float64, and for −Inf.
func Excess(x float64) float64 {
	if math.Abs(x) <= ExcessNear {
		return x * x * excessSeries(x)
	}
	if e := math.Expm1(x); e <= math.MaxFloat64 {
		return e - x
	}
	return math.Exp(x)
}

// ExcessOf is Excess given e = eˣ.
func ExcessOf(x, e float64) float64 {
	if math.Abs(x) <= ExcessNear {
		return x * x * excessSeries(x)
	}
	if e > math.MaxFloat64 {
		return e
	}
	return e - 1 - x
}

// ExcessNear is up to which |x| the terms of eˣ − 1 − x are said to cancel.
const ExcessNear = 0.5

// excessSeries is (eˣ − 1 − x)/x² = Σ xⁿ/(n+2)! for |x| ≤ ExcessNear: the terms left out are
// below the last bit.
func excessSeries(x float64) float64 {
	x2 := x * x
	x4 := x2 * x2
	a := cubic(1.0/2, 1.0/6, 1.0/24, 1.0/120, x, x2)
	b := cubic(1.0/720, 1.0/5040, 1.0/40320, 1.0/362880, x, x2)
	c := cubic(1.0/3628800, 1.0/39916800, 1.0/479001600, 1.0/6227020800, x, x2)
	d := 1.0/87178291200 + float64(x*(1.0/1307674368000))
	return a + float64(x4*(b+float64(x4*(c+float64(x4*d)))))
}

// cubic is a + b·x + (c + d·x)·x² for x2 = x². Conversions keep compilers from fusing products with sums, so that
// package elem gives the same bits.
func cubic(a, b, c, d, x, x2 float64) float64 {
	return (a + float64(b*x)) + float64((c+float64(d*x))*x2)
}
