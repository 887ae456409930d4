package policy

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/floats"
)

// Features is the matrix Φ of one prompt: row y is the feature vector φ(x, y) of
// response y. Its products are all that a log-linear policy needs of it. An
// implementation must be safe for concurrent use.
type Features interface {
	// Dims returns the number of responses and the length of a feature vector.
	Dims() (responses, dim int)
	// Mul stores Φθ, the inner product φ(y)·θ for every response y, in dst.
	Mul(dst, theta []float64)
	// AddMulT adds Φᵀw = Σ_y w[y]·φ(y) to grad.
	AddMulT(grad, w []float64)
}

const badFeatures = "policy: feature slices do not fit the dimensions"

// Dense is a [Features] that stores every number. It is immutable and safe for
// concurrent use.
type Dense struct {
	responses, dim int
	data           []float64
}

var _ Features = (*Dense)(nil)

// NewDense returns the matrix whose row y is data[y·dim:(y+1)·dim]. It keeps data,
// which must not change any more. A number that is not finite is an error. NewDense
// panics if responses or dim is below 1 or len(data) is not their product.
func NewDense(responses, dim int, data []float64) (*Dense, error) {
	if responses < 1 || dim < 1 || len(data) != responses*dim {
		panic(badFeatures)
	}
	for i, v := range data {
		if math.IsInf(v, 0) || v != v {
			return nil, fmt.Errorf("policy: feature %d of response %d is %v", i%dim, i/dim, v)
		}
	}
	return &Dense{responses, dim, data}, nil
}

// Dims implements [Features].
func (f *Dense) Dims() (responses, dim int) { return f.responses, f.dim }

// Mul implements [Features].
func (f *Dense) Mul(dst, theta []float64) {
	if len(dst) != f.responses || len(theta) != f.dim {
		panic(badFeatures)
	}
	gonum.Implementation{}.Dgemv(blas.NoTrans, f.responses, f.dim, 1, f.data, f.dim, theta, 1, 0, dst, 1)
}

// AddMulT implements [Features].
func (f *Dense) AddMulT(grad, w []float64) {
	if len(grad) != f.dim || len(w) != f.responses {
		panic(badFeatures)
	}
	nonzero := 0
	for _, v := range w {
		if v != 0 {
			nonzero++
		}
	}
	if 3*nonzero > f.responses { // reading every row in blocks is faster from here on
		gonum.Implementation{}.Dgemv(blas.Trans, f.responses, f.dim, 1, f.data, f.dim, w, 1, 1, grad, 1)
		return
	}
	for y, v := range w {
		if v != 0 {
			floats.AddScaled(grad, v, f.data[y*f.dim:(y+1)*f.dim])
		}
	}
}
