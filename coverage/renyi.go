package coverage

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/num"
)

// Renyi returns the Rényi divergence of order α ∈ [0, ∞] in nats, of distributions over
// the same responses given by their log-probabilities:
//
//	D_α(p‖q) = log Σ_y p(y)^α·q(y)^{1−α} / (α−1)
//
// D_0 = −log q(p > 0), D_1 = KL(p‖q), D_2 = log(1 + χ²), D_∞ = log max p/q; it does not
// decrease in α. Where p > 0 = q it is +Inf for α ≥ 1, and the term is 0 for α < 1. It is
// NaN for α < 0 and where a log-probability is NaN. It panics if the lengths differ.
//
// Close distributions and orders near 1 lose no digits: as for [KL], terms are summed
// that have one sign and that, for inputs that sum to 1, add up to Σ p^α·q^{1−α} − 1.
func Renyi(alpha float64, logp, logq []float64) float64 {
	sameLength(logp, logq)
	for i := range logp {
		if math.IsNaN(logp[i]) || math.IsNaN(logq[i]) {
			return math.NaN()
		}
	}
	switch {
	case !(alpha >= 0):
		return math.NaN()
	case alpha == 0:
		return renyi0(logp, logq)
	case alpha < 0.5:
		return alpha / (1 - alpha) * renyi(1-alpha, logq, logp)
	case alpha == 1:
		return KL(logp, logq)
	case math.IsInf(alpha, 1):
		return MaxLogRatio(logp, logq)
	}
	return renyi(alpha, logp, logq)
}

// renyi0 returns −log q(p > 0).
func renyi0(logp, logq []float64) float64 {
	missed := math.Exp(logTotal(logq, func(i int) bool { return math.IsInf(logp[i], -1) }))
	if missed < 0.5 {
		return -math.Log1p(-missed)
	}
	return -logTotal(logq, func(i int) bool { return !math.IsInf(logp[i], -1) })
}

// renyi is D_α for ½ ≤ α < ∞, α ≠ 1. With t = α−1, w = p/q, ℓ = log w and
// g(x) = eˣ − 1 − x,
//
//	Σ p^α·q^{1−α} − 1 = Σ q·(w^α − 1 − α(w−1)) = Σ p·(g(tℓ) + t·g(−ℓ))
//
// whose terms are ≥ 0 for t > 0, and for −½ ≤ t < 0 cancel at most half of each other.
func renyi(alpha float64, logp, logq []float64) float64 {
	t, sum := alpha-1, 0.0
	for i, lp := range logp {
		p, q := math.Exp(lp), math.Exp(logq[i])
		switch l := logRatio(lp, logq[i]); {
		case math.IsInf(l, -1):
			sum += t * q
		case math.IsInf(l, 1):
			if t > 0 {
				return l
			}
			sum -= alpha * p
		case l < -1: // here g(−ℓ) can overflow, p·g(−ℓ) cannot
			sum += p*num.Excess(t*l) + t*(q-p+p*l)
		default:
			sum += p * (num.Excess(t*l) + t*num.Excess(-l))
		}
	}
	if sum >= -0.5 && sum <= 1e300 {
		return math.Log1p(sum)/t + 0 // never −0
	}
	// Far apart: the plain sum, its largest term taken out. Divided by |t|, exponents do
	// not overflow however large α is.
	s, largest := math.Abs(t), math.Inf(-1)
	exponent := func(i int) float64 {
		l := logRatio(logp[i], logq[i])
		if math.IsInf(l, 0) { // p = 0, or q = 0 and α < 1
			return math.Inf(-1)
		}
		return logp[i]/s + math.Copysign(l, l*t)
	}
	for i := range logp {
		largest = max(largest, exponent(i))
	}
	if math.IsInf(largest, -1) {
		return math.Inf(1) // disjoint
	}
	total := 0.0
	for i := range logp {
		total += math.Exp(s * (exponent(i) - largest))
	}
	return math.Copysign(1, t)*largest + math.Log(total)/t
}
