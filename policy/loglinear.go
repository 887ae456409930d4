package policy

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Candidates is a prompt that brings its own responses 0 … n−1: a context of a
// service, say, with the items it could show. Neighbouring items of a batch that
// point to the same Candidates share one softmax. A Candidates must not change
// while a policy uses it.
type Candidates struct {
	Ref      []float64 // log π_ref(y|x) of each response up to a constant, −Inf allowed; nil: uniform
	Features Features  // φ(x, y) of each response
}

// LogLinear is the policy
//
//	π(y|x) ∝ π_ref(y|x)·exp(φ(x, y)·θ),    ∇θ log π(y|x) = φ(x, y) − E_{v~π(·|x)} φ(x, v),
//
// over the responses of its prompts; θ starts at 0, where π is π_ref. It is the
// class for which coverage is a matter of covariances, and a contextual bandit's
// policy. LogProbs, Sample, Distribution and Responses are those of [Finite], and NewPass makes
// a Pass[*Candidates, int]. Scoring, sampling and passes are safe for concurrent use, also with each
// other, but not with changes to Params.
//
// Up to GOMAXPROCS goroutines share a batch that is worth it: one of some hundred
// microseconds, or of some ten right after another, when the goroutines are still awake. No
// result depends on their number. Of the last batch that was sampled or
// passed, a policy keeps the products Φθ of [Dense] features and the softmaxes, at most 6 MiB, so that
// a step that samples and scores the same prompts computes them once.
type LogLinear struct {
	softmax[*Candidates]
	linear linear
}

var (
	_ Learner[*Candidates, int] = (*LogLinear)(nil)
	_ Enumerable[*Candidates]   = (*LogLinear)(nil)
	_ Host                      = (*LogLinear)(nil)
)

// NewLogLinear returns the policy with θ = 0 ∈ R^dim. It panics if dim < 1.
func NewLogLinear(dim int) *LogLinear {
	if dim < 1 {
		panic("policy: LogLinear without parameters")
	}
	p := &LogLinear{linear: linear{theta: make([]float64, dim), grad: make([]float64, dim)}}
	p.init(&p.linear)
	return p
}

// Params implements [Host]: θ.
func (p *LogLinear) Params() []float64 { return p.linear.theta }

// Grad implements [Host].
func (p *LogLinear) Grad() []float64 { return p.linear.grad }

// Freeze implements [Freezer].
func (p *LogLinear) Freeze() *Finite[*Candidates] {
	return NewFinite(normalized[*Candidates]{&linear{theta: slices.Clone(p.linear.theta)}, nil})
}

// linear is the logits log π_ref(y|x) + φ(x, y)·θ.
type linear struct{ theta, grad []float64 }

func (l *linear) Responses(x *Candidates) int {
	if x == nil || x.Features == nil {
		return 0
	}
	n, _ := x.Features.Dims()
	return n
}

func (l *linear) params() []float64   { return l.theta }
func (l *linear) gradient() []float64 { return l.grad }

func (l *linear) shape(x *Candidates) (responses, work int, f *Dense) {
	if x == nil || x.Features == nil {
		return 0, 0, nil
	}
	switch g := x.Features.(type) {
	case *Dense:
		responses, work = g.responses, len(g.wide)+len(g.narrow)
		if l.check(x) == nil {
			f = g
		}
	case *Sparse:
		responses, work = len(g.begin)-1, 4*len(g.index) // places in memory that come as they like
	default:
		responses, _ = x.Features.Dims()
	}
	return responses, work + responses*workOfResponse, f
}

func (l *linear) check(x *Candidates) error {
	if x == nil || x.Features == nil {
		return fmt.Errorf("candidates or features are nil: %w", ErrPrompt)
	}
	n, dim := x.Features.Dims()
	if dim != len(l.theta) {
		return fmt.Errorf("features of dimension %d for a policy of dimension %d: %w", dim, len(l.theta), ErrPrompt)
	}
	if x.Ref != nil && len(x.Ref) != n {
		return fmt.Errorf("%d reference log-probabilities for %d responses: %w", len(x.Ref), n, ErrPrompt)
	}
	return nil
}

func (l *linear) store(dst []float64, x *Candidates, product []float64, known bool) error {
	if err := l.check(x); err != nil {
		return err
	}
	if product == nil {
		product = dst
	}
	if !known {
		x.Features.Mul(product, l.theta)
	}
	if x.Ref != nil {
		floats.AddTo(dst, product, x.Ref)
	} else {
		copy(dst, product)
	}
	return nil
}

func (l *linear) pull(grad []float64, x *Candidates, w []float64) { x.Features.AddMulT(grad, w) }
