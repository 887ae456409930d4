package theory

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/loss"
)

// A reward error on pairs from π_ref bounds the gap of the policy that is best for the learned
// reward, by the coverage of the two policies, of a KL ball that holds both, and of the path
// between them.
func TestProperty05RewardErrorBoundsTheGap(t *testing.T) {
	property(t, 300, func(rng *rand.Rand, wrong string) bool {
		p := newProblem(rng, few(rng))
		n, size := len(p.ref), math.Exp(2*rng.NormFloat64()-1)
		wrongBy := gaussians(rng, n, size)
		learned := problem{p.ref, floats.AddTo(make([]float64, n), p.reward, wrongBy), p.beta}
		best, found := p.optimum(), learned.optimum()
		e := 0.0 // E_ref of the squared error of differences
		for a := range n {
			for b := range n {
				d := wrongBy[a] - wrongBy[b]
				e += math.Exp(p.ref[a]+p.ref[b]) * d * d
			}
		}
		path := 0.0
		for s := range 51 {
			between := problem{p.ref, floats.AddScaledTo(make([]float64, n), p.reward, float64(s)/50, wrongBy), p.beta}
			path = max(path, coverage.MaxLogRatio(between.optimum(), p.ref))
		}
		// Both are within the radius of their rewards' range.
		radius, _ := coverage.RLHFRadius(max(reach(p.reward), reach(learned.reward)), p.beta)
		ball := coverage.LogBallPrompt(p.ref, radius)
		gap := p.value(best) - p.value(found)
		for name, bound := range map[string]float64{
			"√(C·Ĉ·ε)": coverage.GapPolicies(coverage.MaxLogRatio(best, p.ref), coverage.MaxLogRatio(found, p.ref), e),
			"C_ε·√ε":   coverage.GapClass(ball, e),
			"√(C_ε·ε)": coverage.GapClassVariance(ball, e),
			"C·ε/(4β)": coverage.GapPath(path, e, p.beta),
			"C_glo·√ε": coverage.GapClass(coverage.LogGlobal(p.ref), e),
		} {
			if gap > bound/pick(wrong, name, 12, 1.)*(1+1e-9)+1e-13 {
				return false
			}
		}
		return true
	}, "√(C·Ĉ·ε)", "C_ε·√ε", "√(C_ε·ε)", "C·ε/(4β)", "C_glo·√ε")
}

// π_ref = ((1−δ)/2, (1−δ)/2, δ): the policy with half its mass on the third response and the
// right margin between the others has no gradient under DPO or IPO, and no error on pairs of
// the two, while KL ~ ½·log 1/δ → ∞ and J → −∞.
func TestProperty06OfflineLossesNeedGlobalCoverage(t *testing.T) {
	property(t, 10, func(rng *rand.Rand, wrong string) bool {
		p := problem{reward: gaussians(rng, 3, 1), beta: math.Exp(0.5 * rng.NormFloat64())}
		prefer := p.preferred(0, 1)
		last := math.Inf(1)
		for _, delta := range []float64{1e-2, 1e-6, 1e-20, 1e-100, 1e-300} {
			if wrong == "δ stays" {
				delta = 0.3
			}
			p.ref = []float64{math.Log1p(-delta) - math.Ln2, math.Log1p(-delta) - math.Ln2, math.Log(delta)}
			for _, c := range []struct {
				loss   loss.Pairwise
				margin float64
			}{
				{loss.DPO{Beta: p.beta}, (p.reward[0] - p.reward[1]) / p.beta},
				{loss.IPO{Tau: p.beta, LogRatio: loss.Sum}, (prefer - 0.5) / p.beta},
			} {
				covered := normalized([]float64{pick(wrong, "margin", 1.01, 1.) * c.margin, 0})
				at := []float64{covered[0] - math.Ln2, covered[1] - math.Ln2, -math.Ln2}
				if wrong == "all mass covered" {
					at = []float64{covered[0], covered[1], math.Inf(-1)}
				}
				_, w := p.pairwise(c.loss, at, 2, p.preferred)
				if floats.Norm(w, math.Inf(1)) > 1e-13 || math.Abs(coverage.KL(at, p.ref)-0.5*math.Log(1/delta)) > 1.5 {
					return false
				}
				if _, dpo := c.loss.(loss.DPO); dpo {
					j := p.value(at)
					if j >= last {
						return false
					}
					last = j
				}
			}
		}
		return last < -100*p.beta
	}, "δ stays", "margin", "all mass covered")
}

// C_ε is at most C_glo, grows with ε, lies in its bracket, is 1/q_min exactly from ε = log
// 1/q_min on, and no policy in the ball exceeds it.
func TestProperty07BallCoverage(t *testing.T) {
	property(t, 150, func(rng *rand.Rand, wrong string) bool {
		ref := normalized(gaussians(rng, few(rng), 1.5))
		rarest := slices.Min(ref)
		full := pick(wrong, "half the threshold", 0.5, 1.) * -rarest
		if coverage.LogBallPrompt(ref, full*(1+1e-12)) != coverage.LogGlobal(ref) || coverage.LogBallPrompt(ref, 0.999*full) >= -rarest {
			return false
		}
		last := 0.0
		for i := range 30 {
			eps := full * float64(i) / 25
			c := coverage.LogBallPrompt(ref, eps)
			switch {
			case wrong == "too large":
				c += 0.2
			case wrong == "too small":
				c -= 0.2
			case wrong == "falls with ε":
				c = coverage.LogBallPrompt(ref, full-min(eps, full))
			}
			lo, hi := coverage.LogBallBracket(rarest, eps)
			if c < last || c > coverage.LogGlobal(ref) || c < lo-1e-13 || c > hi+1e-13 {
				return false
			}
			last = c
			p := within(rng, ref, eps)
			if coverage.MaxLogRatio(p, ref) > c+1e-9 {
				return false
			}
		}
		return true
	}, "half the threshold", "too large", "too small", "falls with ε")
}

// within returns a random policy with KL to ref at most eps.
func within(rng *rand.Rand, ref []float64, eps float64) []float64 {
	to := normalized(gaussians(rng, len(ref), 5))
	p := make([]float64, len(ref))
	at := func(a float64) []float64 {
		for y := range p {
			p[y] = math.Log((1-a)*math.Exp(ref[y]) + a*math.Exp(to[y]))
		}
		return p
	}
	return at(bisect(0, 1, func(a float64) bool { return coverage.KL(at(a), ref) <= eps }))
}
