package theory

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/loss"
)

// J(π*) − J(π) = β·E_ρ KL(π‖π*), over several prompts.
func TestProperty01GapIsKLToOptimum(t *testing.T) {
	property(t, 40, func(rng *rand.Rand, wrong string) bool {
		rho := normalized(gaussians(rng, 3, 1))
		beta := math.Exp(0.7 * rng.NormFloat64())
		gap := 0.0
		var pi, best [][]float64
		for x := range rho {
			p := newProblem(rng, few(rng))
			p.beta = beta
			pi, best = append(pi, normalized(gaussians(rng, len(p.ref), 2))), append(best, p.optimum())
			gap += math.Exp(rho[x]) * (p.value(best[x]) - p.value(pi[x]))
		}
		a, b := coverage.Joint(rho, pi), coverage.Joint(rho, best)
		if wrong == "the other KL" {
			a, b = b, a
		}
		return near(gap, pick(wrong, "no β", 1, beta)*coverage.KL(a, b), 1e-12)
	}, "the other KL", "no β")
}

// With soft labels and every response covered, the gradient of DPO is 0 at π* ∝ π_ref·e^{r/β}.
func TestProperty02DPOIsStationaryAtOptimum(t *testing.T) {
	property(t, 30, func(rng *rand.Rand, wrong string) bool {
		p := newProblem(rng, few(rng))
		label := p.preferred
		if wrong == "hard labels" {
			label = func(a, b int) float64 { return math.Round(p.preferred(a, b)) }
		}
		at := p.tilted(pick(wrong, "e^{r/2β}", 0.5, pick(wrong, "the other sign", -1., 1.)))
		_, w := p.pairwise(loss.DPO{Beta: p.beta}, at, len(p.ref), label)
		return floats.Norm(pull(at, w), math.Inf(1)) < 1e-14
	}, "hard labels", "e^{r/2β}", "the other sign")
}

// KL(π̂‖π_ref) + KL(π_ref‖π̂) = (E_π̂ r̂ − E_ref r̂)/β, r̂ = β·log π̂/π_ref as the loss reports it.
func TestProperty03ImplicitRewardsGiveBothKLs(t *testing.T) {
	property(t, 30, func(rng *rand.Rand, wrong string) bool {
		p := newProblem(rng, few(rng))
		n := len(p.ref)
		logp := normalized(gaussians(rng, n, 1.5))
		reward := make([]float64, n)
		b := loss.Pairs{Chosen: logp, RefChosen: p.ref, Rejected: p.ref, RefRejected: p.ref}
		if _, err := (loss.DPO{Beta: p.beta}).Eval(loss.PairsOut{RewardChosen: reward}, b); err != nil {
			return false
		}
		right := coverage.KL(logp, p.ref) + coverage.KL(p.ref, logp)
		if wrong == "one KL twice" {
			right = 2 * coverage.KL(logp, p.ref)
		}
		return near((mean(logp, reward)-mean(p.ref, reward))/pick(wrong, "no β", 1, p.beta), right, 1e-12)
	}, "one KL twice", "no β")
}

// The optimum for a reward r̂ of range R stays near the reference:
// KL ≤ min(R/β, R²/(8β²)) ≤ 2R′/β with |r̂| ≤ R′, and π/π_ref ≤ e^{R/β}.
func TestProperty04RewardRangeBoundsTheRadius(t *testing.T) {
	property(t, 400, func(rng *rand.Rand, wrong string) bool {
		p := newProblem(rng, few(rng))
		if rng.IntN(2) == 0 {
			clear(p.ref) // uniform, where the second bound is nearly attained
			p.ref = normalized(p.ref)
		}
		radius, logMax := coverage.RLHFRadius(reach(p.reward), p.beta)
		best, bound := p.optimum(), max(floats.Max(p.reward), -floats.Min(p.reward))
		switch wrong {
		case "R²/(16β²)":
			radius /= 2
		case "e^{R/2β}":
			logMax /= 2
		case "R′/(8β)":
			bound /= 16
		}
		kl := coverage.KL(best, p.ref)
		return kl <= radius+1e-14 && kl <= 2*bound/p.beta && coverage.MaxLogRatio(best, p.ref) <= logMax+1e-14
	}, "R²/(16β²)", "e^{R/2β}", "R′/(8β)")
}

// The optimum of χPO solves β·(w + log w) = r − Z with Σ π_ref·w = 1: there the gradient of
// the library's loss is 0.
func TestProperty16ChiPOIsStationaryAtItsOptimum(t *testing.T) {
	property(t, 30, func(rng *rand.Rand, wrong string) bool {
		p := newProblem(rng, few(rng))
		link := func(logw float64) float64 {
			switch wrong {
			case "log w alone":
				return logw
			case "w alone":
				return math.Exp(logw)
			}
			return math.Exp(logw) + logw
		}
		at := make([]float64, len(p.ref))
		bisect(-1e3, 1e3, func(z float64) bool {
			for y := range at {
				at[y] = p.ref[y] + bisect(-800, 10, func(logw float64) bool { return link(logw) < (p.reward[y]-z)/p.beta })
			}
			return floats.LogSumExp(at) > 0
		})
		_, w := p.pairwise(loss.ChiPO{Beta: p.beta, MaxReward: math.Inf(1)}, at, len(at), p.preferred)
		return floats.Norm(pull(at, w), math.Inf(1)) < 1e-12
	}, "log w alone", "w alone")
}

// bisect returns the largest x in [lo, hi] that is below, which is true on the left.
func bisect(lo, hi float64, below func(x float64) bool) float64 {
	for range 100 {
		if mid := (lo + hi) / 2; below(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}
