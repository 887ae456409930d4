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
	a := 1.0/2 + x*(1.0/6) + x2*(1.0/24+x*(1.0/120))
	b := 1.0/720 + x*(1.0/5040) + x2*(1.0/40320+x*(1.0/362880))
	c := 1.0/3628800 + x*(1.0/39916800) + x2*(1.0/479001600+x*(1.0/6227020800))
	d := 1.0/87178291200 + x*(1.0/1307674368000)
	return a + x4*(b+x4*(c+x4*d))
}
