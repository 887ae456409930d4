package train

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/prefgrad/prefgrad/policy"
)

// Data is a training set as a structure of slices: element i of every slice belongs to row
// i. X is required; slices that no term uses may be nil. It is not safe for concurrent use
// with [Data.CacheRef].
type Data[X, Y any] struct {
	X                      []X
	Chosen, Rejected       []Y       // for demonstrations, Chosen alone
	RefChosen, RefRejected []float64 // log π_ref of the replies, in nats; see [Data.CacheRef]
	ChosenLen, RejectedLen []int     // reply lengths in tokens, for losses that are means over tokens
}

// Len returns the number of rows.
func (d *Data[X, Y]) Len() int { return len(d.X) }

// check returns an error unless every slice is nil or has the length of X, and replies have
// tokens.
func (d *Data[X, Y]) check() error {
	n := d.Len()
	if n == 0 {
		return errors.New("train: Data has no rows")
	}
	for _, s := range []struct {
		name string
		len  int
		set  bool
	}{
		{"Chosen", len(d.Chosen), d.Chosen != nil},
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
	for _, s := range []struct {
		name string
		lens []int
	}{{"ChosenLen", d.ChosenLen}, {"RejectedLen", d.RejectedLen}} {
		if i := slices.IndexFunc(s.lens, func(l int) bool { return l < 1 }); i >= 0 {
			return fmt.Errorf("train: Data.%s[%d] = %d, must be at least 1", s.name, i, s.lens[i])
		}
	}
	return nil
}

// CacheRef fills RefChosen and RefRejected with the log-probabilities under ref, batch rows
// at a time: a frozen reference need score the data only once. progress, if not nil, is
// called with the number of rows done. After an error, which names the row, both are as they
// were. It panics without ref.
func (d *Data[X, Y]) CacheRef(ctx context.Context, ref policy.Policy[X, Y], batch int, progress func(done int)) error {
	if ref == nil {
		panic("train: CacheRef without a reference")
	}
	chosen, rejected, err := d.score(ctx, ref, batch, progress)
	if err != nil {
		return fmt.Errorf("train: CacheRef: %w", err)
	}
	d.RefChosen, d.RefRejected = chosen, rejected
	return nil
}

// score returns the log-probabilities of the replies that there are.
func (d *Data[X, Y]) score(ctx context.Context, p policy.Policy[X, Y], batch int, progress func(done int)) (chosen, rejected []float64, err error) {
	if err := d.check(); err != nil {
		return nil, nil, err
	}
	if batch < 1 {
		return nil, nil, fmt.Errorf("batch = %d, must be at least 1", batch)
	}
	n := d.Len()
	sides := []struct {
		name string
		ys   []Y
		dst  *[]float64
	}{{"Chosen", d.Chosen, &chosen}, {"Rejected", d.Rejected, &rejected}}
	for lo := 0; lo < n; lo += batch {
		hi := min(lo+batch, n)
		for _, s := range sides {
			if s.ys == nil {
				continue
			}
			if *s.dst == nil {
				*s.dst = make([]float64, n)
			}
			if err := p.LogProbs(ctx, (*s.dst)[lo:hi], d.X[lo:hi], s.ys[lo:hi]); err != nil {
				if i, ok := itemOf(err); ok {
					err = fmt.Errorf("row %d, %s: %w", lo+i, s.name, err)
				}
				return nil, nil, err
			}
		}
		if progress != nil {
			progress(hi)
		}
	}
	return chosen, rejected, nil
}

// Batch is some rows of a step.
type Batch[X, Y any] struct {
	Data[X, Y]
	ID   []uint64 // one per row, different within a step: the prompt ids of the row's draws
	Row  []int    // which row of the training set each one is
	Rows int      // rows of the whole step, over all micro-batches: the denominator

	// Repeat says which of the updates on these rows this is, from 0 to Loop.Repeat−1. A term
	// that goes on with what it has drawn draws at 0.
	Repeat int
	First  int // the first row's place in the step: which micro-batch this is
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
	epoch int // of perm
	perm  []int
	pcg   rand.PCG
	rng   *rand.Rand // on pcg
}

func newOrder(seed uint64, n int) *order {
	o := &order{seed: seed, epoch: -1, perm: make([]int, n)}
	o.rng = rand.New(&o.pcg)
	return o
}

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
	policy.Key{Seed: o.seed, Step: uint64(epoch)}.Stream(&o.pcg, orderStream, 0)
	o.rng.Shuffle(len(o.perm), func(i, j int) { o.perm[i], o.perm[j] = o.perm[j], o.perm[i] })
}

// orderStream is the prompt id of the shuffle's own stream, which no row has.
const orderStream = 1<<64 - 1
