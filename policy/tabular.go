package policy

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Tabular is the softmax policy with a free logit for every response to every
// prompt,
//
//	π(y|x) ∝ π_base(y|x)·exp(θ[x, y]),    ∂ log π(y|x) / ∂θ[x, v] = 1{v = y} − π(v|x):
//
// the class without function approximation. Prompts and responses are the numbers
// 0 … prompts−1 and 0 … responses−1. θ starts at 0, where π is π_base. LogProbs, Sample, Distribution
// and Responses are those of [Finite], and NewPass makes a Pass[int, int]. Scoring,
// sampling and passes are safe for concurrent use, also with each other, but not
// with changes to Params.
type Tabular struct {
	softmax[int]
	table table
}

var (
	_ Learner[int, int] = (*Tabular)(nil)
	_ Enumerable[int]   = (*Tabular)(nil)
	_ Host              = (*Tabular)(nil)
)

// NewTabular returns the policy with θ = 0. base holds log π_base(y|x) at
// x·responses + y, up to a constant for each prompt and with −Inf allowed; nil means
// uniform. It is copied. NewTabular panics if a size is below 1 or len(base) is not
// their product.
func NewTabular(prompts, responses int, base []float64) *Tabular {
	if prompts < 1 || responses < 1 || base != nil && len(base) != prompts*responses {
		panic("policy: sizes of a Tabular below 1, or its base of another size")
	}
	return newTabular(table{
		responses: responses, base: slices.Clone(base), theta: make([]float64, prompts*responses),
	})
}

// newTabular adds the gradient to t.
func newTabular(t table) *Tabular {
	t.grad = make([]float64, len(t.theta))
	p := &Tabular{table: t}
	p.init(&p.table)
	return p
}

// Params implements [Host]: θ[x, y] at x·responses + y.
func (p *Tabular) Params() []float64 { return p.table.theta }

// Grad implements [Host], in the layout of Params.
func (p *Tabular) Grad() []float64 { return p.table.grad }

// Freeze implements [Freezer].
func (p *Tabular) Freeze() *Finite[int] {
	t := p.table
	t.theta, t.grad = slices.Clone(t.theta), nil
	return NewFinite(normalized[int]{&t, nil})
}

// table is the logits log π_base + θ. base does not change.
type table struct {
	responses         int
	base, theta, grad []float64
}

func (t *table) Responses(x int) int {
	if x < 0 || x >= len(t.theta)/t.responses {
		return 0
	}
	return t.responses
}

func (t *table) params() []float64   { return t.theta }
func (t *table) gradient() []float64 { return t.grad }

func (t *table) shape(x int) (responses, work int, f *Dense) {
	n := t.Responses(x)
	return n, n * workOfResponse, nil
}

func (t *table) store(dst []float64, x int, _ []float64, _ bool) error {
	if t.Responses(x) == 0 {
		return fmt.Errorf("prompt %d of %d: %w", x, len(t.theta)/t.responses, ErrPrompt)
	}
	lo := x * t.responses
	copy(dst, t.theta[lo:])
	if t.base != nil {
		floats.Add(dst, t.base[lo:lo+t.responses])
	}
	return nil
}

func (t *table) pull(grad []float64, x int, w []float64) {
	lo := x * t.responses
	floats.Add(grad[lo:lo+t.responses], w)
}
