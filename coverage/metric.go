package coverage

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Two thresholds decide what is inside the range of a matrix. Features are first divided by
// the square roots of the diagonal, so neither depends on their units.
const (
	nullEigenvalue = 1e-10 // an eigenvalue below this share of the largest is 0
	outsideRange   = 1e-6  // a vector with more than this share of its length outside the range is not in it
)

// Metric measures directions of feature space by how well data cover them: the
// Moore–Penrose norm ‖x‖²_{Σ†} = xᵀΣ†x of the matrix Σ of a [SecondMoment]. It is safe for
// concurrent use.
type Metric struct {
	dim, rank int
	scale     []float64 // 1/√Σ_jj; 0 for a feature that does not vary
	white     []float64 // rank rows Λ^{-1/2}·Uᵀ, of scaled features
	null      []float64 // dim − rank rows: the directions outside the range
}

// NewMetric factorises Σ, positive semidefinite. An entry that is not finite or a negative
// eigenvalue is an error.
func NewMetric(sigma mat.Symmetric) (*Metric, error) {
	d := sigma.SymmetricDim()
	m := &Metric{dim: d, scale: make([]float64, d)}
	for i := range d {
		for j := range d {
			if v := sigma.At(i, j); math.IsNaN(v) || math.IsInf(v, 0) || i == j && v < 0 {
				return nil, fmt.Errorf("coverage: sigma[%d][%d] = %v, must be finite and, on the diagonal, ≥ 0", i, j, v)
			}
		}
		if v := sigma.At(i, i); v > 0 {
			m.scale[i] = 1 / math.Sqrt(v)
		}
	}
	s := mat.NewSymDense(d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			s.SetSym(i, j, sigma.At(i, j)*m.scale[i]*m.scale[j])
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(s, true) {
		return nil, errors.New("coverage: the eigenvalues of sigma do not converge")
	}
	values := eigen.Values(nil)
	if values[0] < -1e3*nullEigenvalue*values[d-1] {
		return nil, fmt.Errorf("coverage: sigma has a negative eigenvalue, %v times the largest, of scaled features", values[0]/values[d-1])
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	for k, v := range values {
		column := mat.Col(nil, k, &vectors)
		if v <= nullEigenvalue*values[d-1] || v <= 0 {
			m.null = append(m.null, column...)
			continue
		}
		m.rank++
		for _, u := range column {
			m.white = append(m.white, u/math.Sqrt(v))
		}
	}
	return m, nil
}

// Rank returns the dimension of the range of Σ.
func (m *Metric) Rank() int { return m.rank }

// Leverage returns xᵀΣ†x, and +Inf if x is not in the range of Σ: no data say anything about
// that direction. E_data of the leverage of the data's own differences is the rank. It
// panics if len(x) is not the dimension.
func (m *Metric) Leverage(x []float64) float64 {
	if len(x) != m.dim {
		panic("coverage: feature vector of another length")
	}
	outside, length := 0.0, 0.0
	for j, v := range x {
		if m.scale[j] == 0 && v != 0 {
			return math.Inf(1) + v // NaN stays NaN
		}
		length += v * v * m.scale[j] * m.scale[j]
	}
	for k := 0; k < len(m.null); k += m.dim {
		d := m.dot(m.null[k:k+m.dim], x)
		outside += d * d
	}
	if outside > outsideRange*outsideRange*length {
		return math.Inf(1)
	}
	sum := 0.0
	for k := 0; k < len(m.white); k += m.dim {
		d := m.dot(m.white[k:k+m.dim], x)
		sum += d * d
	}
	return sum
}

func (m *Metric) dot(row, x []float64) float64 {
	sum := 0.0
	for j, v := range x {
		sum += row[j] * v * m.scale[j]
	}
	return sum
}

// Kappa returns the relative condition number of Σ_ν against the matrix Σ_μ of the metric,
//
//	κ(ν; μ) = λ_max(Σ_μ^{†/2}·Σ_ν·Σ_μ^{†/2}) = max_x xᵀΣ_νx / xᵀΣ_μx
//
// +Inf if the range of Σ_ν is not inside that of Σ_μ, NaN if Σ_ν holds NaN. It does not
// depend on the basis of the features. It panics if the dimensions differ.
func (m *Metric) Kappa(nu mat.Symmetric) float64 {
	if nu.SymmetricDim() != m.dim {
		panic("coverage: matrix of another dimension")
	}
	s, trace := mat.NewDense(m.dim, m.dim, nil), 0.0
	for i := range m.dim {
		if m.scale[i] == 0 && nu.At(i, i) != 0 {
			return math.Inf(1) + nu.At(i, i)
		}
		for j := range m.dim {
			v := nu.At(i, j) * m.scale[i] * m.scale[j]
			if math.IsNaN(v) {
				return v
			}
			s.Set(i, j, v)
		}
		trace += s.At(i, i)
	}
	congruent := func(rows []float64) *mat.Dense {
		a := mat.NewDense(len(rows)/m.dim, m.dim, rows)
		var as, asa mat.Dense
		as.Mul(a, s)
		asa.Mul(&as, a.T())
		return &asa
	}
	if len(m.null) > 0 && mat.Trace(congruent(m.null)) > outsideRange*outsideRange*trace {
		return math.Inf(1)
	}
	if m.rank == 0 {
		return 0
	}
	c := congruent(m.white)
	sym := mat.NewSymDense(m.rank, nil)
	for i := range m.rank {
		for j := i; j < m.rank; j++ {
			sym.SetSym(i, j, (c.At(i, j)+c.At(j, i))/2)
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(sym, false) {
		return math.NaN()
	}
	return max(0, eigen.Values(nil)[m.rank-1])
}
