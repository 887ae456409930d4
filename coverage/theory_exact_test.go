package coverage_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/prefgrad/prefgrad/coverage"
)

// C_ε: below C_glo, monotone, inside its bracket, 1/q_min exactly from ε = log(1/q_min) on.
func TestTheoryBall(t *testing.T) {
	law(t, "C_ε = 1/q_min exactly from log(1/q_min) on", 100, 1e-3, func(rng *rand.Rand, err float64) bool {
		ref := simplex(rng, 2+rng.IntN(5), 2)
		full := -slices.Min(ref)
		return coverage.LogBallPrompt(ref, full-err) == coverage.LogGlobal(ref) && coverage.LogBallPrompt(ref, 0.999*full) < full
	})
	law(t, "monotone in ε, and inside the bracket", 200, 0.02, func(rng *rand.Rand, err float64) bool {
		logq, last := -math.Exp(2*rng.NormFloat64()), 0.0
		for i := range 40 {
			eps := -logq * float64(i) / 35
			c := coverage.LogBall(logq, eps) * (1 + err)
			lo, hi := coverage.LogBallBracket(logq, eps)
			if c < last || c < lo*(1-1e-14) || c > hi*(1+1e-14) {
				return false
			}
			last = c
		}
		return true
	})
	law(t, "the bracket is tight for small ε", 50, 0.01, func(rng *rand.Rand, err float64) bool {
		logq := -10 - 20*rng.Float64()
		eps := 1e-8 * math.Exp(logq)
		lo, hi := coverage.LogBallBracket(logq, eps)
		series := math.Sqrt(2*eps*math.Exp(-logq)) * (1 + err) // C−1 = √(2ε/q) + O(ε/q)
		return lo < hi && near(hi/series, 1, 1e-4) && near(coverage.LogBall(logq, eps)/series, 1, 1e-4)
	})
	law(t, "no policy inside the ball does better", 300, -0.05, func(rng *rand.Rand, err float64) bool {
		n := 2 + rng.IntN(5)
		ref, eps := simplex(rng, n, 2), math.Exp(2*rng.NormFloat64()-1)
		p := feasible(rng, ref, eps)
		return coverage.MaxLogRatio(p, ref) <= coverage.LogBallPrompt(ref, eps)*(1+err)+1e-12
	})
	law(t, "the maximiser attains it within the budget", 200, 1e-6, func(rng *rand.Rand, err float64) bool {
		ref, eps := simplex(rng, 2+rng.IntN(5), 2), math.Exp(2*rng.NormFloat64()-1)
		p := slices.Clone(ref)
		c := coverage.BallPolicy(p, ref, eps) * (1 + err)
		total := 0.0
		for _, v := range p {
			total += math.Exp(v)
		}
		kl := coverage.KL(p, ref)
		return near(total, 1, 1e-14) && near(coverage.MaxLogRatio(p, ref), c, 1e-13) &&
			(near(kl, eps, 1e-12) || kl < eps && c == -slices.Min(ref))
	})
	law(t, "the inverse", 200, 1e-6, func(rng *rand.Rand, err float64) bool {
		ref, eps := simplex(rng, 2+rng.IntN(5), 2), math.Exp(rng.NormFloat64()-3)
		eps = min(eps, -0.9*slices.Min(ref))
		return near(coverage.BallPromptEps(ref, coverage.LogBallPrompt(ref, eps))/eps, 1+err, 1e-10)
	})
}

// The budget for the average over prompts goes to one prompt.
func TestTheoryBallAverage(t *testing.T) {
	draw := func(rng *rand.Rand) (rho []float64, ref [][]float64, eps float64) {
		rho = simplex(rng, 1+rng.IntN(4), 1)
		for range rho {
			ref = append(ref, simplex(rng, 2+rng.IntN(3), 2))
		}
		return rho, ref, math.Exp(rng.NormFloat64() - 1)
	}
	law(t, "the maximiser spends the budget on one prompt", 200, 1e-6, func(rng *rand.Rand, err float64) bool {
		rho, ref, eps := draw(rng)
		c, x := coverage.LogBallAverage(rho, ref, eps)
		best := slices.Clone(ref[x])
		reached := coverage.BallPolicy(best, ref[x], eps/math.Exp(rho[x]))
		policy := slices.Clone(ref)
		policy[x] = best
		joint := coverage.KL(coverage.Joint(rho, policy), coverage.Joint(rho, ref))
		return reached == c && near(coverage.MaxLogRatio(best, ref[x]), c*(1+err), 1e-13) && joint <= eps*(1+1e-12)
	})
	law(t, "no policies within the budget do better", 300, -0.05, func(rng *rand.Rand, err float64) bool {
		rho, ref, eps := draw(rng)
		c, _ := coverage.LogBallAverage(rho, ref, eps)
		split, worst := simplex(rng, len(rho), 3), 0.0
		for x, row := range ref { // prompt x may spend the share split(x)
			p := feasible(rng, row, eps*math.Exp(split[x]-rho[x]))
			worst = max(worst, coverage.MaxLogRatio(p, row))
		}
		return worst <= c*(1+err)+1e-12
	})
	law(t, "at least the per-prompt value, at most C_glo", 200, 0.5, func(rng *rand.Rand, err float64) bool {
		rho, ref, eps := draw(rng)
		c, _ := coverage.LogBallAverage(rho, ref, eps)
		c *= 1 - err
		for _, row := range ref {
			if coverage.LogBallPrompt(row, eps) > c {
				return false
			}
		}
		return c <= coverage.LogGlobal(ref...)
	})
	law(t, "the inverse", 200, 1e-6, func(rng *rand.Rand, err float64) bool {
		rho, ref, _ := draw(rng)
		level := 0.9 * coverage.LogGlobal(ref...)
		eps := coverage.BallAverageEps(rho, ref, level) * (1 + err)
		c, _ := coverage.LogBallAverage(rho, ref, eps)
		return near(c, level, 1e-10)
	})
}

// feasible returns a random policy with KL to ref at most eps, on the edge if it can.
func feasible(rng *rand.Rand, ref []float64, eps float64) []float64 {
	to := simplex(rng, len(ref), 6)
	p, lo, hi := slices.Clone(ref), 0.0, 1.0
	for range 50 {
		a := (lo + hi) / 2
		for i := range p {
			p[i] = math.Log((1-a)*math.Exp(ref[i]) + a*math.Exp(to[i]))
		}
		if coverage.KL(p, ref) > eps {
			hi = a
		} else {
			lo = a
		}
	}
	for i := range p {
		p[i] = math.Log((1-lo)*math.Exp(ref[i]) + lo*math.Exp(to[i]))
	}
	return p
}

// ∫Cov_N dN = 1 + χ²; the last N with Cov_N > 0 is max w; Cov_N ≤ E_π[w]/N.
func TestTheoryProfile(t *testing.T) {
	law(t, "the profile determines χ² and max w", 200, 1e-6, func(rng *rand.Rand, err float64) bool {
		n := 2 + rng.IntN(5)
		p, q := simplex(rng, n, 1.5), simplex(rng, n, 1.5)
		var steps []float64 // where the profile jumps
		for i := range p {
			steps = append(steps, p[i]-q[i])
		}
		slices.Sort(steps)
		integral, last := 0.0, 0.0
		for _, l := range steps {
			integral += (math.Exp(l) - last) * coverage.Profile(p, q, l)
			last = math.Exp(l)
			if coverage.Profile(p, q, l) > (1+coverage.ChiSquare(p, q))/last*(1+1e-14) {
				return false
			}
		}
		top := coverage.MaxLogRatio(p, q)
		return near(integral, (1+coverage.ChiSquare(p, q))*(1+err), 1e-12) &&
			coverage.Profile(p, q, top) > 0 && coverage.Profile(p, q, math.Nextafter(top, inf)) == 0
	})
}

func TestTheoryRenyi(t *testing.T) {
	law(t, "nondecreasing in α", 200, 0.1, func(rng *rand.Rand, err float64) bool {
		n := 2 + rng.IntN(5)
		p, q := simplex(rng, n, 2), simplex(rng, n, 2)
		last := 0.0
		for i, alpha := range []float64{0, 1e-6, 0.3, 0.5, 0.9, 1 - 1e-7, 1, 1 + 1e-7, 1.3, 2, 5, 50, 1e4, inf} {
			d := coverage.Renyi(alpha, p, q)
			if i == 6 {
				d *= 1 - err
			}
			if d < last*(1-1e-13) {
				return false
			}
			last = d
		}
		return true
	})
	law(t, "D_α from either side: log E_q[w^α] = log E_p[w^{α−1}]; D_2 = log(1+χ²)", 200, 1e-6, func(rng *rand.Rand, err float64) bool {
		n, alpha := 2+rng.IntN(5), 3*rng.Float64()
		p, q := simplex(rng, n, 1), simplex(rng, n, 1)
		fromQ, fromP := 0.0, 0.0
		for i := range p {
			w := math.Exp(p[i]) / math.Exp(q[i])
			fromQ += math.Exp(q[i]) * math.Pow(w, alpha)
			fromP += math.Exp(p[i]) * math.Pow(w, alpha-1)
		}
		d := (coverage.Renyi(alpha, p, q) + err) * (alpha - 1)
		return near(d, math.Log(fromQ), 1e-12) && near(d, math.Log(fromP), 1e-12) &&
			near(coverage.Renyi(2, p, q), math.Log1p(coverage.ChiSquare(p, q)), 1e-13)
	})
}

// The bounds of best-of-n, and that a fine grid comes close to them.
func TestTheoryBestOfN(t *testing.T) {
	law(t, "bounds on finite support", 200, -0.3, func(rng *rand.Rand, err float64) bool {
		m, n := 2+rng.IntN(5), 1+rng.IntN(10)
		ref, reward, p := simplex(rng, m, 1.5), make([]float64, m), make([]float64, m)
		for i := range reward {
			reward[i] = float64(rng.IntN(4)) // ties
		}
		coverage.BestOfN(p, ref, reward, n)
		logMax, kl, chi2 := coverage.BestOfNBounds(n)
		scale := 1 + err
		return coverage.MaxLogRatio(p, ref) <= logMax*scale+1e-13 && coverage.KL(p, ref) <= kl*scale+1e-13 &&
			coverage.ChiSquare(p, ref) <= chi2*scale+1e-13
	})
	law(t, "by enumeration of all n draws", 60, 1e-6, func(rng *rand.Rand, err float64) bool {
		const m, n = 4, 3
		ref, reward := simplex(rng, m, 1.5), []float64{0, 1, 1, float64(rng.IntN(3))}
		want, p := make([]float64, m), make([]float64, m)
		for draws := range m * m * m {
			ys := []int{draws % m, draws / m % m, draws / m / m}
			prob, best, tied := 1.0, math.Inf(-1), 0.0
			for _, y := range ys {
				prob *= math.Exp(ref[y])
				best = max(best, reward[y])
			}
			for _, y := range ys {
				if reward[y] == best {
					tied++
				}
			}
			for _, y := range ys {
				if reward[y] == best {
					want[y] += prob / tied
				}
			}
		}
		coverage.BestOfN(p, ref, reward, n)
		for y := range p {
			if !near(math.Exp(p[y]), want[y]+err, 1e-14) {
				return false
			}
		}
		return true
	})
	law(t, "the bounds are the limit of a continuous reward", 1, 1e-2, func(_ *rand.Rand, err float64) bool {
		const m = 20000
		for _, n := range []int{2, 5, 16} {
			ref, reward, p := make([]float64, m), make([]float64, m), make([]float64, m)
			for i := range ref {
				ref[i], reward[i] = -math.Log(m), float64(i)
			}
			coverage.BestOfN(p, ref, reward, n)
			logMax, kl, chi2 := coverage.BestOfNBounds(n)
			if !near(coverage.MaxLogRatio(p, ref), logMax+err, 1e-3) || !near(coverage.KL(p, ref), kl+err, 1e-3) ||
				!near(coverage.ChiSquare(p, ref), chi2+err, 1e-3) {
				return false
			}
		}
		return true
	})
}
