package coverage

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Design is a G-optimal design: the distribution over points from which data cover every
// point as well as data can.
type Design struct {
	Weights    []float64 // one for each point, summing to 1
	G          float64   // max_i φ_iᵀ V⁻¹ φ_i with V = Σ weight·φφᵀ: the certificate
	Rank       int       // of the points; no design has G < Rank (Kiefer and Wolfowitz 1960)
	Iterations int
}

// ErrNoDesign says that the iterations did not suffice for the tolerance.
var ErrNoDesign = errors.New("coverage: the design has not converged")

// GOptimal finds a design over the rows of points with G ≤ Rank·(1+tol), by the
// Frank–Wolfe method with away steps and exact line search (Wolfe, Atwood). Within tol > 0
// and maxIter iterations; otherwise the error is [ErrNoDesign], and the design is the last
// one, with its certificate. The points may span a part of their space, not {0}.
func GOptimal(points mat.Matrix, tol float64, maxIter int) (Design, error) {
	n, d := points.Dims()
	if !(tol > 0) {
		return Design{}, fmt.Errorf("coverage: tol = %v, must be > 0", tol)
	}
	moment := NewSecondMoment(d)
	zero, rows := make([]float64, d), make([][]float64, n)
	for i := range n {
		rows[i] = mat.Row(nil, i, points)
		if err := moment.AddPair(rows[i], zero); err != nil {
			return Design{}, fmt.Errorf("point %d: %w", i, err)
		}
	}
	m, err := NewMetric(moment.Matrix())
	if err != nil {
		return Design{}, err
	}
	if m.rank == 0 {
		return Design{}, errors.New("coverage: all points are 0")
	}
	z := make([]float64, 0, n*m.rank) // whitened: the design does not depend on the basis
	for _, row := range rows {
		for k := range m.rank {
			z = append(z, m.dot(m.white[k*d:(k+1)*d], row))
		}
	}
	return frankWolfe(mat.NewDense(n, m.rank, z), tol, maxIter)
}

func frankWolfe(z *mat.Dense, tol float64, maxIter int) (Design, error) {
	n, r := z.Dims()
	design := Design{Weights: make([]float64, n), Rank: r}
	for i := range design.Weights {
		design.Weights[i] = 1 / float64(n)
	}
	w, rank, g := design.Weights, float64(r), make([]float64, n)
	for ; ; design.Iterations++ {
		if err := leverages(g, z, w); err != nil {
			return design, err
		}
		hi, lo := 0, -1
		for i, v := range g {
			if v > g[hi] {
				hi = i
			}
			if w[i] > 0 && (lo < 0 || v < g[lo]) {
				lo = i
			}
		}
		design.G = g[hi]
		switch {
		case design.G <= rank*(1+tol):
			return design, nil
		case design.Iterations >= maxIter:
			return design, ErrNoDesign
		}
		// log det V grows fastest toward hi, or away from lo.
		at, step := hi, 0.0
		if rank-g[lo] > g[hi]-rank {
			at = lo
			step = -w[at] / (1 - w[at]) // drops the point
		}
		if g[at] > 1 {
			step = max(step, (g[at]/rank-1)/(g[at]-1))
		}
		for i := range w {
			w[i] *= 1 - step
		}
		if w[at] += step; w[at] < 1e-15 {
			w[at] = 0 // dropped
		}
	}
}

// leverages stores z_iᵀ V⁻¹ z_i, V = Σ w_i z_i z_iᵀ, in g.
func leverages(g []float64, z *mat.Dense, w []float64) error {
	n, r := z.Dims()
	v := mat.NewSymDense(r, nil)
	for i := range n {
		if w[i] > 0 {
			v.SymRankOne(v, w[i], z.RowView(i))
		}
	}
	var chol mat.Cholesky
	if !chol.Factorize(v) {
		return errors.New("coverage: the design has become singular")
	}
	var solved mat.Dense
	if err := chol.SolveTo(&solved, z.T()); err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	for i := range g {
		g[i] = mat.Dot(z.RowView(i), solved.ColView(i))
	}
	return nil
}

// PointCoverage returns max_i φ_iᵀΣ†φ_i over the rows of points: what [GOptimal] makes
// smallest. +Inf if a point is outside the range of Σ.
func (m *Metric) PointCoverage(points mat.Matrix) float64 {
	worst, row := math.Inf(-1), make([]float64, m.dim)
	n, _ := points.Dims()
	for i := range n {
		worst = max(worst, m.Leverage(mat.Row(row, i, points)))
	}
	return worst
}
