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

// XMulLog returns p·l with 0·(±Inf) = 0: a term of an expectation of logarithms.
func XMulLog(p, l float64) float64 {
	if p == 0 {
		return 0
	}
	return p * l
}
