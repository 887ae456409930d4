package vec

import "math"

// score is what the gradient of w·log p_y with respect to x takes, at a label other than v,
//
//	−w·p_v/T = factor·2^(m + r),   m + r = x_v·log₂e/T − k,
//
// with integers m and k, k near log₂ Σ exp(x/T), and |r| ≤ ½. Assembly works in float32:
// 2^r = 1 + c[0]·r + … + c[5]·r⁶ to 2e-9, and below 2^−126 it is 0. Go works in float64.
type score struct {
	factor float32    // −w/T·2^k/Σ exp(x/T), about w/T
	hi, lo float32    // log₂e/T
	shift  float32    // 1.5·2²³ − k: adding it rounds to an integer less k
	least  float32    // 1.5·2²³ − 126
	c      [6]float32 // c[0] is the factor of r
	bias   uint32     // the bits of 1

	inv, ref, wide float64 // 1/T, T·log Σ exp(x/T), −w/T
}

// Score stores −w/T·exp(x_v/T − logZ) in dst, which may be z: the gradient of w·log p but for
// that at the label, for logZ = log Σ exp(x/T). Its relative error is below 2e-7.
func Score(dst, z []float32, inv, w, logZ float64) {
	k := math.RoundToEven(logZ * math.Log2E)
	scale, factor := inv*math.Log2E, -w*inv*math.Exp(k*math.Ln2-logZ)
	s := score{
		factor: float32(factor), hi: float32(scale), shift: float32(0x1.8p23 - k), least: 0x1.8p23 - 126,
		c: [6]float32{
			0x1.62e430af29194p-1, 0x1.ebfbdc3c24e19p-3, 0x1.c6aee88c9059ep-5,
			0x1.3b2d4cf6b4d3dp-7, 0x1.5f3e53bdfa58dp-10, 0x1.41fbba2bf3256p-13,
		},
		bias: math.Float32bits(1),
		inv:  inv, ref: logZ / inv, wide: -w * inv,
	}
	s.lo = float32(scale - float64(s.hi))
	within := func(x float64) bool { return x > 0x1p-80 && x < 0x1p80 }
	s.run(dst, z, math.Abs(k) < 1<<21 && within(scale) && within(math.Abs(factor)))
}

// run stores the scores, in float32 if that is wide enough.
func (s *score) run(dst, z []float32, narrow bool) {
	n := len(z) &^ (lanes - 1)
	x := fill(z[n:])
	if narrow {
		scores(dst[:n], z[:n], s)
		scores(x[:], x[:], s)
	} else {
		scoresGo(dst[:n], z[:n], s)
		scoresGo(x[:], x[:], s)
	}
	copy(dst[n:], x[:])
}

// scoresGo is Score for multiples of 16.
func scoresGo(dst, z []float32, s *score) {
	var d, e [lanes]float64
	for ; len(z) >= lanes; z, dst = z[lanes:], dst[lanes:] {
		for i, x := range (*[lanes]float32)(z) {
			d[i] = min(max((float64(x)-s.ref)*s.inv, -depth), 0)
		}
		expGo(&e, &d, math.Log2E)
		for i, y := range e {
			if d[i] == -depth {
				y = 0
			}
			dst[i] = float32(s.wide * y)
		}
	}
}
