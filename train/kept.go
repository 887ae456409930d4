package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
)

// kept holds what a term has drawn for the rows of a step, one T for each micro-batch, as long
// as Loop.Repeat goes on with them. The zero value is empty.
type kept[T any] struct{ slots map[int]*slot[T] }

type slot[T any] struct {
	ids []uint64 // of the rows
	v   T
}

// recall returns what was kept for the rows of b, with fresh if it has to be drawn now: at the
// first update on them. Its memory is that of an earlier batch.
func recall[T, X, Y any](k *kept[T], b *Batch[X, Y]) (v *T, fresh bool, err error) {
	s := k.slots[b.First]
	if b.Repeat > 0 {
		if s == nil || !slices.Equal(s.ids, b.ID) {
			return nil, false, fmt.Errorf("train: update %d on rows for which nothing was drawn", b.Repeat+1)
		}
		return &s.v, false, nil
	}
	if s == nil {
		s = new(slot[T])
		if k.slots == nil {
			k.slots = map[int]*slot[T]{}
		}
		k.slots[b.First] = s
	}
	s.ids = append(s.ids[:0], b.ID...)
	return &s.v, true, nil
}

// expand stores each element of xs k times in dst, in its memory.
func expand[X any](dst, xs []X, k int) []X {
	dst = dst[:0]
	for _, x := range xs {
		for range k {
			dst = append(dst, x)
		}
	}
	return dst
}

// dependent reports whether the draws of a sampler or generator that says so (as
// [sampler.Joint] does) depend on each other. One that says nothing draws independently, as
// the contract of [policy.Sampler] has it.
func dependent(s any) bool {
	d, ok := s.(interface{ Independent() bool })
	return ok && !d.Independent()
}

// independent returns an error if the draws of s depend on each other.
func independent(s any) error {
	if dependent(s) {
		return fmt.Errorf("train: draws of %T: %w", s, sampler.ErrDependent)
	}
	return nil
}

// tally counts what a judge or a reward was asked during a step, and what it failed to answer.
type tally struct{ asked, failed int }

// answers counts the numbers of v that could not be had: NaN. err is what asking for them
// returned, per for each row of b. That single ones failed is no error, unless all of the step
// did.
func answers[X, Y any](t *tally, b *Batch[X, Y], v []float64, err error, per int) (failed int, _ error) {
	if !onlyItems(err) {
		return 0, rowError(b, err, per)
	}
	if b.First == 0 {
		*t = tally{}
	}
	for _, x := range v {
		if x != x {
			failed++
		}
	}
	t.asked += len(v)
	t.failed += failed
	var first *policy.ItemError
	if b.First+b.Len() == b.Rows && t.failed == t.asked && errors.As(err, &first) {
		return failed, fmt.Errorf("all %d failed: %w", t.failed, rowError(b, first, per))
	}
	return failed, nil
}

// onlyItems reports whether err is nothing but ItemErrors.
func onlyItems(err error) bool {
	switch e := err.(type) {
	case nil:
		return true
	case *policy.ItemError:
		return true
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(e.Unwrap(), func(err error) bool { return !onlyItems(err) })
	}
	return false
}
