package elem

import "math"

// Log stores the natural logarithm of x[i] in dst[i], with an error below 4e-16·max(|log x|, 1): −Inf for 0, NaN for a
// negative number. From 1 to 2 the error is relative to the logarithm. dst may be x, and is as long.
func Log(dst, x []float64) {
	dst = dst[:len(x)]
	for i := 0; i < len(x); {
		i += log(dst[i:], x[i:])
		// What stopped it: an argument that is not regular, or fewer than a vector.
		for end := min(i+lanes, len(x)); i < end; i++ {
			dst[i] = logOf(x[i])
		}
	}
}

// logOf is Log of one argument, whatever it is.
func logOf(x float64) float64 {
	switch {
	case x >= smallestNormal && x <= math.MaxFloat64:
		return logNormal(x, bias)
	case x > 0 && x < smallestNormal:
		return logNormal(0x1p54*x, bias+54)
	case x == 0:
		return math.Inf(-1)
	case x > 0:
		return x
	}
	return math.NaN()
}

// logNormal returns log x less what is too much in the exponent's bias: with x = 2ⁿ·(1+e) and 0 ≤ e < 1 it is
// n·log 2 + log(1+e), which the link has a polynomial for.
func logNormal(x, bias float64) float64 {
	bits := math.Float64bits(x)
	n := math.Float64frombits(bits>>52|integerBits) - (integer + bias)
	e := math.Float64frombits(bits&mantissaBits|oneBits) - 1
	return float64(n*ln2High) + (float64(n*ln2Low) + log1p(e))
}

const (
	smallestNormal = 0x1p-1022
	bias           = 1023

	mantissaBits = 1<<52 - 1
	oneBits      = bias << 52
	integer      = 0x1p52 // an integer n < 2⁵² in its low bits adds n to it
	integerBits  = (bias + 52) << 52

	ln2High = 0x1.62e42fefap-1 // log 2 to 36 bits: n·ln2High is exact
	ln2Low  = math.Ln2 - ln2High
)
