package gomlx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	g "github.com/gomlx/gomlx/core/graph"

	"github.com/prefgrad/prefgrad/policy"
)

// AdamW is Adam with decoupled weight decay (Kingma and Ba 2014, arXiv:1412.6980;
// Loshchilov and Hutter 2017, arXiv:1711.05101) on the trained parameters of a model,
// which stay in the backend, as do its moments. With the gradient g of step t,
//
//	m ← β₁·m + (1−β₁)·g,   v ← β₂·v + (1−β₂)·g²
//	θ ← θ·(1 − lr·WeightDecay) − lr·(m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + Epsilon)
//
// in float32; the norm of the gradient is summed in float64. The weights of norms are
// not decayed. [Model.AdamW] sets the usual values; change them before the first update.
// It is not safe for concurrent use, but it waits for passes in progress.
type AdamW struct {
	Beta1, Beta2 float64 // in [0, 1)
	Epsilon      float64
	WeightDecay  float64

	model    *Model
	m, v     *weights // nil: 0
	steps    uint64
	programs programs
}

// AdamW returns an optimizer of m with β₁ = 0.9, β₂ = 0.999, ε = 1e-8 and no weight
// decay.
func (m *Model) AdamW() *AdamW {
	return &AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, model: m}
}

var _ policy.Updater = (*AdamW)(nil)

// Describe says how the optimizer is set, so that train.Loop does not resume a checkpoint
// of another one.
func (o *AdamW) Describe() string {
	return fmt.Sprintf("Beta1=%v Beta2=%v Epsilon=%v WeightDecay=%v", o.Beta1, o.Beta2, o.Epsilon, o.WeightDecay)
}

// Update implements [policy.Updater]. An error after the norm was found to be finite
// comes from the backend and leaves the model without parameters.
func (o *AdamW) Update(ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
	m := o.model
	defer m.alone()()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := m.trainable(); err != nil {
		return 0, err
	}
	if err := o.prepare(); err != nil {
		return 0, err
	}
	norm, err := o.norm(scale)
	if err != nil {
		return norm, err
	}
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, o.blame(norm)
	}
	if norm > maxNorm {
		scale *= maxNorm / norm
	}
	return norm, o.step(lr, scale)
}

// prepare makes what is not there yet.
func (o *AdamW) prepare() (err error) {
	for _, w := range []**weights{&o.model.grad, &o.m, &o.v} {
		if *w == nil {
			if *w, err = zeros(o.model.backend, o.model.trained().specs); err != nil {
				return err
			}
		}
	}
	return nil
}

// norm returns |scale| times the Euclidean norm of the gradient.
func (o *AdamW) norm(scale float64) (float64, error) {
	args := appendTensors(nil, o.model.grad.t)
	out, err := o.programs.run(o.model.backend, program{kind: norming}, args, func(grad []*g.Node) []*g.Node {
		var sum *g.Node
		for _, x := range grad {
			s := g.ReduceAllSum(g.Square(g.ConvertDType(x, dtypes.Float64)))
			if sum == nil {
				sum = s
			} else {
				sum = g.Add(sum, s)
			}
		}
		return []*g.Node{sum}
	})
	if err != nil {
		return 0, err
	}
	square, ok := out[0].Value().(float64)
	if !ok {
		return 0, fmt.Errorf("gomlx: the norm is a %v", out[0].Shape())
	}
	return math.Sqrt(square) * math.Abs(scale), release(out)
}

// blame returns an error that names what made the norm not finite.
func (o *AdamW) blame(norm float64) error {
	for i, s := range o.model.grad.specs {
		v, err := o.model.grad.read(i)
		if err != nil {
			return err
		}
		for j, x := range v {
			if x-x != 0 {
				return fmt.Errorf("gomlx: the gradient of %s at %d is %v", s.name, j, x)
			}
		}
	}
	return fmt.Errorf("gomlx: the norm of the gradient is %v", norm)
}

// step replaces parameters and moments, and drops the gradient.
func (o *AdamW) step(lr, scale float64) error {
	model := o.model
	specs := model.trained().specs
	n := len(specs)
	t := float64(o.steps + 1)
	coefficients := []float32{
		float32(scale), float32(o.Beta1), float32(1 - o.Beta1), float32(o.Beta2), float32(1 - o.Beta2),
		float32(lr / (1 - math.Pow(o.Beta1, t))), float32(1 / math.Sqrt(1-math.Pow(o.Beta2, t))),
		float32(o.Epsilon), float32(1 - lr*o.WeightDecay),
	}
	args := make([]any, 0, 4*n+len(coefficients))
	for _, c := range coefficients {
		args = append(args, c)
	}
	trained := model.trained()
	for _, w := range []*weights{trained, model.grad, o.m, o.v} {
		var err error
		if args, err = donate(args, model.backend, w.t); err != nil {
			return err
		}
	}
	model.grad = nil
	out, err := o.programs.run(model.backend, program{kind: updating}, args, func(in []*g.Node) []*g.Node {
		c, in := in[:len(coefficients)], in[len(coefficients):]
		return adamw(specs, c, in[:n], in[n:2*n], in[2*n:3*n], in[3*n:])
	})
	if err != nil {
		return err
	}
	trained.t, o.m.t, o.v.t = out[:n:n], out[n:2*n:2*n], out[2*n:]
	o.steps++
	model.updates++
	return nil
}

// adamw returns the new parameters and moments.
func adamw(specs []spec, c, theta, grad, m, v []*g.Node) []*g.Node {
	n := len(specs)
	out := make([]*g.Node, 3*n)
	for i, s := range specs {
		x := g.Mul(grad[i], c[0])
		first := g.Add(g.Mul(m[i], c[1]), g.Mul(x, c[2]))
		second := g.Add(g.Mul(v[i], c[3]), g.Mul(g.Square(x), c[4]))
		old := theta[i]
		if len(s.dims) > 1 {
			old = g.Mul(old, c[8])
		}
		root := g.Add(g.Mul(g.Sqrt(second), c[6]), c[7])
		out[i], out[n+i], out[2*n+i] = g.Sub(old, g.Div(g.Mul(first, c[5]), root)), first, second
	}
	return out
}

const (
	adamKind = "gomlx.AdamW"
	version  = 1
)

// state is what a record has beside the tensors.
type state struct {
	Steps   uint64   `json:"steps"`
	Updates uint64   `json:"updates"` // of the model
	Names   []string `json:"names"`
	Shapes  [][]int  `json:"shapes"`
}

func (o *AdamW) state() state {
	s := state{Steps: o.steps, Updates: o.model.updates}
	for _, p := range o.model.trained().specs {
		s.Names, s.Shapes = append(s.Names, p.name), append(s.Shapes, p.dims)
	}
	return s
}

// Save implements [policy.Updater]. It writes what is trained: with an adapter, the
// adapter alone.
func (o *AdamW) Save(w io.Writer) error {
	defer o.model.alone()()
	if err := o.prepare(); err != nil {
		return err
	}
	return writeState(w, o.state(), o.model.trained(), o.m, o.v)
}

// Load implements [policy.Updater]. A record of another model is an error, and changes
// nothing.
func (o *AdamW) Load(r io.Reader) error {
	defer o.model.alone()()
	if err := o.model.trainable(); err != nil {
		return err
	}
	trained := o.model.trained()
	text, values, err := readState(r, trained.specs)
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("gomlx: %q record: %w", adamKind, err)
	}
	want := o.state()
	if !slices.Equal(s.Names, want.Names) || !slices.EqualFunc(s.Shapes, want.Shapes, slices.Equal[[]int]) {
		return fmt.Errorf("gomlx: %q record of other parameters than the model's", adamKind)
	}
	var loaded [3]*weights
	for i := range loaded {
		k := i * len(trained.specs)
		loaded[i], err = newWeights(o.model.backend, trained.specs, func(j int) ([]float32, error) { return values(k + j) })
		if err != nil {
			return err
		}
	}
	err = errors.Join(release(trained.t), o.m.close(), o.v.close())
	trained.t, o.m, o.v = loaded[0].t, loaded[1], loaded[2]
	o.steps, o.model.updates = s.Steps, s.Updates
	return err
}
