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
// Loshchilov and Hutter 2017, arXiv:1711.05101). With the gradient g of step t = 1, 2, …,
//
//	m ← β₁·m + (1−β₁)·g,   v ← β₂·v + (1−β₂)·g²
//	θ ← θ·(1 − lr·WeightDecay) − lr·(m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + Epsilon)
//
// [NewAdamW] makes one and sets the usual values; change them before the first update. A
// value outside its range is an error of Update. It is not safe for concurrent use.
type AdamW struct {
	Beta1, Beta2 float64 // in [0, 1)
	Epsilon      float64 // positive
	WeightDecay  float64 // not negative

	host policy.Host
	m, v []float64
	t    float64
}

// NewAdamW returns an optimizer of the policy's parameters with β₁ = 0.9, β₂ = 0.999,
// ε = 1e-8 and no weight decay. It panics if host is nil.
func NewAdamW(host policy.Host) *AdamW {
	if host == nil {
		panic("train: NewAdamW of a nil Host")
	}
	n := len(host.Params())
	return &AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, host: host, m: make([]float64, n), v: make([]float64, n)}
}

var (
	_ policy.Updater = (*AdamW)(nil)
	_ Describer      = (*AdamW)(nil)
)

// Update implements [policy.Updater].
func (o *AdamW) Update(ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
	if err := checkParams(
		param{"AdamW.Beta1", o.Beta1, o.Beta1 >= 0 && o.Beta1 < 1, "in [0, 1)"},
		param{"AdamW.Beta2", o.Beta2, o.Beta2 >= 0 && o.Beta2 < 1, "in [0, 1)"},
		param{"AdamW.Epsilon", o.Epsilon, o.Epsilon > 0, "positive and finite"},
		param{"AdamW.WeightDecay", o.WeightDecay, o.WeightDecay >= 0, "finite and not negative"},
	); err != nil {
		return 0, err
	}
	theta, grad := o.host.Params(), o.host.Grad()
	norm, scale, err := clip(ctx, grad, lr, scale, maxNorm)
	if err != nil {
		return norm, err
	}
	o.t++
	decay := 1 - lr*o.WeightDecay
	rate, spread := lr/(1-math.Pow(o.Beta1, o.t)), 1/(1-math.Pow(o.Beta2, o.t))
	b1, b2, n1, n2, eps := o.Beta1, o.Beta2, 1-o.Beta1, 1-o.Beta2, o.Epsilon
	m, v, theta := o.m[:len(grad)], o.v[:len(grad)], theta[:len(grad)]
	for i, g := range grad {
		g *= scale
		mi := b1*m[i] + n1*g
		vi := b2*v[i] + n2*g*g
		m[i], v[i] = mi, vi
		theta[i] = theta[i]*decay - rate*mi/(math.Sqrt(vi*spread)+eps)
	}
	clear(grad)
	return norm, nil
}

const adamKind = "train.AdamW"

// Save implements [policy.Updater]. The hyperparameters are not part of the record.
func (o *AdamW) Save(w io.Writer) error {
	return record.Write(w, adamKind, version, record.Floats([]float64{o.t}), record.Floats(o.host.Params()), record.Floats(o.m), record.Floats(o.v))
}

// Load implements [policy.Updater].
func (o *AdamW) Load(r io.Reader) error {
	t := []float64{0}
	if err := load(r, adamKind, o.host, t, o.host.Params(), o.m, o.v); err != nil {
		return err
	}
	o.t = t[0]
	return nil
}

// Describe implements [Describer].
func (o *AdamW) Describe() string {
	return fmt.Sprintf("Beta1=%v Beta2=%v Epsilon=%v WeightDecay=%v", o.Beta1, o.Beta2, o.Epsilon, o.WeightDecay)
}
