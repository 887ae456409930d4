package policy

import (
	"fmt"
	"math"
	"sync"

	"github.com/prefgrad/prefgrad/internal/elem"
	"github.com/prefgrad/prefgrad/internal/num"
)

// GeometricMixture returns the policy ∝ π^(1−a)·π_ref^a for a ∈ [0, 1], the path of
// KL-regularised optima between the two. A factor with exponent 0 is 1 also where
// its probability is 0, so the ends are π and π_ref themselves; between them the
// support is what the two have in common, and a prompt without any is an error. It
// follows p and ref when they change. An a outside [0, 1] is an error.
func GeometricMixture[X comparable](p, ref Distributor[X], a float64) (*Finite[X], error) {
	return newMixture(p, ref, a, func(dst, ref []float64, a float64) float64 {
		for y, l := range dst {
			dst[y] = num.XMulLog(1-a, l) + num.XMulLog(a, ref[y])
		}
		return elem.LogNormalize(dst, dst)
	})
}

// ArithmeticMixture returns the policy (1−a)·π + a·π_ref for a ∈ [0, 1]. It follows p
// and ref when they change. An a outside [0, 1] is an error.
func ArithmeticMixture[X comparable](p, ref Distributor[X], a float64) (*Finite[X], error) {
	return newMixture(p, ref, a, func(dst, ref []float64, a float64) float64 {
		lp, lref := math.Log1p(-a), math.Log(a)
		for y, l := range dst {
			dst[y] = num.LogAddExp(lp+l, lref+ref[y])
		}
		return elem.LogNormalize(dst, dst)
	})
}

// mixture combines two distributions: mix replaces the log-probabilities dst by the
// normalised ones of the mixture and returns the log of the sum divided by.
type mixture[X comparable] struct {
	p, ref Distributor[X]
	a      float64
	mix    func(dst, ref []float64, a float64) float64
	spare  sync.Pool // of *[]float64
}

func newMixture[X comparable](p, ref Distributor[X], a float64, mix func(dst, ref []float64, a float64) float64) (*Finite[X], error) {
	if p == nil || ref == nil {
		panic("policy: mixture of a nil policy")
	}
	if !(a >= 0 && a <= 1) {
		return nil, fmt.Errorf("policy: mixture weight a is %v, outside [0, 1]", a)
	}
	return NewFinite[X](&mixture[X]{p: p, ref: ref, a: a, mix: mix}), nil
}

func (m *mixture[X]) Responses(x X) int { return m.p.Responses(x) }

func (m *mixture[X]) Distribution(dst []float64, x X) error {
	if n := m.ref.Responses(x); n != len(dst) {
		return fmt.Errorf("mixture of %d and %d responses: %w", len(dst), n, ErrPrompt)
	}
	if err := m.p.Distribution(dst, x); err != nil {
		return err
	}
	b, ok := m.spare.Get().(*[]float64)
	if !ok {
		b = new([]float64)
	}
	defer m.spare.Put(b)
	*b = resize(*b, len(dst))
	if err := m.ref.Distribution(*b, x); err != nil {
		return err
	}
	return checkLogits(dst, m.mix(dst, *b, m.a))
}
