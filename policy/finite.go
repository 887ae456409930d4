package policy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/prefgrad/prefgrad/internal/draw"
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
	spare  sync.Pool // of *scratch
}

var (
	_ Enumerable[int]   = (*Finite[int])(nil)
	_ Sampler[int, int] = (*Finite[int])(nil)
)

// scratch is the memory of one call.
type scratch struct{ logp, cdf []float64 }

// NewFinite returns the policy with the distributions of d.
func NewFinite[X comparable](d Distributor[X]) *Finite[X] { return &Finite[X]{source: d} }

// Responses implements [Enumerable].
func (f *Finite[X]) Responses(x X) int { return f.source.Responses(x) }

// Distribution implements [Enumerable]. It panics if len(dst) is not Responses(x).
func (f *Finite[X]) Distribution(dst []float64, x X) error {
	if len(dst) != f.source.Responses(x) {
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
	s := f.scratch()
	defer f.spare.Put(s)
	var errs []error
	for lo, hi := 0, 0; lo < len(xs); lo = hi {
		if err := ctx.Err(); err != nil {
			return err
		}
		hi = endOfRun(xs, lo)
		s.logp = resize(s.logp, f.source.Responses(xs[lo]))
		err := f.source.Distribution(s.logp, xs[lo])
		errs = scoreRun(errs, dst[lo:hi], ys[lo:hi], lo, s.logp, 0, err)
	}
	return errors.Join(errs...)
}

// Sample implements [Sampler]. The responses of a prompt that cannot be drawn from
// are −1.
func (f *Finite[X]) Sample(ctx context.Context, dst Draws[int], xs []X, ids []uint64, k int, key Key) error {
	dst.check(len(xs), ids, k)
	if err := ctx.Err(); err != nil {
		return err
	}
	s := f.scratch()
	defer f.spare.Put(s)
	var errs []error
	var g rand.PCG
	for i, x := range xs {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.logp = resize(s.logp, f.source.Responses(x))
		err := f.source.Distribution(s.logp, x)
		if err != nil {
			errs = append(errs, &ItemError{i, err})
		} else {
			s.cdf = resize(s.cdf, len(s.logp))
			draw.CDF(s.cdf, s.logp)
		}
		for d := i * k; d < (i+1)*k; d++ {
			y, l := -1, math.NaN()
			if err == nil {
				key.Stream(&g, ids[i], d-i*k)
				y = draw.Search(s.cdf, draw.Uniform(&g))
				l = s.logp[y]
			}
			dst.Y[d] = y
			if dst.LogProb != nil {
				dst.LogProb[d] = l
			}
			if dst.Model != nil {
				dst.Model[d] = l
			}
		}
	}
	return errors.Join(errs...)
}

func (f *Finite[X]) scratch() *scratch {
	if s, ok := f.spare.Get().(*scratch); ok {
		return s
	}
	return new(scratch)
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
