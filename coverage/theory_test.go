package coverage_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/coverage"
)

// problem is one prompt of KL-regularised reward, with few responses.
type problem struct {
	ref, reward []float64
	beta        float64
}

func randomProblem(seed uint64) problem {
	rng := rand.New(rand.NewPCG(seed, 6))
	n := 2 + rng.IntN(5)
	p := problem{make([]float64, n), make([]float64, n), math.Exp(rng.NormFloat64())}
	for i := range n {
		p.ref[i], p.reward[i] = 2*rng.NormFloat64(), rng.NormFloat64()
	}
	normalize(p.ref)
	return p
}

func normalize(logp []float64) { floats.AddConst(-floats.LogSumExp(logp), logp) }

// optimum is log π* with π* ∝ π_ref·e^{r/β}.
func (p problem) optimum() []float64 {
	logp := append([]float64(nil), p.ref...)
	floats.AddScaled(logp, 1/p.beta, p.reward)
	normalize(logp)
	return logp
}

// value is J(π) = E_π r − β·KL(π‖π_ref).
func (p problem) value(logp []float64) float64 {
	sum := 0.0
	for i, lp := range logp {
		sum += math.Exp(lp) * p.reward[i]
	}
	return sum - p.beta*coverage.KL(logp, p.ref)
}

// J(π*) − J(π) = β·KL(π‖π*) for every π.
func TestTheoryGapIsKLToOptimum(t *testing.T) {
	law(t, "gap = β·KL(π‖π*)", 30, 1e-6, func(rng *rand.Rand, err float64) bool {
		p := randomProblem(rng.Uint64())
		logp, best := simplex(rng, len(p.ref), 2), p.optimum()
		return near(p.value(best)-p.value(logp), p.beta*coverage.KL(logp, best)*(1+err), 1e-12)
	})
}

// KL(π*‖π_ref) + KL(π_ref‖π*) = (E_π* r − E_ref r)/β.
func TestTheorySymmetricKL(t *testing.T) {
	law(t, "the two KLs", 30, 1e-6, func(rng *rand.Rand, err float64) bool {
		p := randomProblem(rng.Uint64())
		best, diff := p.optimum(), 0.0
		for i, r := range p.reward {
			diff += (math.Exp(best[i]) - math.Exp(p.ref[i])) * r
		}
		return near(diff/p.beta, (coverage.KL(best, p.ref)+coverage.KL(p.ref, best))*(1+err), 1e-12)
	})
}

// A bounded reward moves the optimum only so far from the reference:
// KL ≤ min(range/β, range²/(8β²)) and π*/π_ref ≤ e^{range/β}.
func TestTheoryRewardRangeBoundsKL(t *testing.T) {
	law(t, "KL and ratio of an optimum are inside the radius", 300, -0.3, func(rng *rand.Rand, err float64) bool {
		p := randomProblem(rng.Uint64())
		kl, logMax := coverage.RLHFRadius(floats.Max(p.reward)-floats.Min(p.reward), p.beta)
		best := p.optimum()
		return coverage.KL(best, p.ref) <= kl*(1+err) && coverage.MaxLogRatio(best, p.ref) <= logMax*(1+err)+1e-14
	})
}

// The optimum of E_π r − β·(KL + ½χ²), which is that of χPO, solves β(w + log w) = r − Z with
// Σ π_ref·w = 1 (φ(w) = w + log w): no policy has a higher value.
func TestTheoryMixedChiSquare(t *testing.T) {
	law(t, "β(w + log w) = r − Z at the optimum", 40, 0.5, func(rng *rand.Rand, err float64) bool {
		p := randomProblem(rng.Uint64())
		weight := func(u float64) float64 { // w + log w = u, by bisection in log w
			lo, hi := -800.0, 800.0
			for range 200 {
				if mid := (lo + hi) / 2; math.Exp(mid)+mid < u {
					lo = mid
				} else {
					hi = mid
				}
			}
			return lo
		}
		best, lo, hi := make([]float64, len(p.ref)), -1e4, 1e4
		for range 200 {
			z, total := (lo+hi)/2, 0.0
			for y := range best {
				best[y] = p.ref[y] + weight((1+err)*(p.reward[y]-z)/p.beta)
				total += math.Exp(best[y])
			}
			if total > 1 {
				lo = z
			} else {
				hi = z
			}
		}
		value := func(logp []float64) float64 { return p.value(logp) - p.beta/2*coverage.ChiSquare(logp, p.ref) }
		top := value(best)
		for range 200 { // near and far
			other := simplex(rng, len(best), 2)
			a := math.Exp(-8 * rng.Float64())
			for y := range other {
				other[y] = math.Log((1-a)*math.Exp(best[y]) + a*math.Exp(other[y]))
			}
			if value(other) > top+1e-12 {
				return false
			}
		}
		return true
	})
}

// Without function approximation, gradient descent on pairs of covered responses keeps the
// sum of their logits, and so the odds of the others change by
// 1/E_{π_ref|covered}[exp((r−r̄)/β)], r̄ the unweighted mean: up or down.
func TestTheoryOutOfDistributionOdds(t *testing.T) {
	up, down := 0, 0
	law(t, "the odds of what no pair covers", 12, 1e-3, func(rng *rand.Rand, err float64) bool {
		const covered, n, beta = 3, 4, 1.0 // the last response is in no pair
		ref, reward := simplex(rng, n, 1), []float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}
		z := append([]float64(nil), ref...)
		for range 3000 {
			var grad [n]float64
			for a := range covered {
				for b := range a { // soft Bradley–Terry labels, cross-entropy of DPO's margin
					label := 1 / (1 + math.Exp(reward[b]-reward[a]))
					margin := beta * (z[a] - ref[a] - z[b] + ref[b])
					g := beta * (1/(1+math.Exp(-margin)) - label)
					grad[a] += g
					grad[b] -= g
				}
			}
			for y, g := range grad {
				z[y] -= 0.5 * g
			}
		}
		normalize(z)
		odds := func(logp []float64) float64 { return math.Exp(logp[covered]) / -math.Expm1(logp[covered]) }
		rBar, mean := floats.Sum(reward)/covered, 0.0
		for y, r := range reward {
			mean += math.Exp(ref[y]) / -math.Expm1(ref[covered]) * math.Exp((r-rBar)/beta)
		}
		if err == 0 && mean < 1 {
			up++
		} else if err == 0 {
			down++
		}
		return near(odds(z)/odds(ref), 1/mean+err, 1e-9)
	})
	assert.Positive(t, up)
	assert.Positive(t, down)
}
