// Package linreward fits a linear Bradley–Terry reward model, r̂(x, y) = φ(x, y)·w, to
// preference pairs: regularised logistic regression on feature differences.
package linreward

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
)

// Fit minimises (1/n)·Σᵢ −log σ(Δᵢ·w) + (l2/2)·|w|² over w, where row i of diff is Δᵢ =
// φ(xᵢ, y⁺ᵢ) − φ(xᵢ, y⁻ᵢ). The problem is strongly convex for l2 > 0.
func Fit(diff policy.Features, l2 float64) ([]float64, error) {
	n, dim := diff.Dims()
	zero, margin := make([]float64, n), make([]float64, n)
	slope := make([]float64, n)
	var failed error
	eval := func(w []float64, grad []float64) float64 {
		diff.Mul(margin, w)
		t, err := loss.BradleyTerry{}.Eval(loss.PairsOut{Chosen: slope}, loss.Rewards{Chosen: margin, Rejected: zero})
		if err != nil {
			failed = err
			return math.NaN()
		}
		if grad != nil {
			floats.Scale(1/float64(n), slope)
			for i, v := range w {
				grad[i] = l2 * v
			}
			diff.AddMulT(grad, slope)
		}
		return t.Mean() + l2/2*floats.Dot(w, w)
	}
	problem := optimize.Problem{
		Func: func(w []float64) float64 { return eval(w, nil) },
		Grad: func(grad, w []float64) { eval(w, grad) },
	}
	r, err := optimize.Minimize(problem, make([]float64, dim), &optimize.Settings{GradientThreshold: 1e-8, MajorIterations: 500}, &optimize.LBFGS{})
	if failed != nil {
		return nil, failed
	}
	if err != nil && floats.Norm(gradient(eval, r.X), 2) > 1e-5 { // a line search may end at rounding error
		return nil, fmt.Errorf("fitting the reward model: %w", err)
	}
	return r.X, nil
}

func gradient(eval func(w, grad []float64) float64, w []float64) []float64 {
	g := make([]float64, len(w))
	eval(w, g)
	return g
}

// Accuracy returns the share of pairs that w orders right (ties count one half) and its 95%
// interval (Wilson 1927).
func Accuracy(diff policy.Features, w []float64) (share, lo, hi float64) {
	n, _ := diff.Dims()
	margin := make([]float64, n)
	diff.Mul(margin, w)
	right := 0.0
	for _, m := range margin {
		if m > 0 {
			right++
		} else if m == 0 {
			right += 0.5
		}
	}
	lo, hi = Wilson(right, float64(n))
	return right / float64(n), lo, hi
}

// Wilson returns the 95% score interval of a share of k successes in n trials.
func Wilson(k, n float64) (lo, hi float64) {
	const z = 1.959963984540054
	p := k / n
	mid := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return mid - half, mid + half
}
