package coverage_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/prefgrad/prefgrad/coverage"
)

// Every bound of the gap, against the gap by enumeration.
func TestTheoryGaps(t *testing.T) {
	tightest := map[string]float64{}
	gaps := func(rng *rand.Rand, scale float64) bool {
		p := problem{simplex(rng, 2+rng.IntN(5), 1), nil, math.Exp(rng.NormFloat64())}
		n, d := len(p.ref), 2
		phi := gaussian(rng, n, d)
		theta, wrong := gaussian(rng, d, 1).ColView(0), gaussian(rng, d, 1).ColView(0)
		p.reward = make([]float64, n)
		learned := problem{p.ref, make([]float64, n), p.beta}
		size := math.Exp(2*rng.NormFloat64() - 1)
		for y := range n {
			p.reward[y] = mat.Dot(phi.RowView(y), theta)
			learned.reward[y] = p.reward[y] + size*mat.Dot(phi.RowView(y), wrong)
		}
		best, found, rewardErr := p.optimum(), learned.optimum(), 0.0
		for a := range n {
			for b := range n {
				e := (p.reward[a] - p.reward[b]) - (learned.reward[a] - learned.reward[b])
				rewardErr += math.Exp(p.ref[a]+p.ref[b]) * e * e
			}
		}
		path, between := 0.0, problem{p.ref, make([]float64, n), p.beta}
		for s := range 101 {
			floats.AddScaledTo(between.reward, p.reward, float64(s)/100, diff(learned.reward, p.reward))
			path = max(path, coverage.MaxLogRatio(between.optimum(), p.ref))
		}
		direction := make([]float64, d)
		for y := range n {
			floats.AddScaled(direction, math.Exp(best[y])-math.Exp(found[y]), phi.RawRowView(y))
		}
		c, cHat := coverage.MaxLogRatio(best, p.ref), coverage.MaxLogRatio(found, p.ref)
		ball := coverage.LogBallPrompt(p.ref, max(coverage.KL(best, p.ref), coverage.KL(found, p.ref)))
		gap, ok := p.value(best)-p.value(found), true
		for name, bound := range map[string]float64{
			"policies":       coverage.GapPolicies(c, cHat, rewardErr),
			"class":          coverage.GapClass(ball, rewardErr),
			"class variance": coverage.GapClassVariance(ball, rewardErr),
			"two policies":   coverage.GapClassVariance(max(c, cHat), rewardErr),
			"path":           coverage.GapPath(path, rewardErr, p.beta),
			"direction":      coverage.GapDirection(metric(t, moment(t, phi, p.ref, p.ref)).Leverage(direction), rewardErr),
		} {
			ok = ok && gap <= bound*scale*(1+1e-9)+1e-13
			if scale == 1 {
				tightest[name] = max(tightest[name], gap/bound)
			}
		}
		return ok
	}
	law(t, "gap ≤ bound", 300, -0.9, func(rng *rand.Rand, err float64) bool { return gaps(rng, 1+err) })
	for name, ratio := range tightest { // each says something
		assert.Greater(t, ratio, 0.1, name)
		assert.LessOrEqual(t, ratio, 1+1e-9, name)
	}
}

func diff(a, b []float64) []float64 { return floats.SubTo(make([]float64, len(a)), a, b) }

// Without global coverage: no error on what is covered, and J → −∞.
func TestTheoryCounterexample(t *testing.T) {
	law(t, "the covered error is 0 while KL grows like ½·log 1/δ", 1, 1e-2, func(_ *rand.Rand, err float64) bool {
		reward, beta := []float64{1, 0, 0}, 1.0
		last := math.Inf(1)
		for _, delta := range []float64{1e-2, 1e-8, 1e-100, 1e-300} {
			ref := []float64{math.Log1p(-delta) - ln(2), math.Log1p(-delta) - ln(2), ln(delta)}
			covered := []float64{1 / beta, 0}
			normalize(covered)
			p := []float64{ln(0.5) + covered[0], ln(0.5) + covered[1], ln(0.5)}
			margin := beta*(p[0]-ref[0]) - beta*(p[1]-ref[1])
			kl := coverage.KL(p, ref)
			j := problem{ref, reward, beta}.value(p)
			if !near(margin, 1+err, 1e-13) || math.Abs(kl-0.5*ln(1/delta)) > 1 || !(j < last) ||
				coverage.GapClass(coverage.LogGlobal(ref), 0) != 0 {
				return false
			}
			last = j
		}
		return last < -300 && math.IsInf(coverage.GapClass(coverage.LogGlobal([]float64{ln(0.5), ln(0.5), -inf}), 0), 1)
	})
}

func TestBoundsByHand(t *testing.T) {
	assert.InDelta(t, 6, coverage.GapPolicies(ln(2), ln(8), 2.25), 1e-14)
	assert.InDelta(t, 6, coverage.GapClass(ln(4), 2.25), 1e-14)
	assert.InDelta(t, 3, coverage.GapClassVariance(ln(4), 2.25), 1e-14)
	assert.InDelta(t, 4.5, coverage.GapPath(ln(4), 2.25, 0.5), 1e-14)
	assert.InDelta(t, 3, coverage.GapDirection(4, 2.25), 1e-14)
	kl, top := coverage.RLHFRadius(2, 0.5)
	assert.Equal(t, []float64{2, 4}, []float64{kl, top})
	for i, v := range []float64{
		coverage.GapPolicies(0, 0, -1), coverage.GapClass(inf, -1), coverage.GapPath(0, 1, 0), coverage.GapPath(0, -1, 1),
		coverage.GapDirection(-1, 1), coverage.GapDirection(inf, -1),
	} {
		assert.True(t, math.IsNaN(v), i)
	}
	for i, v := range []float64{coverage.GapPolicies(inf, 0, 0), coverage.GapPath(inf, 0, 1), coverage.GapDirection(inf, 0)} {
		assert.Equal(t, inf, v, i)
	}
}
