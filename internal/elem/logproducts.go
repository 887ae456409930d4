package elem

import "math"

// LogProducts stores Σᵢ log(1 + a[j]·x[i]) in dst[j], for x ≥ 0 of which the first is the largest: NaN where
// 1 + a[j]·x[0] is not a positive finite number. It multiplies the terms and takes one logarithm: the error is that
// of rounding each term, and so relative to 1 and not to a[j]·x[i]. dst may be a, and is as long.
func LogProducts(dst, a, x []float64) {
	dst = dst[:len(a)]
	if len(x) == 0 {
		clear(dst)
		return
	}
	// All terms of a product lie between 1 and the first: 16 of them stay in the range of float64, or one does.
	every := 16
	for _, v := range a {
		if f := term(v, x[0]); f < 0x1p-63 || f > 0x1p63 {
			every = 1
		}
	}
	for lo := 0; lo < len(a); lo += together {
		var room, mantissa [together]float64
		var exponent [together]int64
		n := copy(room[:], a[lo:])
		if !products(&mantissa, &exponent, &room, x, every) {
			for j, v := range room[:n] {
				mantissa[j], exponent[j] = product(v, x, every)
			}
		}
		out := dst[lo : lo+n]
		Log(out, mantissa[:n])
		for j, v := range room[:n] {
			out[j] += float64(float64(exponent[j]) * math.Ln2)
			if f := term(v, x[0]); !(f > 0 && f <= math.MaxFloat64) {
				out[j] = math.NaN()
			}
		}
	}
}

// together is the number of products that kernels work on at a time: each multiplication waits for the one before.
const together = 16

func term(a, x float64) float64 { return float64(a*x) + 1 }

// product returns Πᵢ term(a, x[i]) as m·2ⁿ with ½ ≤ m < 1, which is what it becomes after so many terms each time.
func product(a float64, x []float64, every int) (m float64, n int64) {
	m = 1
	for len(x) > 0 {
		some := x[:min(every, len(x))]
		for _, v := range some {
			m *= term(a, v)
		}
		bits := math.Float64bits(m)
		n += int64(bits>>52) - (bias - 1)
		m = math.Float64frombits(bits&mantissaBits | halfBits)
		x = x[len(some):]
	}
	return m, n
}

const halfBits = (bias - 1) << 52
