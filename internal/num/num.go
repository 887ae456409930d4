// Package num holds the scalar functions that must stay accurate where the obvious
// formula overflows or cancels.
package num

import "math"

// Softplus returns log(1 + eˣ), for every x.
func Softplus(x float64) float64 {
	return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
}

// LogSigmoid returns log σ(x) = −log(1 + e⁻ˣ).
func LogSigmoid(x float64) float64 { return -Softplus(-x) }

// Sigmoid returns σ(x) = 1/(1 + e⁻ˣ) with full relative accuracy in both tails; use
// Sigmoid(−x) for 1 − σ(x).
func Sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

// LogAddExp returns log(eᵃ + eᵇ): −Inf if both are −Inf, NaN if one is NaN.
func LogAddExp(a, b float64) float64 {
	hi, lo := max(a, b), min(a, b)
	if math.IsInf(hi, 0) {
		return hi
	}
	return hi + math.Log1p(math.Exp(lo-hi))
}

// LogSumExp returns log Σ e^{x[i]}: −Inf for no terms or all terms −Inf, +Inf if a
// term is +Inf, NaN if a term is NaN.
func LogSumExp(x []float64) float64 {
	m := maxOrNaN(x)
	if math.IsInf(m, 0) || m != m {
		return m
	}
	s := 0.0
	for _, v := range x {
		s += math.Exp(v - m)
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
	s := 0.0
	for i, v := range x {
		e := math.Exp(v - m)
		dst[i] = e
		s += e
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

// XMulLog returns p·l with 0·(±Inf) = 0: a term of an expectation of logarithms.
func XMulLog(p, l float64) float64 {
	if p == 0 {
		return 0
	}
	return p * l
}
