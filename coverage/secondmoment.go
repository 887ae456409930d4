package coverage

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/prefgrad/prefgrad/internal/record"
)

// SecondMoment accumulates the d×d matrix of feature differences between two policies,
//
//	Σ_{μ×ν} = E_x E_{y~μ, y'~ν}[(φ(y)−φ(y'))(φ(y)−φ(y'))ᵀ]
//	        = E_x[Cov_μ φ + Cov_ν φ + (E_μφ − E_νφ)(E_μφ − E_νφ)ᵀ]
//
// Σ_μ = Σ_{μ×μ} = E_x[2·Cov_μ φ]. It takes whole distributions with AddPrompt, or a stream
// of pairs with AddPair: preference pairs give the matrix of the data. Merging is
// commutative, and associative up to rounding. Make it with [NewSecondMoment]; it is not
// safe for concurrent use.
type SecondMoment struct {
	dim    int
	weight float64
	sum    []float64 // upper triangle, row by row
	diff   []float64
}

// NewSecondMoment returns an empty accumulator for dim features. It panics if dim < 1.
func NewSecondMoment(dim int) *SecondMoment {
	if dim < 1 {
		panic("coverage: dim < 1")
	}
	return &SecondMoment{dim: dim, sum: make([]float64, dim*(dim+1)/2), diff: make([]float64, dim)}
}

// AddPair adds one pair of responses to one prompt, by their features. A feature that is
// not finite is an error, and then nothing is added. It panics on other lengths.
func (s *SecondMoment) AddPair(a, b []float64) error {
	if len(a) != s.dim || len(b) != s.dim {
		panic("coverage: feature vector of another length")
	}
	for i := range a {
		s.diff[i] = a[i] - b[i]
		if d := s.diff[i]; math.IsNaN(d) || math.IsInf(d, 0) {
			return fmt.Errorf("coverage: feature %d of the pair is %v and %v, must be finite", i, a[i], b[i])
		}
	}
	s.weight++
	s.outer(1, s.diff)
	return nil
}

// AddPrompt adds a prompt of the given weight ρ(x), whose responses have the features
// phi (one row each), with their log-probabilities under μ and ν. A response with
// probability 0 under both is not read. It panics if the shapes differ.
func (s *SecondMoment) AddPrompt(weight float64, phi mat.Matrix, logmu, lognu []float64) error {
	n, d := phi.Dims()
	if d != s.dim || len(logmu) != n || len(lognu) != n {
		panic("coverage: shapes of features and log-probabilities differ")
	}
	if !(weight >= 0) || math.IsInf(weight, 1) {
		return fmt.Errorf("coverage: weight = %v, must be finite and ≥ 0", weight)
	}
	for i := range n {
		for j := range d {
			if v := phi.At(i, j); math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("coverage: phi[%d][%d] = %v, must be finite", i, j, v)
			}
		}
		if !(logmu[i] <= 1e-9) || !(lognu[i] <= 1e-9) {
			return fmt.Errorf("coverage: log-probabilities of response %d are %v and %v, must be ≤ 0", i, logmu[i], lognu[i])
		}
	}
	// Features enter relative to the first row, so that a constant one is exactly 0.
	x, gap := make([]float64, d), make([]float64, d)
	for i, logp := range [][]float64{logmu, lognu} {
		mean := make([]float64, d)
		for y, lp := range logp {
			for j := range mean {
				mean[j] += math.Exp(lp) * (phi.At(y, j) - phi.At(0, j))
			}
		}
		for y, lp := range logp {
			for j := range x {
				x[j] = phi.At(y, j) - phi.At(0, j) - mean[j]
			}
			s.outer(weight*math.Exp(lp), x)
		}
		for j, m := range mean {
			gap[j] += m * float64(1-2*i)
		}
	}
	s.outer(weight, gap)
	s.weight += weight
	return nil
}

// outer adds w·x·xᵀ.
func (s *SecondMoment) outer(w float64, x []float64) {
	k := 0
	for i, a := range x {
		row := s.sum[k : k+len(x)-i]
		for j, b := range x[i:] {
			row[j] += w * a * b
		}
		k += len(row)
	}
}

// Merge adds what o has seen. It panics if the dimensions differ.
func (s *SecondMoment) Merge(o *SecondMoment) {
	if s.dim != o.dim {
		panic("coverage: merging accumulators of different dimensions")
	}
	s.weight += o.weight
	for i, v := range o.sum {
		s.sum[i] += v
	}
}

// Weight returns the number of pairs, or the sum of the weights of prompts.
func (s *SecondMoment) Weight() float64 { return s.weight }

// Matrix returns the mean, Σ_{μ×ν}; all NaN if nothing was added.
func (s *SecondMoment) Matrix() *mat.SymDense {
	m := mat.NewSymDense(s.dim, nil)
	k := 0
	for i := range s.dim {
		for j := i; j < s.dim; j++ {
			m.SetSym(i, j, s.sum[k]/s.weight)
			k++
		}
	}
	return m
}

const secondMomentKind, secondMomentVersion = "coverage.secondmoment", 1

// MarshalBinary implements [encoding.BinaryMarshaler].
func (s *SecondMoment) MarshalBinary() ([]byte, error) {
	return encode(secondMomentKind, secondMomentVersion, record.Uints(uint64(s.dim)), record.Floats([]float64{s.weight}), record.Floats(s.sum))
}

// UnmarshalBinary implements [encoding.BinaryUnmarshaler], in place of what s was.
func (s *SecondMoment) UnmarshalBinary(b []byte) error {
	var head [1]uint64
	sections, err := decode(b, secondMomentKind, secondMomentVersion, 3, head[:])
	if err != nil {
		return err
	}
	// dim numbers at least are there, so that a false dim makes nothing large.
	if n := uint64(len(sections[2]) / 8); head[0] < 1 || head[0] > n || head[0]*(head[0]+1)/2 != n {
		return fmt.Errorf("coverage: a %s record that contradicts itself", secondMomentKind)
	}
	n, weight := NewSecondMoment(int(head[0])), make([]float64, 1)
	if err := errors.Join(record.PutFloats(weight, sections[1]), record.PutFloats(n.sum, sections[2])); err != nil {
		return fmt.Errorf("coverage: %w", err)
	}
	n.weight = weight[0]
	*s = *n
	return nil
}
