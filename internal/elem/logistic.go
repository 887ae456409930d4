package elem

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/num"
)

// Smoothed stores value(z[i]) and slope(z[i]) of the package comment for ε = epsilon in
// value[i] and slope[i]; slope may be z. ε = 0 is the plain logistic link. value and slope are
// as long as z. For ε > 0 the value at z = ±Inf is +Inf on both sides.
func Smoothed(value, slope, z []float64, epsilon float64) {
	value, slope = value[:len(z)], slope[:len(z)]
	for i := 0; i < len(z); {
		i += regular(value[i:], slope[i:], z[i:], epsilon)
		// What stopped it: an argument that is not regular, or fewer than a vector.
		for end := min(i+lanes, len(z)); i < end; i++ {
			value[i], slope[i] = smoothed(z[i], epsilon)
		}
	}
}

// smoothed is Smoothed of one argument, whatever it is.
func smoothed(z, epsilon float64) (value, slope float64) {
	if a := math.Abs(z); a <= Far {
		return blend(z, epsilon, a)
	}
	if epsilon == 0 {
		return num.Softplus(-z), -num.Sigmoid(-z)
	}
	// Both terms are ≥ 0: nothing cancels, even at the infinities.
	return (1-epsilon)*num.Softplus(-z) + epsilon*num.Softplus(z), epsilon - num.Sigmoid(-z)
}

// blend is the definition that the assembly repeats, for a = |z| ≤ Far.
func blend(z, epsilon, a float64) (value, slope float64) {
	e := expOf(-a)
	l := log1p(e)
	q := 1 / (1 + e)
	miss, share := q, 1-epsilon // σ(−z); of |z| in the value
	if z >= 0 {
		miss, share = e*q, epsilon
	}
	value = float64(a*share) + l
	return value, epsilon - miss
}

// log1p returns log(1+e) for 0 < e ≤ 1 within 2 units in the last place. For u = e, or (e − 1)/2 if e
// is large, so that log(1+e) = log 2 + log(1+u), and s = u/(2+u), log(1+u) = 2·artanh s =
// u − (u²/2 − s·(u²/2 + s²·q(s²))).
func log1p(e float64) float64 {
	u, whole := e, 0.0
	if e > sqrt2Less1 {
		u, whole = float64((e-1)*0.5), math.Ln2
	}
	s := u / (2 + u)
	s2 := float64(s * s)
	s4 := float64(s2 * s2)
	high := float64(log6*s4) + (float64(log5*s2) + log4)
	q := float64(high*float64(s4*s4)) + cubic(log0, log1, log2, log3, s2, s4)
	half := float64(float64(u*u) * 0.5)
	v := float64(s * (half + float64(s2*q)))
	return whole + (u - (half - v))
}

// q is minimax: of (2·artanh √x − 2√x)/x^{3/2} for x ≤ 0.0295, with an error of 3e-16.
const (
	sqrt2Less1 = math.Sqrt2 - 1

	log0 = 0x1.5555555555558p-1
	log1 = 0x1.999999999513fp-2
	log2 = 0x1.2492492e1d0d9p-2
	log3 = 0x1.c71c62b042dfcp-3
	log4 = 0x1.7462c33b3e8d5p-3
	log5 = 0x1.39fc8c6934224p-3
	log6 = 0x1.2b6e3cf95421dp-3
)
