package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
)

// Term is one additive part of an objective.
type Term[X, Y any] interface {
	// Accumulate adds the term's gradient on the rows of b, divided by b.Rows, to the
	// policy's, and reports to m: the part of the loss under "loss", and what else there
	// is to know. It is called for one micro-batch after another, with the same key; draws
	// for row i use the stream of prompt b.ID[i]. An error names the row of the training set.
	// A part that the term cannot do without, such as its policy, and that is nil, panics.
	Accumulate(ctx context.Context, b *Batch[X, Y], key policy.Key, m *Metrics) error
}

// Stateful is a [Term] that changes from step to step. Its state is part of a checkpoint.
type Stateful interface {
	// EndStep is called once after the update of a step, with all that the step reported.
	EndStep(m *Metrics) error
	// State returns the state between two steps, to the bit.
	State() []byte
	// Restore takes what State returned; after an error the state is as it was.
	Restore(state []byte) error
}

// itemOf returns the index that an error about one item of a batch has.
func itemOf(err error) (index int, ok bool) {
	var item *policy.ItemError
	var in *loss.InputError
	switch {
	case errors.As(err, &item):
		return item.Index, true
	case errors.As(err, &in):
		return in.Index, true
	}
	return 0, false
}

// rowError names the row of the training set in an error about an item of a batch that has
// per items for each row, and which of them it is: by a name, or as a sample.
func rowError[X, Y any](b *Batch[X, Y], err error, per int, names ...string) error {
	i, ok := itemOf(err)
	if !ok || i < 0 || i/per >= len(b.Row) {
		return err
	}
	part := ""
	if len(names) == per {
		part = ", " + names[i%per]
	} else if per > 1 {
		part = fmt.Sprintf(", sample %d", i%per)
	}
	return fmt.Errorf("row %d%s: %w", b.Row[i/per], part, err)
}

func notFinite(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }

// resize returns s with length n; its contents are unspecified.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

func scale(v []float64, a float64) {
	for i := range v {
		v[i] *= a
	}
}

func sum(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s
}
