// Package theory tests the statements of docs/theory.md, one test for each, on random
// instances small enough to enumerate.
//
// Each statement comes with wrong variants of itself: a constant changed, a sign, the other
// KL. The test fails too if one of those holds on every instance, for then the check would
// accept anything.
package theory

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
)

// property requires that a statement holds on all random instances, and that each wrong
// variant, which holds gets by its name, fails on at least one. The statement itself has the
// name "".
func property(t *testing.T, instances uint64, holds func(rng *rand.Rand, wrong string) bool, wrong ...string) {
	t.Helper()
	require.NotEmpty(t, wrong, "a statement that cannot fail")
	caught := map[string]bool{}
	for seed := range instances {
		assert.True(t, holds(rand.New(rand.NewPCG(seed, 23)), ""), "seed %d", seed)
		for _, w := range wrong {
			caught[w] = caught[w] || !holds(rand.New(rand.NewPCG(seed, 23)), w)
		}
	}
	for _, w := range wrong {
		assert.True(t, caught[w], "holds with the error %q too", w)
	}
}

// near says that two numbers agree, relative to their size above 1.
func near(a, b, tol float64) bool {
	return a == b || math.Abs(a-b) <= tol*(1+math.Abs(a)+math.Abs(b))
}

// allNear says that of all elements.
func allNear(a, b []float64, tol float64) bool {
	for i := range a {
		if !near(a[i], b[i], tol) {
			return false
		}
	}
	return true
}

// pick is yes under the error called name, and no otherwise.
func pick[T any](wrong, name string, yes, no T) T {
	if wrong == name {
		return yes
	}
	return no
}

// gaussians returns n numbers of the given spread.
func gaussians(rng *rand.Rand, n int, spread float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = spread * rng.NormFloat64()
	}
	return x
}

// normalized returns the log-probabilities with the given logits.
func normalized(logits []float64) []float64 {
	p := append([]float64(nil), logits...)
	floats.AddConst(-floats.LogSumExp(p), p)
	return p
}

// problem is one prompt of KL-regularised reward.
type problem struct {
	ref, reward []float64 // log π_ref, r
	beta        float64
}

func newProblem(rng *rand.Rand, n int) problem {
	return problem{normalized(gaussians(rng, n, 1)), gaussians(rng, n, 1), math.Exp(0.7 * rng.NormFloat64())}
}

func few(rng *rand.Rand) int { return 2 + rng.IntN(5) }

// tilted is log of π_ref·e^{scale·r/β}, normalised: π* for scale 1.
func (p problem) tilted(scale float64) []float64 {
	return normalized(floats.AddScaledTo(make([]float64, len(p.ref)), p.ref, scale/p.beta, p.reward))
}

func (p problem) optimum() []float64 { return p.tilted(1) }

// value is J(π) = E_π r − β·KL(π‖π_ref).
func (p problem) value(logp []float64) float64 {
	return mean(logp, p.reward) - p.beta*coverage.KL(logp, p.ref)
}

// mean is E_π[v].
func mean(logp, v []float64) float64 {
	sum := 0.0
	for y, l := range logp {
		sum += math.Exp(l) * v[y]
	}
	return sum
}

// ratios is ℓ = log π/π_ref.
func (p problem) ratios(logp []float64) []float64 {
	return floats.SubTo(make([]float64, len(logp)), logp, p.ref)
}

func reach(r []float64) float64 { return floats.Max(r) - floats.Min(r) }

// pull returns Σ_y w(y)·∇log π(y) with respect to the logits, by the library's policy.
func pull(logp, w []float64) []float64 {
	p := policy.NewTabular(1, len(logp), logp)
	pass, xs, ys := p.NewPass(), make([]int, len(logp)), make([]int, len(logp))
	for y := range ys {
		ys[y] = y
	}
	if err := pass.Forward(context.Background(), make([]float64, len(logp)), xs, ys); err != nil {
		panic(err)
	}
	if err := pass.Pullback(context.Background(), w); err != nil {
		panic(err)
	}
	return p.Grad()
}

// slope is the gradient of f with respect to logits, by central differences.
func slope(f func(logp []float64) float64, logits []float64) []float64 {
	const h = 1e-5
	g := make([]float64, len(logits))
	for i := range g {
		x := append([]float64(nil), logits...)
		x[i] += h
		up := f(normalized(x))
		x[i] -= 2 * h
		g[i] = (up - f(normalized(x))) / (2 * h)
	}
	return g
}

// pairwise evaluates a loss in expectation over both orders of all pairs of the first n
// responses, with label(a, b) the probability that a is preferred: its value, and its weights
// summed by response.
func (p problem) pairwise(l loss.Pairwise, logp []float64, n int, label func(a, b int) float64) (value float64, w []float64) {
	var b loss.Pairs
	var index [][2]int
	for i := range n {
		for j := range n {
			if i != j {
				index = append(index, [2]int{i, j})
				b.Chosen, b.Rejected = append(b.Chosen, logp[i]), append(b.Rejected, logp[j])
				b.RefChosen, b.RefRejected = append(b.RefChosen, p.ref[i]), append(b.RefRejected, p.ref[j])
				b.Weight = append(b.Weight, 2*label(i, j)/float64(n*(n-1)))
			}
		}
	}
	out := loss.PairsOut{Chosen: make([]float64, len(index)), Rejected: make([]float64, len(index))}
	total, err := l.Eval(out, b)
	if err != nil {
		panic(err)
	}
	w = make([]float64, len(logp))
	for i, pair := range index {
		w[pair[0]] += out.Chosen[i]
		w[pair[1]] += out.Rejected[i]
	}
	return total.Sum, w
}

// preferred is Bradley–Terry's probability.
func (p problem) preferred(a, b int) float64 {
	return 1 / (1 + math.Exp(p.reward[b]-p.reward[a]))
}
