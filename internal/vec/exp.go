package vec

import "math"

// exponential holds the constants of the exponential, for Go and for assembly, which knows
// the places of the fields.
type exponential struct {
	pow    [16]uint64 // the bits of 2^(j/16) less j<<48: adding those of t shifted by 48 gives 2^t
	hi, lo [16]uint32 // the halves of pow
	c      [6]float64 // 2^r = c[0] + … + c[5]·r⁵ for |r| ≤ 1/32, relative error 6e-15
	magic  float64    // adding it rounds to a multiple of 1/16, which then stands in the low bits
	least  float64    // −depth
	log2e  float64
}

// magic is what rounds a number below 2⁴⁰ to a multiple of 1/16 where it is added.
const magic = 0x1.8p48

var table = func() *exponential {
	e := &exponential{
		c:     [6]float64{1, 0x1.62e42fefa3981p-1, 0x1.ebfbdff5ffbe4p-3, 0x1.c6b08d771dfdep-5, 0x1.3b2c78bdb8b39p-7, 0x1.5d862bf1c440ap-10},
		magic: magic, least: -depth, log2e: math.Log2E,
	}
	for j, x := range [16]float64{
		0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0,
		0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0,
		0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
		0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0,
	} {
		e.pow[j] = math.Float64bits(x) - uint64(j)<<48
		e.hi[j], e.lo[j] = uint32(e.pow[j]>>32), uint32(e.pow[j])
	}
	return e
}()

// lanes is the number of elements that every kernel works on at a time.
const lanes = 16

// expGo stores exp(d·ln 2·scale) in e, for |d·scale| < 1020.
func expGo(e, d *[lanes]float64, scale float64) {
	c := &table.c
	for i, x := range d {
		t := fma(x, scale, magic)
		r := fma(x, scale, -(t - magic))
		q := fma(fma(fma(fma(c[5], r, c[4]), r, c[3]), r, c[2]), r, c[1])
		b := power(t)
		e[i] = fma(b*r, q, b)
	}
}

// power returns 2^t for a multiple t of 1/16 that magic has been added to.
func power(t float64) float64 {
	k := math.Float64bits(t)
	return math.Float64frombits(table.pow[k&15] + k<<48)
}

// halves adds up lanes.
func halves(s *[lanes]float64) float64 {
	t := *s
	for n := lanes / 2; n > 0; n /= 2 {
		for i := range n {
			t[i] += t[i+n]
		}
	}
	return t[0]
}
