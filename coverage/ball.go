package coverage

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/num"
)

// LogBall returns log C_ε of one response that the reference gives the probability
// q = e^logq: how far a policy within KL(π‖π_ref) ≤ eps can raise it,
//
//	C = p*/q,   p* = max{p ∈ [q, 1]: p·log(p/q) + (1−p)·log((1−p)/(1−q)) ≤ ε}
//
// p* = 1 exactly if ε ≥ log 1/q; C decreases in q and grows with ε. Everything is in
// log space, so q may be smaller than any float64. For q = 0 the result is 0: a finite
// budget allows no mass there, and a policy that stays at 0 has w = 0/0, which counts
// for nothing. NaN unless eps ≥ 0 and logq ≤ 0.
func LogBall(logq, eps float64) float64 {
	switch {
	case !(logq <= 0) || !(eps >= 0):
		return math.NaN()
	case math.IsInf(logq, -1) || logq == 0 || eps == 0:
		return 0
	case eps >= -logq:
		return -logq
	}
	// Newton's method for log KL(c) = log ε in c = log C, kept inside a shrinking bracket.
	target, room := logOf(eps)-logq, logOf(-math.Expm1(logq)) // room = log(1−q)
	lo, hi := LogBallBracket(logq, eps)
	if target < -650 && target-room < -80 { // squares would underflow; the leading term is exact to rounding
		return math.Exp((target + math.Ln2 + room) / 2)
	}
	c := hi
	for range 100 {
		f, slope := logBallKL(c, logq)
		if f -= target; f > 0 {
			hi = min(hi, c)
		} else {
			lo = max(lo, c)
		}
		next := c - f/slope
		if c < -logq && math.Abs(next-c) <= 1e-8*min(c, -logq-c) { // its error is the square of that
			return min(max(next, lo), hi)
		}
		if !(next > lo && next < hi) {
			next = lo + (hi-lo)/2
		}
		if next == lo || next == hi {
			return next
		}
		c = next
	}
	return c
}

// logBallKL returns log(KL/q), and its derivative in c, of the policy that raises a
// response of probability q to p = q·eᶜ and scales the others down. With
// u = (p−q)/(1−q) and κ(u) = 1 + (1−u)·log(1−u)/u,
//
//	KL/q = eᶜ·(e^{−c} − 1 + c + (1 − e^{−c})·κ(u))
//
// in which nothing cancels, overflows or underflows.
func logBallKL(c, logq float64) (value, slope float64) {
	rise := -math.Expm1(-c) // 1 − q/p
	logp := min(logq+c, 0)
	rest := -math.Expm1(logq) // 1 − q
	u := math.Exp(logp) * rise / rest
	d := math.Log1p(-u) // log((1−p)/(1−q))
	if u > 0.5 {
		d = math.Log(-math.Expm1(logp) / rest)
	}
	kappa := 1.0
	switch {
	case u < 1e-300:
		kappa = u / 2
	case !math.IsInf(d, -1):
		kappa = (1 - u) * num.Excess(-d) / u
		if u > 0.5 {
			kappa = 1 + math.Exp(d)*d/u
		}
	}
	k := num.Excess(-c) + rise*kappa
	return c + math.Log(k), (c - d) / k
}

// LogBallBracket returns bounds of [LogBall] in closed form:
//
//	1 + (1/q−1)·min(1, ε/log(1/q)) ≤ C_ε ≤ min(1/q, exp(1 + W₀((ε/q−1)/e)))
//
// with Lambert's W₀. It is as accurate for ε ≪ q, where C−1 = √(2ε/q) + O(ε/q) and the
// usual form of W₀ has no digits left, as for ε/q that overflows.
func LogBallBracket(logq, eps float64) (lo, hi float64) {
	switch {
	case !(logq <= 0) || !(eps >= 0):
		return math.NaN(), math.NaN()
	case math.IsInf(logq, -1) || logq == 0 || eps == 0:
		return 0, 0
	case eps >= -logq:
		return -logq, -logq
	}
	odds := math.Log(-math.Expm1(logq)) - logq // log(1/q − 1)
	lo = min(-logq, num.Softplus(odds+logOf(eps)-math.Log(-logq)))
	return lo, min(-logq, lambertBall(logOf(eps)-logq))
}

// lambertBall returns c = 1 + W₀((a−1)/e), the c ≥ 0 with c·eᶜ − eᶜ + 1 = a, for
// a = e^loga ≥ 0, by Newton's method on the logarithm of the equation. That is concave in
// c, so that from a start below the root every step stays below it.
func lambertBall(loga float64) float64 {
	s := math.Exp((loga + math.Ln2) / 2) // √(2a)
	if s < 1e-3 {
		// The expansion of W₀ at its branch point.
		return s * (1 - s*(1./3-s*(11./72-s*(43./540-s*769./17280))))
	}
	c := 1.0
	if loga < 0 {
		c = s - s*s/3
	}
	for range 100 {
		g := num.Excess(-c)
		step := (loga - c - math.Log(g)) * g / c
		if c += step; math.Abs(step) <= 1e-9*c { // its error is the square of that
			break
		}
	}
	return c
}

// BallEps is the inverse of [LogBall]: the smallest ε with log C_ε ≥ logC for a response
// of probability e^logq, which is the KL of the policy that reaches it. 0 for logC ≤ 0,
// +Inf for a ratio above 1/q, which no policy reaches, and for every logC > 0 where q = 0.
func BallEps(logq, logC float64) float64 {
	switch {
	case !(logq <= 0) || math.IsNaN(logC):
		return math.NaN()
	case logC <= 0:
		return 0
	case logC > -logq || math.IsInf(logq, -1):
		return math.Inf(1)
	case logC == -logq:
		return -logq
	}
	v, _ := logBallKL(logC, logq)
	return math.Exp(v + logq)
}

// logOf is math.Log, also where x is subnormal: not every platform's version is right there.
func logOf(x float64) float64 {
	if x < 0x1p-1022 {
		return math.Log(x*0x1p64) - 64*math.Ln2
	}
	return math.Log(x)
}
