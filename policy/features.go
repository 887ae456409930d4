package policy

import (
	"fmt"

	"github.com/prefgrad/prefgrad/internal/elem"
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

// Dense is a [Features] that stores every number, as float64 or as float32. It is immutable and
// safe for concurrent use.
type Dense struct {
	responses, dim int
	wide           []float64
	narrow         []float32 // one of the two
}

var _ Features = (*Dense)(nil)

// NewDense returns the matrix whose row y is data[y·dim:(y+1)·dim]. It keeps data,
// which must not change any more. A number that is not finite is an error. NewDense
// panics if responses or dim is below 1 or len(data) is not their product.
func NewDense(responses, dim int, data []float64) (*Dense, error) {
	if err := checkDense(responses, dim, data); err != nil {
		return nil, err
	}
	return &Dense{responses, dim, data, nil}, nil
}

// NewDense32 is [NewDense] for features of half the size: what a model computes in float32, embeddings say, is
// no less exact so, and takes half the time to read. Products are in float64.
func NewDense32(responses, dim int, data []float32) (*Dense, error) {
	if err := checkDense(responses, dim, data); err != nil {
		return nil, err
	}
	return &Dense{responses, dim, nil, data}, nil
}

func checkDense[T elem.Float](responses, dim int, data []T) error {
	if responses < 1 || dim < 1 || len(data) != responses*dim {
		panic(badFeatures)
	}
	for i, v := range data {
		if v-v != 0 {
			return fmt.Errorf("policy: feature %d of response %d is %v", i%dim, i/dim, v)
		}
	}
	return nil
}

// Dims implements [Features].
func (f *Dense) Dims() (responses, dim int) { return f.responses, f.dim }

// Mul implements [Features].
func (f *Dense) Mul(dst, theta []float64) {
	if len(dst) != f.responses || len(theta) != f.dim {
		panic(badFeatures)
	}
	if f.narrow != nil {
		elem.Mul(dst, f.narrow, theta)
	} else {
		elem.Mul(dst, f.wide, theta)
	}
}

// AddMulT implements [Features].
func (f *Dense) AddMulT(grad, w []float64) {
	if len(grad) != f.dim || len(w) != f.responses {
		panic(badFeatures)
	}
	if f.narrow != nil {
		elem.AddMulT(grad, f.narrow, w)
	} else {
		elem.AddMulT(grad, f.wide, w)
	}
}
