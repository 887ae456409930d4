package train

import (
	"context"
	"fmt"
	"io"

	"github.com/prefgrad/prefgrad/internal/record"
	"github.com/prefgrad/prefgrad/policy"
)

// SGD is stochastic gradient descent with momentum,
//
//	v ← Momentum·v + g + WeightDecay·θ,   θ ← θ − lr·v
//
// [NewSGD] makes one. A value outside its range is an error of Update. It is not safe for
// concurrent use.
type SGD struct {
	Momentum    float64 // in [0, 1); 0 is plain SGD
	WeightDecay float64 // not negative

	host policy.Host
	v    []float64
}

// NewSGD returns an optimizer of the policy's parameters without weight decay. It panics if
// host is nil.
func NewSGD(host policy.Host, momentum float64) *SGD {
	if host == nil {
		panic("train: NewSGD of a nil Host")
	}
	return &SGD{Momentum: momentum, host: host, v: make([]float64, len(host.Params()))}
}

var (
	_ policy.Updater = (*SGD)(nil)
	_ Describer      = (*SGD)(nil)
)

// Update implements [policy.Updater].
func (o *SGD) Update(ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
	if err := checkParams(
		param{"SGD.Momentum", o.Momentum, o.Momentum >= 0 && o.Momentum < 1, "in [0, 1)"},
		param{"SGD.WeightDecay", o.WeightDecay, o.WeightDecay >= 0, "finite and not negative"},
	); err != nil {
		return 0, err
	}
	theta, grad := o.host.Params(), o.host.Grad()
	norm, scale, err := clip(ctx, grad, lr, scale, maxNorm)
	if err != nil {
		return norm, err
	}
	for i, g := range grad {
		o.v[i] = o.Momentum*o.v[i] + g*scale + o.WeightDecay*theta[i]
		theta[i] -= lr * o.v[i]
	}
	clear(grad)
	return norm, nil
}

const sgdKind = "train.SGD"

// Save implements [policy.Updater]. The hyperparameters are not part of the record.
func (o *SGD) Save(w io.Writer) error {
	return record.Write(w, sgdKind, version, record.Floats(o.host.Params()), record.Floats(o.v))
}

// Load implements [policy.Updater].
func (o *SGD) Load(r io.Reader) error { return load(r, sgdKind, o.host, o.host.Params(), o.v) }

// Describe implements [Describer].
func (o *SGD) Describe() string {
	return fmt.Sprintf("Momentum=%v WeightDecay=%v", o.Momentum, o.WeightDecay)
}
