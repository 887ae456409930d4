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
	for seed := range uint64(30) {
		p, rng := randomProblem(seed), rand.New(rand.NewPCG(seed, 7))
		logp := make([]float64, len(p.ref))
		for i := range logp {
			logp[i] = 2 * rng.NormFloat64()
		}
		normalize(logp)
		best := p.optimum()
		want := p.value(best) - p.value(logp)
		assert.InDelta(t, want, p.beta*coverage.KL(logp, best), 1e-12*(1+want))
	}
}

// KL(π*‖π_ref) + KL(π_ref‖π*) = (E_π* r − E_ref r)/β.
func TestTheorySymmetricKL(t *testing.T) {
	for seed := range uint64(30) {
		p := randomProblem(seed)
		best, diff := p.optimum(), 0.0
		for i, r := range p.reward {
			diff += (math.Exp(best[i]) - math.Exp(p.ref[i])) * r
		}
		assert.InEpsilon(t, diff/p.beta, coverage.KL(best, p.ref)+coverage.KL(p.ref, best), 1e-12)
	}
}

// A bounded reward moves the optimum only so far from the reference:
// KL ≤ min(range/β, range²/(8β²)) and π*/π_ref ≤ e^{range/β}.
func TestTheoryRewardRangeBoundsKL(t *testing.T) {
	tightest := 0.0
	for seed := range uint64(200) {
		p := randomProblem(seed)
		best := p.optimum()
		x := (floats.Max(p.reward) - floats.Min(p.reward)) / p.beta
		bound := min(x, x*x/8)
		kl := coverage.KL(best, p.ref)
		assert.LessOrEqual(t, kl, bound)
		tightest = max(tightest, kl/bound)
		for i := range best {
			assert.LessOrEqual(t, best[i]-p.ref[i], x+1e-14)
		}
	}
	assert.Greater(t, tightest, 0.8) // the bound says something
}
