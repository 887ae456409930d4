package train

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/policy"
)

// Data is a training set as a structure of slices: element i of every slice belongs to row
// i. X and Chosen are required; slices that no term uses may be nil.
type Data[X, Y any] struct {
	X                      []X
	Chosen, Rejected       []Y       // for demonstrations, Chosen alone
	RefChosen, RefRejected []float64 // log π_ref of the replies, in nats; see [Data.CacheRef]
	ChosenLen, RejectedLen []int     // reply lengths in tokens, for losses that are means over tokens
}

// Len returns the number of rows.
func (d *Data[X, Y]) Len() int { return len(d.X) }

// check returns an error unless every slice is nil or has the length of X.
func (d *Data[X, Y]) check() error {
	n := d.Len()
	for _, s := range []struct {
		name string
		len  int
		set  bool
	}{
		{"Chosen", len(d.Chosen), true},
		{"Rejected", len(d.Rejected), d.Rejected != nil},
		{"RefChosen", len(d.RefChosen), d.RefChosen != nil},
		{"RefRejected", len(d.RefRejected), d.RefRejected != nil},
		{"ChosenLen", len(d.ChosenLen), d.ChosenLen != nil},
		{"RejectedLen", len(d.RejectedLen), d.RejectedLen != nil},
	} {
		if s.set && s.len != n {
			return fmt.Errorf("train: Data.%s has %d rows, X has %d", s.name, s.len, n)
		}
	}
	if n == 0 {
		return fmt.Errorf("train: Data has no rows")
	}
	return nil
}

// CacheRef fills RefChosen and RefRejected with the log-probabilities under ref, batch rows
// at a time: a frozen reference need score the data only once. progress, if not nil, is
// called with the number of rows done.
func (d *Data[X, Y]) CacheRef(ctx context.Context, ref policy.Policy[X, Y], batch int, progress func(done int)) error {
	n := d.Len()
	sides := []struct {
		ys  []Y
		dst *[]float64
	}{{d.Chosen, &d.RefChosen}, {d.Rejected, &d.RefRejected}}
	for _, s := range sides {
		if s.ys != nil {
			*s.dst = make([]float64, n)
		}
	}
	for lo := 0; lo < n; lo += batch {
		hi := min(lo+batch, n)
		for _, s := range sides {
			if s.ys == nil {
				continue
			}
			if err := ref.LogProbs(ctx, (*s.dst)[lo:hi], d.X[lo:hi], s.ys[lo:hi]); err != nil {
				return fmt.Errorf("train: reference, rows %d to %d: %w", lo, hi-1, err)
			}
		}
		if progress != nil {
			progress(hi)
		}
	}
	return nil
}

// Batch is some rows of a step.
type Batch[X, Y any] struct {
	Data[X, Y]
	ID   []uint64 // one per row, different within a step: the prompt ids of the row's draws
	Row  []int    // which row of the training set each one is
	Rows int      // rows of the whole step, over all micro-batches: the denominator
}

// gather fills b with rows of d; ids are the positions first, first+1, ….
func (b *Batch[X, Y]) gather(d *Data[X, Y], rows []int, first uint64) {
	b.Row = rows
	b.X = pick(b.X, d.X, rows)
	b.Chosen = pick(b.Chosen, d.Chosen, rows)
	b.Rejected = pick(b.Rejected, d.Rejected, rows)
	b.RefChosen = pick(b.RefChosen, d.RefChosen, rows)
	b.RefRejected = pick(b.RefRejected, d.RefRejected, rows)
	b.ChosenLen = pick(b.ChosenLen, d.ChosenLen, rows)
	b.RejectedLen = pick(b.RejectedLen, d.RejectedLen, rows)
	b.ID = b.ID[:0]
	for i := range rows {
		b.ID = append(b.ID, first+uint64(i))
	}
}

func pick[T any](dst, src []T, rows []int) []T {
	if src == nil {
		return nil
	}
	dst = dst[:0]
	for _, r := range rows {
		dst = append(dst, src[r])
	}
	return dst
}

// order is the sequence of rows of a run: one seeded permutation of the training set after
// another. Any position can be asked for, so there is no state to save.
type order struct {
	seed  uint64
	epoch int
	perm  []int
}

func newOrder(seed uint64, n int) *order { return &order{seed, -1, make([]int, n)} }

// rows stores the rows at positions first … first+len(dst)−1 in dst.
func (o *order) rows(dst []int, first int) {
	for i := range dst {
		p := first + i
		if e := p / len(o.perm); e != o.epoch {
			o.shuffle(e)
		}
		dst[i] = o.perm[p%len(o.perm)]
	}
}

func (o *order) shuffle(epoch int) {
	o.epoch = epoch
	for i := range o.perm {
		o.perm[i] = i
	}
	var g rand.PCG
	policy.Key{Seed: o.seed, Step: uint64(epoch)}.Stream(&g, orderStream, 0)
	rand.New(&g).Shuffle(len(o.perm), func(i, j int) { o.perm[i], o.perm[j] = o.perm[j], o.perm[i] })
}

// orderStream is the prompt id of the shuffle's own stream, which no row has.
const orderStream = 1<<64 - 1
