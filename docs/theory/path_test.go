package theory

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/loss"
)

// hypo is the expected DPO loss with soft labels, KL(π‖π_ref), and the gradient of
// DPO + λ·KL with respect to the logits.
func (p problem) hypo(logp []float64, lambda float64) (dpo, kl float64, grad []float64) {
	dpo, w := p.pairwise(loss.DPO{Beta: p.beta}, logp, len(logp), p.preferred)
	for y, l := range p.ratios(logp) {
		w[y] += lambda * math.Exp(logp[y]) * l
	}
	return dpo, coverage.KL(logp, p.ref), pull(logp, w)
}

// Along the penalty of HyPO, KL does not grow with λ and the DPO loss does not fall, and π* is
// not stationary for λ > 0 unless it is π_ref.
func TestProperty12PenaltyPath(t *testing.T) {
	property(t, 8, func(rng *rand.Rand, wrong string) bool {
		p := newProblem(rng, 3+rng.IntN(3))
		best := p.optimum()
		lastKL, lastDPO := math.Inf(1), 0.0
		for _, lambda := range []float64{0, 0.01, 0.05, 0.2, 1, 5} {
			at := p.minimum(lambda)
			dpo, kl, _ := p.hypo(at, lambda)
			if wrong == "λ reversed" {
				kl, dpo = -kl, -dpo
			}
			if kl > lastKL+1e-8 || dpo < lastDPO-1e-9 {
				return false
			}
			lastKL, lastDPO = kl, dpo
			_, _, grad := p.hypo(best, lambda)
			stationary := floats.Norm(grad, math.Inf(1)) < 1e-12
			if stationary != (lambda == 0 || wrong == "π* solves all") {
				return false
			}
		}
		same := problem{p.ref, make([]float64, len(p.ref)), p.beta}
		if wrong == "whatever the reward" {
			same.reward = p.reward
		}
		_, _, grad := same.hypo(same.optimum(), 1)
		return floats.Norm(grad, math.Inf(1)) < 1e-12
	}, "λ reversed", "π* solves all", "whatever the reward")
}

// minimum minimises DPO + λ·KL from the reference.
func (p problem) minimum(lambda float64) []float64 {
	r, err := optimize.Minimize(optimize.Problem{
		Func: func(x []float64) float64 {
			dpo, kl, _ := p.hypo(normalized(x), lambda)
			return dpo + lambda*kl
		},
		Grad: func(grad, x []float64) {
			_, _, g := p.hypo(normalized(x), lambda)
			copy(grad, g)
		},
	}, p.ref, &optimize.Settings{GradientThreshold: 1e-8}, &optimize.BFGS{})
	if _, _, grad := p.hypo(normalized(r.X), lambda); floats.Norm(grad, math.Inf(1)) > 1e-6 {
		panic(err)
	}
	return normalized(r.X)
}

// Without function approximation, gradient descent on pairs of covered responses keeps the sum
// of their logits: the odds of the others change by 1/E_{π_ref|covered}[exp((r−r̄)/β)], r̄ the
// unweighted mean. For a uniform reference they fall; for π_ref ∝ e^{−r/β} they rise.
func TestProperty14OutOfDistributionOdds(t *testing.T) {
	property(t, 12, func(rng *rand.Rand, wrong string) bool {
		const covered, n = 3, 5
		p := newProblem(rng, n)
		p.beta = 1
		sign := 0.0
		switch rng.IntN(3) {
		case 1:
			sign = -1
			clear(p.ref[:covered])
			p.ref = normalized(p.ref)
		case 2:
			sign = 1
			floats.AddScaledTo(p.ref[:covered], make([]float64, covered), -1, p.reward[:covered])
			p.ref = normalized(p.ref)
		}
		logits := append([]float64(nil), p.ref...)
		for range 1500 {
			at := normalized(logits)
			_, w := p.pairwise(loss.DPO{Beta: p.beta}, at, covered, p.preferred)
			floats.AddScaled(logits, -2, pull(at, w))
		}
		within := normalized(p.ref[:covered])
		centre := floats.Sum(p.reward[:covered]) / covered
		if wrong == "r̄ weighted by π_ref" {
			centre = mean(within, p.reward)
		}
		size := 0.0
		for y, l := range within {
			size += math.Exp(l + (p.reward[y]-centre)/p.beta)
		}
		change := odds(normalized(logits), covered) - odds(p.ref, covered)
		switch wrong {
		case "the other sign":
			change = -change
		case "always up":
			return change > 0
		}
		return near(change, -math.Log(size), 1e-9) && change*sign >= 0
	}, "r̄ weighted by π_ref", "the other sign", "always up")
}

// odds returns the log-odds of the responses from n on.
func odds(logp []float64, n int) float64 {
	return floats.LogSumExp(logp[n:]) - floats.LogSumExp(logp[:n])
}
