package num

import "math/big"

// The oracle: exponential and logarithm in 1,400 bits, enough for 1 + e⁻⁷⁴⁵.

const bits = 1400

func newBig(x float64) *big.Float { return new(big.Float).SetPrec(bits).SetFloat64(x) }

// bigExp returns eˣ: the Taylor series at x/2⁴⁰, squared forty times over.
func bigExp(x *big.Float) *big.Float {
	const halvings = 40
	y := new(big.Float).SetPrec(bits+100).SetMantExp(x, -halvings)
	sum, term := newBig(1).SetPrec(bits+100), newBig(1).SetPrec(bits+100)
	for n := int64(1); n < 60; n++ {
		term.Mul(term, y)
		term.Quo(term, new(big.Float).SetInt64(n))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum
}

// bigLog returns log x for x > 0 by Newton's method on eʸ = x.
func bigLog(x *big.Float) *big.Float {
	const ln2 = 0.6931471805599453
	m := new(big.Float)
	e := x.MantExp(m)
	f, _ := m.Float64()
	y := newBig(float64(e)*ln2 + f - 1)
	for range 16 {
		// y += 2·(x − eʸ)/(x + eʸ), of third order
		ey := bigExp(y)
		d := new(big.Float).SetPrec(bits).Sub(x, ey)
		d.Quo(d, new(big.Float).SetPrec(bits).Add(x, ey))
		y.Add(y, d.Mul(d, newBig(2)))
	}
	return y
}

// round returns the float64 nearest to x.
func round(x *big.Float) float64 {
	f, _ := x.Float64()
	return f
}
