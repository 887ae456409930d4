package vec

import "math"

// Block is the number of elements whose exponentials [BlockSums] adds up to one number.
const Block = 1024

// BlockSums stores Σ exp(x_v − ref) over each Block elements of x in dst, the last of which may
// be shorter, and returns the sum of all; ref is the largest element, at least. Exponentials
// below e^−700 count as that. A NaN makes its block and the sum one.
func BlockSums(dst, x []float64, ref float64) (total float64) {
	for b := range dst {
		block := x[b*Block : min((b+1)*Block, len(x))]
		var s [lanes]float64
		n := len(block) &^ (lanes - 1)
		expSum(&s, block[:n], ref)
		if n < len(block) {
			tail := fill64(block[n:])
			expSum(&s, tail[:], ref)
		}
		dst[b] = halves(&s)
		total += dst[b]
	}
	return total
}

// Blocks returns the number of blocks of n elements.
func Blocks(n int) int { return (n + Block - 1) / Block }

// Exp stores exp(x_v − ref) in e, as long as x, and 0 where it is below e^−700; ref is the largest
// element, at least.
func Exp(e, x []float64, ref float64) {
	n := len(x) &^ (lanes - 1)
	exps(e[:n], x[:n], ref)
	if n < len(x) {
		tail := fill64(x[n:])
		exps(tail[:], tail[:], ref)
		copy(e[n:], tail[:])
	}
}

// Maxima stores maxima of x in dst: of each Block elements 16, those of the elements alike modulo
// 16. A NaN is none, and a missing element is −Inf.
func Maxima(dst, x []float64) {
	for ; len(x) > 0; x, dst = x[min(Block, len(x)):], dst[lanes:] {
		block := x[:min(Block, len(x))]
		m := (*[lanes]float64)(dst)
		*m = fill64(nil)
		n := len(block) &^ (lanes - 1)
		maxima(m, block[:n])
		if n < len(block) {
			tail := fill64(block[n:])
			maxima(m, tail[:])
		}
	}
}

// Max returns the largest element, −Inf if there is none. A NaN is none.
func Max(x []float64) float64 {
	m := fill64(nil)
	n := len(x) &^ (lanes - 1)
	tail := fill64(x[n:])
	maxima(&m, x[:n])
	maxima(&m, tail[:])
	top := m[0]
	for _, y := range m {
		top = max(top, y)
	}
	return top
}

// NotBelow sets bit v mod 64 of mask[v/64] unless x_v < t, for all elements of x, and clears
// the others of mask: a NaN is not below anything.
func NotBelow(mask []uint64, x []float64, t float64) {
	n := len(x) &^ 63
	notBelow(mask[:n/64], x[:n], t)
	if n == len(x) {
		return
	}
	last := uint64(0)
	for v, y := range x[n:] {
		if !(y < t) {
			last |= 1 << v
		}
	}
	mask[n/64] = last
}

// Widen stores z in dst.
func Widen(dst []float64, z []float32) {
	n := len(z) &^ (lanes - 1)
	widen(dst[:n], z[:n])
	widenGo(dst[n:], z[n:])
}

// Scale stores (z − shift)/t in dst.
func Scale(dst []float64, z []float32, shift, t float64) {
	n := len(z) &^ (lanes - 1)
	scale(dst[:n], z[:n], shift, t)
	scaleGo(dst[n:], z[n:], shift, t)
}

// Divide stores (x − shift)/t in dst, which may be x.
func Divide(dst, x []float64, shift, t float64) {
	n := len(x) &^ (lanes - 1)
	divide(dst[:n], x[:n], shift, t)
	divideGo(dst[n:], x[n:], shift, t)
}

func fill64(z []float64) (x [lanes]float64) {
	for i := range x {
		x[i] = math.Inf(-1)
	}
	copy(x[:], z)
	return x
}

// The reference of the kernels: for multiples of 16, notBelowGo of 64.

func expSumGo(s *[lanes]float64, x []float64, ref float64) {
	var e, d [lanes]float64
	for ; len(x) >= lanes; x = x[lanes:] {
		depths(&d, (*[lanes]float64)(x), ref)
		expGo(&e, &d, math.Log2E)
		for i, y := range e {
			s[i] += y
		}
	}
}

func expsGo(e, x []float64, ref float64) {
	var d [lanes]float64
	for ; len(x) >= lanes; x, e = x[lanes:], e[lanes:] {
		in, out := *(*[lanes]float64)(x), (*[lanes]float64)(e)
		depths(&d, &in, ref)
		expGo(out, &d, math.Log2E)
		for i, y := range in {
			if y-ref < -depth {
				out[i] = 0
			}
		}
	}
}

// depths stores x − ref, but at least −depth, in d.
func depths(d, x *[lanes]float64, ref float64) {
	for i, y := range x {
		y -= ref
		if y < -depth {
			y = -depth
		}
		d[i] = y
	}
}

func maximaGo(m *[lanes]float64, x []float64) {
	for ; len(x) >= lanes; x = x[lanes:] {
		for i, y := range (*[lanes]float64)(x) {
			if y > m[i] {
				m[i] = y
			}
		}
	}
}

func notBelowGo(mask []uint64, x []float64, t float64) {
	for i := range mask {
		word := uint64(0)
		for v, y := range x[64*i : 64*i+64] {
			if !(y < t) {
				word |= 1 << v
			}
		}
		mask[i] = word
	}
}

func widenGo(dst []float64, z []float32) {
	for v, x := range z {
		dst[v] = float64(x)
	}
}

func scaleGo(dst []float64, z []float32, shift, t float64) {
	for v, x := range z {
		dst[v] = (float64(x) - shift) / t
	}
}

func divideGo(dst, x []float64, shift, t float64) {
	for v, y := range x {
		dst[v] = (y - shift) / t
	}
}
