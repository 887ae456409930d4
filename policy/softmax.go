package policy

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// logits is what tells one softmax policy from another: the map from parameters to
// logits, and its transpose. All else is the same for
//
//	log π(y|x) = l_y − log Σ_v e^{l_v},    ∇ log π(y|x) = ∇l_y − Σ_v π(v|x)·∇l_v.
type logits[X comparable] interface {
	Responses(x X) int
	params() []float64
	gradient() []float64
	// shape returns Responses(x), about how many multiplications store and pull take, and what the
	// logits of x are a product of: nil if they are not, or if store will have an error.
	shape(x X) (responses, work int, f *Dense)
	// store puts the logits of x in dst, which has length Responses(x). If product is not nil,
	// it is the product of f if known, or else is to receive it.
	store(dst []float64, x X, product []float64, known bool) error
	// pull adds Σ_y w[y]·∇l_y to grad. The prompt is one that store took.
	pull(grad []float64, x X, w []float64)
}

// softmax is the trainable policy with the given logits.
type softmax[X comparable] struct {
	Finite[X]
	logits logits[X]
	grad   sync.Mutex // passes of one policy add to one gradient
	memo   memo
}

func (s *softmax[X]) init(l logits[X]) {
	s.logits = l
	s.source = normalized[X]{l, &s.memo}
}

// NewPass implements [Trainable].
func (s *softmax[X]) NewPass() Pass[X, int] {
	p := &softmaxPass[X]{policy: s}
	p.init(s.source)
	p.forward, p.back = p.forwardPiece, p.backPiece
	return p
}

// normalized is the distribution of logits. Without a memo it does not remember products.
type normalized[X comparable] struct {
	logits[X]
	memo *memo
}

// Distribution implements [Distributor].
func (n normalized[X]) Distribution(dst []float64, x X) error {
	return normalize(dst, n.store(dst, x, nil, false))
}

// normalize turns logits into log-probabilities, unless there is an error already.
func normalize(l []float64, err error) error {
	if err != nil {
		return err
	}
	return checkLogits(l, elem.LogNormalize(l, l))
}

// checkLogits returns an error if z, the log of the sum of the exponentials of the
// logits l, is not finite.
func checkLogits(l []float64, z float64) error {
	switch {
	case !math.IsInf(z, 0) && z == z:
		return nil
	case math.IsInf(z, -1):
		return fmt.Errorf("no response of positive probability: %w", ErrPrompt)
	}
	y := slices.IndexFunc(l, func(v float64) bool { return v != v || math.IsInf(v, 1) })
	return fmt.Errorf("logit of response %d is NaN or +Inf: %w", y, ErrPrompt)
}

// softmaxPass remembers the probabilities of every run of equal prompts.
type softmaxPass[X comparable] struct {
	batch[X]
	policy *softmax[X]
	ys     []int
	dst, w []float64 // arguments of the call in progress
	ready  bool
	probs  []float64   // of all runs
	grads  [][]float64 // of each piece after the first

	forward, back func(worker, piece int) error // method values, made once
}

func (p *softmaxPass[X]) Forward(ctx context.Context, dst []float64, xs []X, ys []int) error {
	if len(dst) != len(xs) || len(dst) != len(ys) {
		panic(badLength)
	}
	p.ready, p.xs, p.ys = false, xs, ys
	if err := ctx.Err(); err != nil {
		return err
	}
	p.lay(xs, false, true)
	p.probs = resize(p.probs, p.last().values)
	p.dst = dst
	err := p.do(ctx, pieces(p.cost, p.cost), p.cost, p.forward)
	p.dst = nil
	p.ready = err == nil
	return err
}

func (p *softmaxPass[X]) forwardPiece(worker, piece int) error {
	me := p.rooms[worker]
	var errs []error
	lo, hi := p.piece(piece)
	for i := lo; i < hi; i++ {
		from, to, x, err := p.prompt(i)
		if err != nil {
			return err
		}
		l := me.values[:to.values-from.values]
		z, err := p.softmaxOf(l, p.probs[from.values:to.values], x, to)
		errs = scoreRun(errs, p.dst[from.items:to.items], p.ys[from.items:to.items], from.items, l, z, err)
	}
	p.errs[piece] = errs
	return nil
}

// The gradients of the pieces of a pass are added up at the end. There are only so many of them that this is
// little work.
const (
	maxGradients = 16
	gradientWork = 64 // of a piece, for each parameter
)

func (p *softmaxPass[X]) Pullback(ctx context.Context, w []float64) error {
	if !p.ready || len(w) != len(p.xs) {
		panic(badPullback)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p.policy.grad.Lock()
	defer p.policy.grad.Unlock()
	grad, work := p.policy.logits.gradient(), p.last().work
	n := pieces(work, min(maxGradients, work/(gradientWork*len(grad))))
	for len(p.grads) < n-1 {
		p.grads = append(p.grads, make([]float64, len(grad)))
	}
	p.w = w
	err := p.do(ctx, n, work, p.back)
	p.w = nil
	if err != nil {
		return err
	}
	for _, g := range p.grads[:n-1] {
		floats.Add(grad, g)
	}
	return nil
}

// backPiece adds the gradient of the first piece where it belongs, and stores that of another.
func (p *softmaxPass[X]) backPiece(worker, piece int) error {
	me, grad := p.rooms[worker], p.policy.logits.gradient()
	if piece > 0 {
		grad = p.grads[piece-1]
		clear(grad)
	}
	lo, hi := p.piece(piece)
	for i := lo; i < hi; i++ {
		from, to, x, err := p.prompt(i)
		if err != nil {
			return err
		}
		probs := p.probs[from.values:to.values]
		v := me.values[:len(probs)]
		clear(v)
		sum, size := 0.0, 0.0
		ys, w := p.ys[from.items:to.items], p.w[from.items:to.items]
		for j, y := range ys {
			v[y] += w[j]
			sum += w[j]
		}
		for _, y := range ys {
			size += math.Abs(v[y])
		}
		// Weights that cancel, as those of a pair do and those of samples with a baseline, leave
		// only the rows of the items to visit. What rounding has left of their sum is no more than this.
		if math.Abs(sum) > 0x1p-53*float64(len(ys))*size {
			for y, q := range probs {
				v[y] -= sum * q
			}
		}
		p.policy.logits.pull(grad, x, v)
	}
	return nil
}
