package loss

import "math"

// log1mexp returns log(1 − eˣ) for x ≤ 0.
func log1mexp(x float64) float64 {
	if x > -math.Ln2 {
		return math.Log(-math.Expm1(x))
	}
	return math.Log1p(-math.Exp(x))
}

// power returns (1 − e^{−αx})/α and its derivative e^{−αx}: x and 1 for α = 0.
func power(alpha, x float64) (value, slope float64) {
	if alpha == 0 {
		return x, 1
	}
	u := alpha * x
	slope = math.Exp(-u)
	switch {
	case math.Abs(u) < 1e-8: // αx may be subnormal, and the quotient 0/0
		return x * (1 - u/2), slope
	case u < -700: // the power may overflow where the quotient does not
		return -math.Copysign(math.Exp(-u-math.Log(math.Abs(alpha))), alpha), slope
	}
	return -math.Expm1(-u) / alpha, slope
}

// logPower is the logarithms of |(1 − e^{−αx})/α| and of e^{−αx}.
func logPower(alpha, x float64) (value, slope float64) {
	u := alpha * x
	if u < -700 {
		return -u - math.Log(math.Abs(alpha)), -u
	}
	v, _ := power(alpha, x)
	return math.Log(math.Abs(v)), -u
}

// hinge is max(0, δ − z).
func hinge(z, delta float64) (value, slope float64) {
	if z < delta {
		return delta - z, -1
	}
	return 0, 0
}

// squaredHinge is max(0, 1 − z)².
func squaredHinge(z float64) (value, slope float64) {
	d := max(0, 1-z)
	return d * d, -2 * d
}

// product is a·b with 0·∞ = 0, for factors of which the one that goes to 0 does so
// exponentially faster.
func product(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a * b
}

// logOdds returns log(p/(1−p)) for p = eˣ, x ≤ 0.
func logOdds(x float64) float64 { return x - log1mexp(x) }
