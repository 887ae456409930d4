package vec

import (
	"math"
	"math/big"
)

// The oracle: sums of exponentials in 200 bits, 60 decimal digits.
const bits = 200

func newBig(x float64) *big.Float { return new(big.Float).SetPrec(bits).SetFloat64(x) }

func mul(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(bits).Mul(x, y) }

// bigExp returns eˣ: the Taylor series at x/2³², squared 32 times over.
func bigExp(x *big.Float) *big.Float {
	y := new(big.Float).SetPrec(bits+64).SetMantExp(x, -32)
	sum, term := newBig(1).SetPrec(bits+64), newBig(1).SetPrec(bits+64)
	for n := int64(1); n < 12; n++ {
		term.Mul(term, y)
		term.Quo(term, new(big.Float).SetInt64(n))
		sum.Add(sum, term)
	}
	for range 32 {
		sum.Mul(sum, sum)
	}
	return sum.SetPrec(bits)
}

// oracle are the sums of a row and of a pair at given points, as they are defined.
type oracle struct{ e, ed, ee, q, eDiff, qDiff *big.Float }

func newOracle(z, zq []float32, at, atQ Point) oracle {
	o := oracle{newBig(0), newBig(0), newBig(0), newBig(0), newBig(0), newBig(0)}
	term := func(x float32, at Point) (d, e *big.Float) {
		d = new(big.Float).SetPrec(bits).Sub(newBig(float64(x)), newBig(at.Ref))
		return d, bigExp(mul(d, newBig(at.Inv)))
	}
	for v, x := range z {
		if math.IsInf(float64(x), -1) {
			continue // in both
		}
		d, e := term(x, at)
		o.e.Add(o.e, e)
		o.ed.Add(o.ed, mul(e, d))
		o.ee.Add(o.ee, mul(e, e))
		if zq != nil {
			dq, eq := term(zq[v], atQ)
			diff := new(big.Float).SetPrec(bits).Sub(d, dq)
			o.q.Add(o.q, eq)
			o.eDiff.Add(o.eDiff, mul(e, diff))
			o.qDiff.Sub(o.qDiff, mul(eq, diff))
		}
	}
	return o
}

// off returns |got − want|/|want|.
func off(want *big.Float, got float64) float64 {
	if want.Sign() == 0 {
		return math.Abs(got)
	}
	d := new(big.Float).SetPrec(bits).Sub(newBig(got), want)
	r, _ := d.Quo(d, want).Float64()
	return math.Abs(r)
}
