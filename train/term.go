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
	// is to know. Draws use key. An error names the row of the training set.
	Accumulate(ctx context.Context, b *Batch[X, Y], key policy.Key, m *Metrics) error
}

// Stateful is a [Term] that changes from step to step. Its state is part of a checkpoint.
type Stateful interface {
	// EndStep is called once after the update of a step, with all that the step reported.
	EndStep(m *Metrics) error
	State() []byte
	Restore([]byte) error
}

// rowError names the row of the training set in an error about item i of a batch, with per
// items for each row.
func rowError[X, Y any](b *Batch[X, Y], err error, per int) error {
	var item *policy.ItemError
	var in *loss.InputError
	switch {
	case errors.As(err, &item):
		return fmt.Errorf("row %d: %w", b.Row[item.Index/per], err)
	case errors.As(err, &in):
		return fmt.Errorf("row %d: %w", b.Row[in.Index/per], err)
	}
	return err
}

// finiteLoss returns an error for the first loss that is not finite. Its field and row are
// named, so that the pair can be looked at.
func finiteLoss[X, Y any](b *Batch[X, Y], values []float64) error {
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("row %d: %w", b.Row[i], &loss.InputError{Field: "Loss", Index: i, Value: v, Reason: "not finite"})
		}
	}
	return nil
}

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
