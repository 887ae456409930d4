package elem

import "math"

// LogSumExp returns log Σ e^{x[i]}: −Inf for no terms or all terms −Inf, +Inf if a
// term is +Inf, NaN if a term is NaN.
func LogSumExp(x []float64) float64 {
	m := Max(x)
	if math.IsInf(m, 0) || m != m {
		return m
	}
	if len(x) <= 32 { // worth the time that it takes to clear the larger room
		var e [32]float64
		return m + math.Log(sumOfExp(e[:], x, m))
	}
	var e [part]float64
	return m + math.Log(sumOfExp(e[:], x, m))
}

// part is the number of terms that are added up at a time.
const part = 256

// sumOfExp returns Σ e^(x[i]−m), with room for a part, or all of x.
func sumOfExp(room, x []float64, m float64) float64 {
	s := 0.0
	for lo := 0; lo < len(x); lo += part {
		x := x[lo:min(lo+part, len(x))]
		Exp(room[:len(x)], x, 1, m)
		s += Sum(room[:len(x)])
	}
	return s
}

// LogNormalize stores x − log Σ eˣ in dst, which may be x itself, and returns the log
// of the sum. If the sum is 0, +Inf or NaN, it leaves dst as it was.
func LogNormalize(dst, x []float64) float64 {
	z := LogSumExp(x)
	if math.IsInf(z, 0) || z != z {
		return z
	}
	for i, v := range x {
		dst[i] = v - z
	}
	return z
}

// Softmax stores eˣ / Σ eˣ in dst, which may be x itself, and returns log Σ eˣ, the same
// bits as LogSumExp. If the sum is 0, +Inf or NaN, it leaves dst as it was.
func Softmax(dst, x []float64) float64 {
	m := Max(x)
	if math.IsInf(m, 0) || m != m {
		return m
	}
	Exp(dst, x, 1, m)
	s := 0.0
	for lo := 0; lo < len(x); lo += part {
		s += Sum(dst[lo:min(lo+part, len(x))])
	}
	for i, scale := 0, 1/s; i < len(dst); i++ {
		dst[i] *= scale
	}
	return m + math.Log(s)
}

// Max returns the largest term, −Inf if there is none, NaN if one is NaN.
func Max(x []float64) float64 {
	m := math.Inf(-1)
	if whole := len(x) &^ (lanes - 1); whole > 0 {
		if v, ok := largest(x[:whole]); ok {
			m, x = v, x[whole:]
		}
	}
	for _, v := range x {
		if v > m {
			m = v
		} else if v != v {
			return v
		}
	}
	return m
}
