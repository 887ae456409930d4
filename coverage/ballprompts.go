package coverage

import "math"

// rarest returns the response with the smallest positive probability, −1 if there is none.
// NaN counts as smallest, so that it reaches the result.
func rarest(logref []float64) int {
	y := -1
	for i, lq := range logref {
		if math.IsNaN(lq) {
			return i
		}
		if !math.IsInf(lq, -1) && (y < 0 || lq < logref[y]) {
			y = i
		}
	}
	return y
}

// LogBallPrompt returns log C_ε for one prompt: the largest log π/π_ref of any policy
// with KL(π‖π_ref) ≤ eps, over all responses that π_ref can give. It is [LogBall] of the
// rarest of them. For several prompts with a budget each, take the largest.
func LogBallPrompt(logref []float64, eps float64) float64 {
	y := rarest(logref)
	if y < 0 {
		return math.NaN()
	}
	return LogBall(logref[y], eps)
}

// BallPolicy stores in dst the log-probabilities of the policy that attains
// [LogBallPrompt], and returns that value: p* on the rarest response y, the rest in
// proportion to π_ref. dst may be logref itself. It panics if the lengths differ.
func BallPolicy(dst, logref []float64, eps float64) float64 {
	sameLength(dst, logref)
	y := rarest(logref)
	if y < 0 {
		return math.NaN()
	}
	logq := logref[y]
	c := LogBall(logq, eps)
	logp := min(logq+c, 0)
	shift := 0.0 // log((1−p)/(1−q))
	if logq < 0 {
		shift = math.Log(-math.Expm1(logp)) - math.Log(-math.Expm1(logq))
	}
	for i, lq := range logref {
		dst[i] = lq + shift
	}
	dst[y] = logp
	return c
}

// LogBallAverage returns log C_ε when the budget is for the average over prompts,
// E_{x~ρ} KL(π‖π_ref) ≤ eps:
//
//	C_ε = max_x p*(q_min(x), ε/ρ(x)) / q_min(x)
//
// The whole budget goes to one prompt, whose index is returned too: the policy that attains
// C_ε is [BallPolicy] with ε/ρ(x) there, and π_ref elsewhere. So it is larger than
// [LogBallPrompt] with the same eps, and grows as prompts become rarer. Prompts with
// ρ(x) = 0 do not count; with no prompt that counts, the result is NaN and −1. It panics if
// the numbers of prompts differ.
func LogBallAverage(logrho []float64, logref [][]float64, eps float64) (logC float64, prompt int) {
	logC, prompt = math.NaN(), -1
	overPrompts(logrho, logref, func(x int, rho, logq float64) {
		if c := LogBall(logq, eps/rho); prompt < 0 || c > logC || math.IsNaN(c) {
			logC, prompt = c, x
		}
	})
	return logC, prompt
}

// BallPromptEps is the inverse of [LogBallPrompt]: the smallest eps at which it reaches
// logC, +Inf if it never does.
func BallPromptEps(logref []float64, logC float64) float64 {
	y := rarest(logref)
	if y < 0 {
		return math.NaN()
	}
	return BallEps(logref[y], logC)
}

// BallAverageEps is the inverse of [LogBallAverage]: the smallest eps at which it reaches
// logC, min_x ρ(x)·ε_x with ε_x from [BallPromptEps]; +Inf if it never does.
func BallAverageEps(logrho []float64, logref [][]float64, logC float64) float64 {
	best, any := math.Inf(1), false
	overPrompts(logrho, logref, func(_ int, rho, logq float64) {
		any = true
		best = min(best, rho*BallEps(logq, logC))
	})
	if !any {
		return math.NaN()
	}
	return best
}

// overPrompts calls f with every prompt that occurs, its probability, and the smallest
// positive log-probability of a response to it.
func overPrompts(logrho []float64, logref [][]float64, f func(x int, rho, logq float64)) {
	if len(logrho) != len(logref) {
		panic("coverage: slices of different lengths")
	}
	for x, row := range logref {
		if y := rarest(row); !math.IsInf(logrho[x], -1) && y >= 0 {
			f(x, math.Exp(logrho[x]), row[y])
		}
	}
}
