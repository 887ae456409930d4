package logits

import (
	"context"

	"github.com/prefgrad/prefgrad/internal/num"
)

// forwardShared is Forward by several goroutines. What they share is allocated here, so
// that the caller's own batch can stay on the stack.
func (b Batch) forwardShared(dst Stats, inv float64) error {
	return b.share(func(i int) error { return b.forward(i, &dst, inv) })
}

// gradientShared is Gradient by several goroutines.
func (b Batch) gradientShared(dz Rows, dst, w Stats, inv float64) error {
	return b.share(func(i int) error { return b.gradient(i, dz.Row(i), &dst, &w, inv) })
}

// share calls row for every row and returns the error of the first row that has one.
func (b *Batch) share(row func(i int) error) error {
	var team num.Team
	workers := min(b.Workers, team.Workers(b.Logits.N))
	return team.Run(context.Background(), workers, b.Logits.N, func(_, i int) error { return row(i) })
}
