package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/policy"
)

// Scorer rates replies: a reward model, a rule, a person. [Score] and [Scored] take one; its method
// value s.Score is the train.RewardFunc that the terms of a training loop take. It is safe for
// concurrent use.
type Scorer[X, Y any] interface {
	// Score stores r(xs[i], ys[i]) in dst[i]. An item that cannot be scored gets NaN, never 0,
	// and a [*policy.ItemError] joined into the error; the others are still scored.
	// Any other error leaves dst unspecified. The lengths are equal.
	Score(ctx context.Context, dst []float64, xs []X, ys []Y) error
}

// ScorerFunc is a function as a [Scorer]. A train.RewardFunc r, which is the same function,
// becomes one by ScorerFunc[X, Y](r).
type ScorerFunc[X, Y any] func(ctx context.Context, dst []float64, xs []X, ys []Y) error

// Score implements [Scorer].
func (f ScorerFunc[X, Y]) Score(ctx context.Context, dst []float64, xs []X, ys []Y) error {
	if f == nil {
		panic("sampler: nil ScorerFunc")
	}
	return f(ctx, dst, xs, ys)
}

// Judge compares replies. It is safe for concurrent use.
type Judge[X, Y any] interface {
	// Judge stores the probability that as[i] is a better reply to xs[i] than bs[i] in dst[i]: 1
	// if it surely is, 0 if bs[i] is, ½ for a tie. A comparison that failed gets NaN and a
	// [*policy.ItemError], as for [Scorer].
	Judge(ctx context.Context, dst []float64, xs []X, as, bs []Y) error
}

// JudgeFunc is a function as a Judge.
type JudgeFunc[X, Y any] func(ctx context.Context, dst []float64, xs []X, as, bs []Y) error

// Judge implements [Judge].
func (f JudgeFunc[X, Y]) Judge(ctx context.Context, dst []float64, xs []X, as, bs []Y) error {
	if f == nil {
		panic("sampler: nil JudgeFunc")
	}
	return f(ctx, dst, xs, as, bs)
}

// ErrNoResult is the reason of a [policy.ItemError] for a score or verdict of NaN that came
// without an error.
var ErrNoResult = errors.New("no result")

// Score asks s for rewards (loss.Score is a function of log-probabilities) and checks the answer: dst[i] is a score, or NaN with a [*policy.ItemError].
// What s does not write is NaN. It panics on different lengths and without a Scorer.
func Score[X, Y any](ctx context.Context, s Scorer[X, Y], dst []float64, xs []X, ys []Y) error {
	if len(xs) != len(dst) || len(ys) != len(dst) {
		panic(badLength)
	}
	if s == nil {
		panic("sampler: nil Scorer")
	}
	fail(dst)
	return missing(dst, s.Score(ctx, dst, xs, ys))
}

// Compare asks j and checks the answer: dst[i] is in [0, 1], or NaN with a
// [*policy.ItemError]. What j does not write is NaN. It panics on different lengths and
// without a Judge.
func Compare[X, Y any](ctx context.Context, j Judge[X, Y], dst []float64, xs []X, as, bs []Y) error {
	if len(xs) != len(dst) || len(as) != len(dst) || len(bs) != len(dst) {
		panic(badLength)
	}
	if j == nil {
		panic("sampler: nil Judge")
	}
	fail(dst)
	err := j.Judge(ctx, dst, xs, as, bs)
	if !onlyItems(err) {
		return err
	}
	var bad []error
	for i, p := range dst {
		if p < 0 || p > 1 {
			bad = append(bad, &policy.ItemError{Index: i, Err: fmt.Errorf("verdict %v, outside [0, 1]", p)})
			dst[i] = math.NaN()
		}
	}
	return missing(dst, errors.Join(append(bad, err)...))
}

// Scored judges by scores: the probability of the Bradley–Terry model,
//
//	P(a ≻ b) = σ(r(a) − r(b)),
//
// or, if Hard is set, 1, ½ or 0 as r(a) is larger, equal or smaller. It fails where
// either score does. Without Scorer it panics.
type Scored[X, Y any] struct {
	Scorer Scorer[X, Y]
	Hard   bool
}

// Judge implements [Judge].
func (s Scored[X, Y]) Judge(ctx context.Context, dst []float64, xs []X, as, bs []Y) error {
	if s.Scorer == nil {
		panic("sampler: Scored without Scorer")
	}
	err := Score(ctx, s.Scorer, dst, xs, as)
	if !onlyItems(err) {
		return err
	}
	other := make([]float64, len(dst))
	also := Score(ctx, s.Scorer, other, xs, bs)
	if !onlyItems(also) {
		return also
	}
	for i, r := range dst {
		switch d := r - other[i]; {
		case d == 0 || r == other[i]: // also of two infinite scores
			dst[i] = 0.5
		case s.Hard && d > 0:
			dst[i] = 1
		case s.Hard && d < 0:
			dst[i] = 0
		default:
			dst[i] = 1 / (1 + math.Exp(-d))
		}
	}
	return errors.Join(err, also)
}

// fail fills dst with NaN.
func fail(dst []float64) {
	for i := range dst {
		dst[i] = math.NaN()
	}
}

// missing joins an error for each NaN of dst that err does not name.
func missing(dst []float64, err error) error {
	if !onlyItems(err) {
		return err
	}
	named := map[int]bool{}
	items(err, func(e *policy.ItemError) { named[e.Index] = true })
	errs := []error{err}
	for i, x := range dst {
		if x != x && !named[i] {
			errs = append(errs, &policy.ItemError{Index: i, Err: ErrNoResult})
		}
	}
	return errors.Join(errs...)
}

// onlyItems reports whether err is nothing but ItemErrors: what it does not name has succeeded.
func onlyItems(err error) bool { return items(err, func(*policy.ItemError) {}) }

func items(err error, visit func(*policy.ItemError)) bool {
	switch e := err.(type) {
	case nil:
		return true
	case *policy.ItemError:
		visit(e)
		return true
	case interface{ Unwrap() []error }:
		all := true
		for _, x := range e.Unwrap() {
			all = items(x, visit) && all
		}
		return all
	}
	return false
}
