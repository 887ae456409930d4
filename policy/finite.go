package policy

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/internal/draw"
	"github.com/prefgrad/prefgrad/internal/elem"
)

// Distributor gives all response probabilities of a prompt at once. It is the part
// of [Enumerable] that [Finite] makes the rest from. It is safe for concurrent use.
type Distributor[X any] interface {
	// Responses returns the number n of responses to x, 0 for a prompt that the
	// policy does not know.
	Responses(x X) int
	// Distribution stores log π(y|x) for y = 0 … n−1 in dst, which has length n.
	Distribution(dst []float64, x X) error
}

// Finite is a policy over finitely many responses that is given by its
// distribution alone. It scores, samples and enumerates, and cannot be trained:
// frozen references and mixtures are of this type, and NewFinite makes one of any
// other rule. Neighbouring items of a batch with equal prompts share one call of
// Distribution, so keep the responses to a prompt together.
//
// The zero value has no distribution and panics. A Finite is safe for concurrent use.
type Finite[X comparable] struct {
	source Distributor[X]
	spare  sync.Pool // of *call[X]
}

var (
	_ Enumerable[int]   = (*Finite[int])(nil)
	_ Sampler[int, int] = (*Finite[int])(nil)
)

// NewFinite returns the policy with the distributions of d. It panics if d is nil.
func NewFinite[X comparable](d Distributor[X]) *Finite[X] {
	f := &Finite[X]{source: d}
	f.distributor()
	return f
}

// distributor returns the source. It panics if there is none.
func (f *Finite[X]) distributor() Distributor[X] {
	if f.source == nil {
		panic("policy: Finite without a Distributor")
	}
	return f.source
}

// Responses implements [Enumerable].
func (f *Finite[X]) Responses(x X) int { return f.distributor().Responses(x) }

// Distribution implements [Enumerable]. It panics if len(dst) is not Responses(x).
func (f *Finite[X]) Distribution(dst []float64, x X) error {
	if len(dst) != f.Responses(x) {
		panic(badLength)
	}
	return f.source.Distribution(dst, x)
}

// LogProbs implements [Policy].
func (f *Finite[X]) LogProbs(ctx context.Context, dst []float64, xs []X, ys []int) error {
	if len(dst) != len(xs) || len(dst) != len(ys) {
		panic(badLength)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c := f.call()
	defer f.end(c)
	c.lay(xs, false, false)
	c.dst, c.ys = dst, ys
	return c.do(ctx, pieces(c.cost, c.cost), c.cost, c.score)
}

// Sample implements [Sampler]. The responses of a prompt that cannot be drawn from
// are −1.
func (f *Finite[X]) Sample(ctx context.Context, dst Draws[int], xs []X, ids []uint64, k int, key Key) error {
	dst.check(len(xs), ids, k)
	if err := ctx.Err(); err != nil {
		return err
	}
	c := f.call()
	defer f.end(c)
	c.lay(xs, true, true)
	c.draws, c.ids, c.k, c.key = dst, ids, k, key
	return c.do(ctx, pieces(c.cost, c.cost), c.cost, c.sample)
}

// call is a batch with the arguments of a call.
type call[X comparable] struct {
	batch[X]
	ys    []int
	dst   []float64
	draws Draws[int]
	ids   []uint64
	k     int
	key   Key

	score, sample func(worker, piece int) error // method values, made once
}

func (f *Finite[X]) call() *call[X] {
	if c, ok := f.spare.Get().(*call[X]); ok {
		return c
	}
	c := new(call[X])
	c.init(f.distributor())
	c.score, c.sample = c.scorePiece, c.samplePiece
	return c
}

// end keeps c for another call, without what belongs to the caller.
func (f *Finite[X]) end(c *call[X]) {
	c.xs, c.ys, c.dst, c.draws, c.ids = nil, nil, nil, Draws[int]{}, nil
	f.spare.Put(c)
}

func (c *call[X]) scorePiece(worker, piece int) error {
	me := c.rooms[worker]
	var errs []error
	lo, hi := c.piece(piece)
	for i := lo; i < hi; i++ {
		from, to, x, err := c.prompt(i)
		if err != nil {
			return err
		}
		logp := me.values[:to.values-from.values]
		err = c.distribution(logp, x, to)
		errs = scoreRun(errs, c.dst[from.items:to.items], c.ys[from.items:to.items], from.items, logp, 0, err)
	}
	c.errs[piece] = errs
	return nil
}

func (c *call[X]) samplePiece(worker, piece int) error {
	me := c.rooms[worker]
	var g rand.PCG
	var errs []error
	lo, hi := c.piece(piece)
	for i := lo; i < hi; i++ {
		from, to, x, err := c.prompt(i)
		if err != nil {
			return err
		}
		v := me.values[:to.values-from.values]
		cdf := me.cdf[:len(v)]
		z, err := c.cumulate(cdf, v, x, to)
		if err != nil {
			errs = append(errs, &ItemError{i, err})
		}
		h := c.key.prompt(c.ids[i])
		for j := range c.k {
			y, l := -1, math.NaN()
			if err == nil {
				stream(&g, h, j)
				y = draw.Search(cdf, draw.Uniform(&g))
				l = v[y] - z
			}
			at := i*c.k + j
			c.draws.Y[at] = y
			if c.draws.LogProb != nil {
				c.draws.LogProb[at] = l
			}
			if c.draws.Model != nil {
				c.draws.Model[at] = l
			}
		}
	}
	c.errs[piece] = errs
	return nil
}

// cumulate stores the distribution function of the prompt of run r in cdf, and log π + z in v for the z that it returns.
func (c *call[X]) cumulate(cdf, v []float64, x X, r run) (z float64, err error) {
	if c.softmax != nil {
		z, err = c.softmaxOf(v, cdf, x, r)
	} else if err = c.source.Distribution(v, x); err == nil {
		elem.Exp(cdf, v, 1, 0)
	}
	if err != nil {
		return 0, err
	}
	floats.CumSum(cdf, cdf)
	return z, nil
}

// endOfRun returns the end of the run of equal prompts that begins at lo.
func endOfRun[X comparable](xs []X, lo int) int {
	hi := lo + 1
	for hi < len(xs) && xs[hi] == xs[lo] {
		hi++
	}
	return hi
}

// scoreRun stores v[y] − z for the responses ys of one prompt in dst, or NaN where
// err or y forbids it, and appends what failed to errs. The first item of the run
// has index first.
func scoreRun(errs []error, dst []float64, ys []int, first int, v []float64, z float64, err error) []error {
	for i, y := range ys {
		switch {
		case err != nil:
			dst[i] = math.NaN()
			errs = append(errs, &ItemError{first + i, err})
		case y < 0 || y >= len(v):
			dst[i] = math.NaN()
			errs = append(errs, &ItemError{first + i, fmt.Errorf("response %d of %d: %w", y, len(v), ErrResponse)})
		default:
			dst[i] = v[y] - z
		}
	}
	return errs
}

// resize returns s with length n and unspecified contents.
func resize(s []float64, n int) []float64 { return slices.Grow(s[:0], n)[:n] }
