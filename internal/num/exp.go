package num

import "math"

// ExpNonPositive stores exp(d[i]), for d[i] ≤ 0, in e[i], which may be d itself, with a relative error below 4e-16
// down to the smallest normal number and 0 below that. It is more than twice as fast
// as a loop over math.Exp, which is a function call for each number.
//
// With n the integer nearest to d·64/log 2, exp d = 2^(n/64) · exp r, |r| ≤ log 2/128:
// the first factor is a power of two times an entry of a table, the second a
// polynomial. Adding and subtracting 1.5·2^52 rounds to an integer, which then also
// stands in the low bits.
func ExpNonPositive(e, d []float64) {
	const (
		round = 0x1.8p52
		hi    = 0x1.62e42fefap-7 // log 2/64 to 32 bits, so that n·hi is exact
		lo    = math.Ln2/64 - hi
	)
	_ = e[:len(d)]
	for i, x := range d {
		if x < -708 {
			e[i] = 0
			continue
		}
		t := x*(64/math.Ln2) + round
		n := t - round
		r := x - n*hi - n*lo
		r2 := r * r
		p := r + r2*(0.5+r*(1.0/6)+r2*(1.0/24+r*(1.0/120)))
		k := int64(math.Float64bits(t))
		pow := math.Float64frombits(math.Float64bits(exp2[k&63]) + uint64(k>>6<<52))
		e[i] = pow + pow*p
	}
}

// exp2[i] is 2^(i/64).
var exp2 = func() (t [64]float64) {
	for i := range t {
		t[i] = math.Exp2(float64(i) / 64)
	}
	return t
}()
