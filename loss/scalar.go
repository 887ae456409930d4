package loss

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/num"
)

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

// robust is −log σ(z) − b·z.
func robust(b, z float64) (value, slope float64) {
	return num.Softplus(-z) - b*z, -num.Sigmoid(-z) - b
}

// modulated is (1−m)·(−log σ(z)) + m·e⁻ᶻ with m = σ(z/τ). The product m·e⁻ᶻ is formed from
// logarithms, since its factors are 0 and ∞ at large negative z.
func modulated(tau, z float64) (value, slope float64) {
	m, rest := num.Sigmoid(z/tau), num.Sigmoid(-z/tau)
	logistic, exponential := num.Softplus(-z), math.Exp(-z-num.Softplus(-z/tau))
	if z < 0 {
		exponential = math.Exp(product(1/tau-1, z) - num.Softplus(z/tau))
	}
	value = product(rest, logistic) + exponential
	slope = -rest*num.Sigmoid(-z) - product(m*rest/tau, logistic) + product(exponential, rest/tau-1)
	return value, slope
}

// exo is q·log(q/(1−ε)) + (1−q)·log((1−q)/ε) with q = σ(z), given log ε and log(1−ε).
func exo(logEps, log1mEps, z float64) (value, slope float64) {
	q, p := num.Sigmoid(z), num.Sigmoid(-z)
	value = product(q, -num.Softplus(-z)-log1mEps) + product(p, -num.Softplus(z)-logEps)
	return value, product(q*p, z+logEps-log1mEps)
}

// product is a·b with 0·∞ = 0, for factors of which the one that goes to 0 does so
// exponentially faster.
func product(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a * b
}

// sigmoidSlope is σ(z)·σ(−z), the derivative of σ and the curvature of the logistic link.
func sigmoidSlope(z float64) float64 { return num.Sigmoid(z) * num.Sigmoid(-z) }

// logOdds returns log(p/(1−p)) for p = eˣ, x ≤ 0.
func logOdds(x float64) float64 { return x - log1mexp(x) }
