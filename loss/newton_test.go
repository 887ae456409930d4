package loss_test

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"

	"github.com/prefgrad/prefgrad/loss"
)

// DPO on features: with a log-linear policy log π(y|x) = log π_ref(y|x) + θ·φ(x, y) − log Z(x)
// the log-ratios differ by θ·(φ⁺ − φ⁻), whatever Z(x) is. So the objective is a convex
// function of θ whose gradient and Hessian follow from derivatives and curvatures, and
// Newton's method finds its minimiser to machine precision. Each pair stands in both
// orders, weighted by how often raters chose either: without soft labels, or a ridge,
// separable data would have no minimiser.
func ExampleCurved() {
	type pair struct {
		delta [2]float64 // φ(y₁) − φ(y₂)
		first float64    // how often y₁ was preferred
	}
	data := []pair{{[2]float64{1, 0.5}, 0.9}, {[2]float64{-0.5, 1}, 0.4}, {[2]float64{2, -1}, 0.8}, {[2]float64{0.25, 0.75}, 0.7}}

	n := 2 * len(data)
	zero := make([]float64, n)
	b := loss.Pairs{Chosen: make([]float64, n), Rejected: zero, RefChosen: zero, RefRejected: zero}
	for _, p := range data {
		b.Weight = append(b.Weight, p.first, 1-p.first)
	}
	objective := loss.DPO{Beta: 0.5}
	slope, curvature := make([]float64, n), make([]float64, n)
	// forward sets the differences of log-ratios at θ, for both orders of each pair.
	forward := func(theta []float64) {
		for i, p := range data {
			h := theta[0]*p.delta[0] + theta[1]*p.delta[1]
			b.Chosen[2*i], b.Chosen[2*i+1] = h, -h
		}
	}
	problem := optimize.Problem{
		Func: func(theta []float64) float64 {
			forward(theta)
			total, _ := objective.Eval(loss.PairsOut{}, b)
			return total.Sum
		},
		Grad: func(grad, theta []float64) {
			forward(theta)
			objective.Eval(loss.PairsOut{Chosen: slope}, b)
			clear(grad)
			for i, p := range data {
				for k, d := range p.delta {
					grad[k] += (slope[2*i] - slope[2*i+1]) * d
				}
			}
		},
		Hess: func(hess *mat.SymDense, theta []float64) {
			forward(theta)
			objective.Curvature(curvature, b)
			hess.Zero()
			for i, p := range data {
				x := mat.NewVecDense(2, []float64{p.delta[0], p.delta[1]})
				hess.SymRankOne(hess, objective.Beta*objective.Beta*(curvature[2*i]+curvature[2*i+1]), x)
			}
		},
	}
	result, err := optimize.Minimize(problem, []float64{0, 0}, &optimize.Settings{GradientThreshold: 1e-14}, &optimize.Newton{})
	if err != nil {
		fmt.Println(err)
		return
	}
	grad := make([]float64, 2)
	problem.Grad(grad, result.X)
	fmt.Printf("θ = %.10f\n", result.X)
	fmt.Println("gradient below 1e-14:", math.Hypot(grad[0], grad[1]) < 1e-14)
	fmt.Println("fewer than 10 steps:", result.Stats.MajorIterations < 10)
	// Output:
	// θ = [2.4979935411 1.3034362173]
	// gradient below 1e-14: true
	// fewer than 10 steps: true
}
