package coverage

import "math"

// The functions of this file turn coverage into a guaranteed gap J(π*) − J(π̂) between the
// best policy and the one that is optimal for a learned reward r̂,
//
//	J(π) = E_ρ[E_π r* − β·KL(π‖π_ref)],   π* ∝ π_ref·e^{r*/β},   π̂ ∝ π_ref·e^{r̂/β}
//
// from the reward error in distribution, ε_r = E_x E_{y¹,y²~π_ref}[((r*₁−r*₂)−(r̂₁−r̂₂))²],
// which preference data can make small. DPO's r̂ is β·log π̂/π_ref. Coverage is given as a
// logarithm; logC = +Inf gives +Inf even where ε_r = 0: no error on what the reference
// covers bounds the gap of a policy that leaves it. The order of the bounds, without
// their constants, is that of Song et al. 2024, arXiv:2406.01462.

// GapPolicies returns √(C·Ĉ·ε_r), a bound of the gap from the coverage of the two policies
// alone: C = max π*/π_ref and Ĉ = max π̂/π_ref, by [MaxLogRatio]. NaN if ε_r < 0.
func GapPolicies(logC, logCHat, rewardErr float64) float64 {
	return expSqrt(logC+logCHat, rewardErr)
}

// GapClass returns C·√ε_r, a bound of the gap for any class that holds π* and π̂ and has
// the coverage C: C_glo, the only one that DPO can be sure of, or C_ε for online RLHF and
// HyPO, which stay within a KL of [RLHFRadius]. NaN if ε_r < 0.
func GapClass(logC, rewardErr float64) float64 { return expSqrt(2*logC, rewardErr) }

// GapClassVariance returns √(C·ε_r), which holds wherever [GapClass] does and is
// smaller, by the square root of C. NaN if ε_r < 0.
func GapClassVariance(logC, rewardErr float64) float64 { return expSqrt(logC, rewardErr) }

// expSqrt returns √(e^logC·err).
func expSqrt(logC, err float64) float64 {
	if math.IsInf(logC, 1) && err >= 0 {
		return logC
	}
	return math.Exp(logC/2) * math.Sqrt(err)
}

// GapPath returns C·ε_r/(4β), a bound of the gap linear in the error, with C the coverage of
// all policies on the path between the two: the optima for r* − s·(r* − r̂), 0 ≤ s ≤ 1. NaN
// if ε_r < 0 or β ≤ 0.
func GapPath(logC, rewardErr, beta float64) float64 {
	switch {
	case !(rewardErr >= 0) || !(beta > 0):
		return math.NaN()
	case math.IsInf(logC, 1):
		return logC
	}
	return math.Exp(logC) * rewardErr / (4 * beta)
}

// GapDirection returns ‖E_{π*}φ − E_{π̂}φ‖_{Σ_ref†}·√ε_r, a bound of the gap for rewards
// that are linear in features, from the leverage of that one direction: [Metric.Leverage]
// under the Σ_{μ×μ} of the reference. NaN if an argument is < 0.
func GapDirection(leverage, rewardErr float64) float64 {
	if math.IsInf(leverage, 1) && rewardErr >= 0 {
		return leverage
	}
	return math.Sqrt(leverage) * math.Sqrt(rewardErr)
}

// RLHFRadius returns how far the optimum of a KL-regularised reward can be from π_ref,
// where rewards of one prompt differ by at most rewardRange:
//
//	KL(π‖π_ref) ≤ min(range/β, range²/(8β²)),   log max w ≤ range/β
//
// A reward with |r̂| ≤ R′ has range 2R′. NaN if rewardRange < 0 or β ≤ 0.
func RLHFRadius(rewardRange, beta float64) (kl, logMax float64) {
	if !(rewardRange >= 0) || !(beta > 0) {
		return math.NaN(), math.NaN()
	}
	x := rewardRange / beta
	return min(x, x*x/8), x
}
