// Package oracle computes exponentials and logarithms to 1,400 bits, enough for 1 + e⁻⁷⁴⁵, by methods that
// share nothing with those of package math. It is for tests.
package oracle

import "math/big"

// Bits is the precision of everything here.
const Bits = 1400

// New returns x.
func New(x float64) *big.Float { return new(big.Float).SetPrec(Bits).SetFloat64(x) }

// Exp returns eˣ: the Taylor series at x/2⁴⁰, squared forty times over.
func Exp(x *big.Float) *big.Float {
	const halvings = 40
	y := new(big.Float).SetPrec(Bits+100).SetMantExp(x, -halvings)
	sum, term := New(1).SetPrec(Bits+100), New(1).SetPrec(Bits+100)
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

// Log returns log x for x > 0 by an iteration of third order on eʸ = x.
func Log(x *big.Float) *big.Float {
	const ln2 = 0.6931471805599453
	m := new(big.Float)
	e := x.MantExp(m)
	f, _ := m.Float64()
	y := New(float64(e)*ln2 + f - 1)
	for range 9 {
		// y += 2·(x − eʸ)/(x + eʸ)
		ey := Exp(y)
		d := new(big.Float).SetPrec(Bits).Sub(x, ey)
		d.Quo(d, new(big.Float).SetPrec(Bits).Add(x, ey))
		y.Add(y, d.Mul(d, New(2)))
	}
	return y
}

// Round returns the float64 nearest to x.
func Round(x *big.Float) float64 {
	f, _ := x.Float64()
	return f
}
