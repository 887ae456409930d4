package elem

import "math"

// LogSumExp returns log Σ e^{x[i]}: −Inf for no terms or all terms −Inf, +Inf if a
// term is +Inf, NaN if a term is NaN.
func LogSumExp(x []float64) float64 {
	m := maxOrNaN(x)
	if math.IsInf(m, 0) || m != m {
		return m
	}
	var e [256]float64
	s := 0.0
	for lo := 0; lo < len(x); lo += len(e) {
		part := x[lo:min(lo+len(e), len(x))]
		Exp(e[:len(part)], part, 1, m)
		s += Sum(e[:len(part)])
	}
	return m + math.Log(s)
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
	m := maxOrNaN(x)
	if math.IsInf(m, 0) || m != m {
		return m
	}
	Exp(dst, x, 1, m)
	s := 0.0
	for lo := 0; lo < len(x); lo += 256 { // the parts of LogSumExp
		s += Sum(dst[lo:min(lo+256, len(x))])
	}
	for i := range dst {
		dst[i] /= s
	}
	return m + math.Log(s)
}

// maxOrNaN returns the largest term, −Inf if there is none, NaN if one is NaN.
func maxOrNaN(x []float64) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		if v > m {
			m = v
		} else if v != v {
			return v
		}
	}
	return m
}
