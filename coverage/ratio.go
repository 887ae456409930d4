package coverage

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/num"
)

// logRatio returns log(p/q) with 0/0 = 0: −Inf for p = 0, +Inf for p > 0 = q.
func logRatio(logp, logq float64) float64 {
	if math.IsInf(logp, -1) && !math.IsNaN(logq) {
		return logp
	}
	return logp - logq
}

func sameLength(a, b []float64) {
	if len(a) != len(b) {
		panic("coverage: slices of different lengths")
	}
}

// LogGlobal returns the logarithm of the global coverage of references π_ref(·|x), one
// slice of log-probabilities for each prompt that occurs:
//
//	log C_glo = max_x max_y −log π_ref(y|x)
//
// the largest w = π/π_ref that any policy at all can reach (arXiv:2406.01462): +Inf
// where π_ref(y|x) = 0, NaN if a log-probability is NaN, 0 for no responses.
func LogGlobal(logref ...[]float64) float64 {
	worst := 0.0
	for _, row := range logref {
		for _, lq := range row {
			worst = max(worst, -lq)
		}
	}
	return worst
}

// MaxLogRatio returns log max_y p(y)/q(y) over the responses with p(y) > 0, which is the
// Rényi divergence D_∞: +Inf where p > 0 = q, −Inf for no responses, NaN if a
// log-probability is NaN. It panics if the lengths differ.
func MaxLogRatio(logp, logq []float64) float64 {
	sameLength(logp, logq)
	worst := math.Inf(-1)
	for i, lp := range logp {
		worst = max(worst, logRatio(lp, logq[i]))
	}
	return worst
}

// Concentrability returns the logarithms of both forms of the single-policy
// concentrability of a comparator p, with w = p/q:
//
//	logMax = log max_y w(y),   logMean = log E_p[w] = log(1 + χ²(p‖q))
//
// It panics if the lengths differ.
func Concentrability(logp, logq []float64) (logMax, logMean float64) {
	return MaxLogRatio(logp, logq), Renyi(2, logp, logq)
}

// ChiSquare returns χ²(p‖q) = Σ_y (p(y) − q(y))²/q(y) = E_p[p/q] − 1, for distributions
// given by their log-probabilities: +Inf where p > 0 = q, NaN for NaN. Summed as
// q·(w−1)², so that close distributions lose no digits. Where χ² overflows, use
// [Renyi] with α = 2, which is log(1 + χ²). It panics if the lengths differ.
func ChiSquare(logp, logq []float64) float64 {
	sameLength(logp, logq)
	sum := 0.0
	for i, lp := range logp {
		lq := logq[i]
		switch l := logRatio(lp, lq); {
		case math.IsInf(lp, -1):
			sum += math.Exp(lq)
		case math.IsInf(l, 1):
			sum += l
		case l > 1:
			sum += math.Exp(lq + 2*(l+math.Log1p(-math.Exp(-l))))
		default:
			w := math.Expm1(l)
			sum += math.Exp(lq) * w * w
		}
	}
	return sum
}

// Profile returns the coverage profile Cov_N = P_{y~p}[p(y)/q(y) ≥ N] at N = e^logN
// (arXiv:2510.15020). It is the one quantity behind the others: its integral over N is
// 1 + χ², the last N at which it is positive is max p/q, and Cov_N ≤ E_p[p/q]/N. It
// panics if the lengths differ.
func Profile(logp, logq []float64, logN float64) float64 {
	sameLength(logp, logq)
	sum := 0.0
	for i, lp := range logp {
		if l := logRatio(lp, logq[i]); l >= logN {
			sum += math.Exp(lp)
		} else if math.IsNaN(l) {
			return l
		}
	}
	return sum
}

// Joint returns the log-probabilities of ρ×π: log ρ(x) + log π(y|x), prompt after
// prompt. The divergences of this package, applied to the joint distributions of two
// policies, are those over all prompts. It panics if the numbers of prompts differ.
func Joint(logrho []float64, logp [][]float64) []float64 {
	if len(logrho) != len(logp) {
		panic("coverage: slices of different lengths")
	}
	var joint []float64
	for x, row := range logp {
		for _, lp := range row {
			joint = append(joint, logrho[x]+lp)
		}
	}
	return joint
}

// logTotal returns log Σ e^x over the terms that keep selects.
func logTotal(x []float64, keep func(i int) bool) float64 {
	total := math.Inf(-1)
	for i, v := range x {
		if keep(i) {
			total = num.LogAddExp(total, v)
		}
	}
	return total
}
