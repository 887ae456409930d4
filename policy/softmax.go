package policy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// logits is what tells one softmax policy from another: the map from parameters to
// logits, and its transpose. All else is the same for
//
//	log π(y|x) = l_y − log Σ_v e^{l_v},    ∇ log π(y|x) = ∇l_y − Σ_v π(v|x)·∇l_v.
type logits[X comparable] interface {
	Responses(x X) int
	// store puts the logits of x in dst, which has length Responses(x).
	store(dst []float64, x X) error
	// pull adds Σ_y w[y]·∇l_y to the gradient. The prompt is one that store took.
	pull(x X, w []float64)
}

// softmax is the trainable policy with the given logits.
type softmax[X comparable] struct {
	Finite[X]
	logits logits[X]
	grad   sync.Mutex // passes of one policy add to one gradient
}

func (s *softmax[X]) init(l logits[X]) {
	s.logits = l
	s.source = normalized[X]{l}
}

// NewPass implements [Trainable].
func (s *softmax[X]) NewPass() Pass[X, int] { return &softmaxPass[X]{policy: s} }

// normalized is the distribution of logits.
type normalized[X comparable] struct{ logits[X] }

// Distribution implements [Distributor].
func (n normalized[X]) Distribution(dst []float64, x X) error {
	if err := n.store(dst, x); err != nil {
		return err
	}
	return checkLogits(dst, elem.LogNormalize(dst, dst))
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
	policy *softmax[X]
	xs     []X
	ys     []int
	ready  bool
	runs   []run
	probs  []float64 // of all runs
	buf    []float64 // logits on the way out, their weights on the way back
}

// run is a run of equal prompts: the end of its items, the end of its probabilities.
type run struct{ items, probs int }

func (p *softmaxPass[X]) Forward(ctx context.Context, dst []float64, xs []X, ys []int) error {
	if len(dst) != len(xs) || len(dst) != len(ys) {
		panic(badLength)
	}
	p.ready, p.xs, p.ys = false, xs, ys
	p.runs, p.probs = p.runs[:0], p.probs[:0]
	if err := ctx.Err(); err != nil {
		return err
	}
	var errs []error
	for lo, hi := 0, 0; lo < len(xs); lo = hi {
		if err := ctx.Err(); err != nil {
			return err
		}
		hi = endOfRun(xs, lo)
		n, at := p.policy.logits.Responses(xs[lo]), len(p.probs)
		p.buf = resize(p.buf, n)
		p.probs = slices.Grow(p.probs, n)[:at+n]
		z, err := 0.0, p.policy.logits.store(p.buf, xs[lo])
		if err == nil {
			z = elem.Softmax(p.probs[at:], p.buf)
			err = checkLogits(p.buf, z)
		}
		errs = scoreRun(errs, dst[lo:hi], ys[lo:hi], lo, p.buf, z, err)
		p.runs = append(p.runs, run{hi, at + n})
	}
	p.ready = errs == nil
	return errors.Join(errs...)
}

func (p *softmaxPass[X]) Pullback(ctx context.Context, w []float64) error {
	if !p.ready || len(w) != len(p.xs) {
		panic(badPullback)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p.policy.grad.Lock()
	defer p.policy.grad.Unlock()
	var from run
	for _, to := range p.runs {
		if err := ctx.Err(); err != nil {
			return err
		}
		probs := p.probs[from.probs:to.probs]
		p.buf = resize(p.buf, len(probs))
		clear(p.buf)
		sum := 0.0
		for i := from.items; i < to.items; i++ {
			p.buf[p.ys[i]] += w[i]
			sum += w[i]
		}
		if sum != 0 { // a pair whose weights cancel leaves two rows to visit
			for y, q := range probs {
				p.buf[y] -= sum * q
			}
		}
		p.policy.logits.pull(p.xs[from.items], p.buf)
		from = to
	}
	return nil
}
