package train

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/prefgrad/prefgrad/internal/record"
	"github.com/prefgrad/prefgrad/policy"
)

// AdamW is Adam with decoupled weight decay (Kingma and Ba 2014, arXiv:1412.6980;
// Loshchilov and Hutter 2017, arXiv:1711.05101). With the gradient g of step t,
//
//	m ← β₁·m + (1−β₁)·g,   v ← β₂·v + (1−β₂)·g²
//	θ ← θ·(1 − lr·WeightDecay) − lr·(m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + Epsilon)
//
// [NewAdamW] sets the usual values; change them before the first update. It is not safe for
// concurrent use.
type AdamW struct {
	Beta1, Beta2 float64 // in [0, 1)
	Epsilon      float64
	WeightDecay  float64

	host policy.Host
	m, v []float64
	t    float64
}

// NewAdamW returns an optimizer of the policy's parameters with β₁ = 0.9, β₂ = 0.999,
// ε = 1e-8 and no weight decay.
func NewAdamW(host policy.Host) *AdamW {
	n := len(host.Params())
	return &AdamW{0.9, 0.999, 1e-8, 0, host, make([]float64, n), make([]float64, n), 0}
}

var _ policy.Updater = (*AdamW)(nil)

// Update implements [policy.Updater].
func (o *AdamW) Update(_ context.Context, lr, scale, maxNorm float64) (float64, error) {
	theta, grad := o.host.Params(), o.host.Grad()
	norm, scale, err := clip(grad, scale, maxNorm)
	if err != nil {
		return norm, err
	}
	o.t++
	c1, c2 := 1-math.Pow(o.Beta1, o.t), 1-math.Pow(o.Beta2, o.t)
	for i, g := range grad {
		g *= scale
		o.m[i] = o.Beta1*o.m[i] + (1-o.Beta1)*g
		o.v[i] = o.Beta2*o.v[i] + (1-o.Beta2)*g*g
		theta[i] = theta[i]*(1-lr*o.WeightDecay) - lr*(o.m[i]/c1)/(math.Sqrt(o.v[i]/c2)+o.Epsilon)
	}
	clear(grad)
	return norm, nil
}

const (
	adamKind = "train.AdamW"
	sgdKind  = "train.SGD"
	version  = 1
)

// Save implements [policy.Updater].
func (o *AdamW) Save(w io.Writer) error {
	return record.Write(w, adamKind, version, record.Floats([]float64{o.t}), record.Floats(o.host.Params()), record.Floats(o.m), record.Floats(o.v))
}

// Load implements [policy.Updater].
func (o *AdamW) Load(r io.Reader) error {
	t := make([]float64, 1)
	if err := load(r, adamKind, t, o.host.Params(), o.m, o.v); err != nil {
		return err
	}
	o.t = t[0]
	return nil
}

// SGD is stochastic gradient descent with momentum,
//
//	v ← Momentum·v + g + WeightDecay·θ,   θ ← θ − lr·v
//
// It is not safe for concurrent use.
type SGD struct {
	Momentum    float64 // in [0, 1); 0 is plain SGD
	WeightDecay float64

	host policy.Host
	v    []float64
}

// NewSGD returns an optimizer of the policy's parameters.
func NewSGD(host policy.Host, momentum float64) *SGD {
	return &SGD{momentum, 0, host, make([]float64, len(host.Params()))}
}

var _ policy.Updater = (*SGD)(nil)

// Update implements [policy.Updater].
func (o *SGD) Update(_ context.Context, lr, scale, maxNorm float64) (float64, error) {
	theta, grad := o.host.Params(), o.host.Grad()
	norm, scale, err := clip(grad, scale, maxNorm)
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

// Save implements [policy.Updater].
func (o *SGD) Save(w io.Writer) error {
	return record.Write(w, sgdKind, version, record.Floats(o.host.Params()), record.Floats(o.v))
}

// Load implements [policy.Updater].
func (o *SGD) Load(r io.Reader) error { return load(r, sgdKind, o.host.Params(), o.v) }

// clip returns the norm of scale·grad and the factor that makes it at most maxNorm.
func clip(grad []float64, scale, maxNorm float64) (norm, factor float64, err error) {
	for _, g := range grad {
		norm += g * g
	}
	norm = math.Sqrt(norm) * math.Abs(scale)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		for i, g := range grad {
			if math.IsNaN(g) || math.IsInf(g, 0) {
				return norm, 0, fmt.Errorf("train: gradient[%d] = %v", i, g)
			}
		}
		return norm, 0, fmt.Errorf("train: the norm of the gradient is %v", norm)
	}
	if norm > maxNorm {
		scale *= maxNorm / norm
	}
	return norm, scale, nil
}

// load fills the slices from a record only if all of them fit.
func load(r io.Reader, kind string, dst ...[]float64) error {
	sections, err := record.Read(r, kind, version)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if len(sections) != len(dst) {
		return fmt.Errorf("train: a %q record with %d sections, not %d", kind, len(sections), len(dst))
	}
	for i, d := range dst {
		if len(sections[i]) != 8*len(d) {
			return fmt.Errorf("train: section %d of the %q record has %d bytes, for %d numbers", i, kind, len(sections[i]), len(d))
		}
	}
	for i, d := range dst {
		if err := record.PutFloats(d, sections[i]); err != nil {
			return err
		}
	}
	return nil
}
