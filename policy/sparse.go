package policy

import (
	"fmt"
	"math"
)

// Sparse is a [Features] in compressed rows: hashed or one-hot features of which a
// response has few. It is immutable and safe for concurrent use.
type Sparse struct {
	dim   int
	begin []int
	index []int32
	value []float64
}

var _ Features = (*Sparse)(nil)

// NewSparse returns the matrix of len(begin)−1 rows and dim columns whose row y has
// value[e] in column index[e] for begin[y] ≤ e < begin[y+1], and 0 elsewhere. Values
// of one column given twice add up. It keeps the slices, which must not change any
// more. Offsets that decrease or do not span index, a column outside [0, dim) and a
// value that is not finite are errors. NewSparse panics if dim < 1, there is no row,
// or index and value differ in length.
func NewSparse(dim int, begin []int, index []int32, value []float64) (*Sparse, error) {
	if dim < 1 || len(begin) < 2 || len(index) != len(value) {
		panic(badFeatures)
	}
	n := len(begin) - 1
	if begin[0] != 0 || begin[n] != len(index) {
		return nil, fmt.Errorf("policy: offsets run from %d to %d for %d features", begin[0], begin[n], len(index))
	}
	for y := range n {
		if begin[y] > begin[y+1] {
			return nil, fmt.Errorf("policy: offsets %d and %d of response %d decrease", begin[y], begin[y+1], y)
		}
	}
	for e, c := range index {
		if c < 0 || int(c) >= dim {
			return nil, fmt.Errorf("policy: feature %d is in column %d of %d", e, c, dim)
		}
		if v := value[e]; math.IsInf(v, 0) || v != v {
			return nil, fmt.Errorf("policy: feature %d is %v", e, v)
		}
	}
	return &Sparse{dim, begin, index, value}, nil
}

// Dims implements [Features].
func (f *Sparse) Dims() (responses, dim int) { return len(f.begin) - 1, f.dim }

// Mul implements [Features].
func (f *Sparse) Mul(dst, theta []float64) {
	if len(dst) != len(f.begin)-1 || len(theta) != f.dim {
		panic(badFeatures)
	}
	for y := range dst {
		s := 0.0
		for e := f.begin[y]; e < f.begin[y+1]; e++ {
			s += f.value[e] * theta[f.index[e]]
		}
		dst[y] = s
	}
}

// AddMulT implements [Features].
func (f *Sparse) AddMulT(grad, w []float64) {
	if len(grad) != f.dim || len(w) != len(f.begin)-1 {
		panic(badFeatures)
	}
	for y, v := range w {
		if v == 0 {
			continue
		}
		for e := f.begin[y]; e < f.begin[y+1]; e++ {
			grad[f.index[e]] += v * f.value[e]
		}
	}
}
