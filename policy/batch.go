package policy

import (
	"context"
	"errors"
	"slices"
	"sort"

	"github.com/prefgrad/prefgrad/internal/elem"
	"github.com/prefgrad/prefgrad/internal/num"
)

// batch is the memory of one call over a batch of prompts. It cuts the batch into runs of
// equal prompts, and the runs into pieces for the processors to share. Where it cuts depends on the
// batch alone, and so do the results.
type batch[X comparable] struct {
	source  Distributor[X]
	softmax *normalized[X] // source, if it is one

	ctx    context.Context // and xs: of the call in progress
	xs     []X
	runs   []run
	cost   int // of a forward computation of all runs
	widest int // number of responses
	memo   *memo
	n      int       // number of pieces
	errs   [][]error // of each piece
	rooms  []room    // of each worker
	team   num.Team
}

// run is a run of equal prompts, and where it is in the memo.
type run struct {
	items, values, work int // of it and of all runs before it: items, responses, and multiplications of a pass
	at                  int
	known               bool
}

// room is what a worker needs for one prompt: values are logits, log-probabilities or weights.
type room struct{ values, cdf []float64 }

func (b *batch[X]) init(source Distributor[X]) {
	b.source = source
	if n, ok := source.(normalized[X]); ok {
		b.softmax = &n
	}
}

// lay lists the runs, or all prompts if each is to be one. With remember, products come from the
// policy's memo, or go there.
func (b *batch[X]) lay(xs []X, each, remember bool) {
	b.xs, b.runs, b.cost, b.widest = xs, b.runs[:0], 0, 0
	n := b.softmax
	if remember && n != nil && n.memo != nil && len(xs) > 0 {
		if _, _, f := n.shape(xs[0]); n.memo.open(n.params(), f) {
			b.memo = n.memo
		}
	}
	last := run{}
	for lo, hi := 0, 0; lo < len(xs); lo = hi {
		if hi = lo + 1; !each {
			hi = endOfRun(xs, lo)
		}
		responses, work := 0, 0
		var f *Dense
		if n != nil {
			responses, work, f = n.shape(xs[lo])
		} else {
			responses = b.source.Responses(xs[lo])
		}
		last = run{items: hi, values: last.values + responses, work: last.work + work, at: nowhere}
		if b.memo != nil {
			if last.at, last.known = b.memo.place(f); last.known {
				work = workOfResponse * responses
			}
		}
		b.runs = append(b.runs, last)
		b.cost += work
		b.widest = max(b.widest, responses)
	}
	if b.memo != nil {
		b.memo.room()
	}
}

const (
	workOfResponse = 32      // that its exponential is worth
	pieceWork      = 1 << 15 // of a piece, at least: about 6 µs
	sharedWork     = 1 << 16 // is worth to be shared with processors that are awake
	wakingWork     = 1 << 20 // is worth to wake another processor, which can take 50 µs
)

// pieces returns the number of pieces for an amount of work, at most limit.
func pieces(work, limit int) int {
	if work < sharedWork {
		return 1
	}
	return max(1, min(work/pieceWork, limit))
}

// do calls work for n pieces of the batch, which are so much work together, and returns what failed in the order of
// the batch.
func (b *batch[X]) do(ctx context.Context, n, cost int, work func(worker, piece int) error) error {
	ok := false
	defer func() {
		if b.memo != nil {
			b.memo.close(ok)
		}
		b.memo, b.ctx = nil, nil
	}()
	b.ctx, b.n = ctx, n
	for len(b.errs) < n {
		b.errs = append(b.errs, nil)
	}
	clear(b.errs)
	workers := b.team.Workers(n)
	for len(b.rooms) < workers {
		b.rooms = append(b.rooms, room{})
	}
	for w := range b.rooms[:workers] {
		b.rooms[w].values = resize(b.rooms[w].values, b.widest)
		b.rooms[w].cdf = resize(b.rooms[w].cdf, b.widest)
	}
	run := b.team.Run
	if cost < wakingWork {
		run = b.team.RunBrief
	}
	if err := run(ctx, workers, n, work); err != nil {
		return err
	}
	err := errors.Join(slices.Concat(b.errs...)...)
	ok = err == nil
	return err
}

// piece returns the runs of a piece, from lo to hi.
func (b *batch[X]) piece(i int) (lo, hi int) {
	end := func(i int) int {
		if i == b.n {
			return len(b.runs)
		}
		w := b.last().work / b.n * i
		return sort.Search(len(b.runs), func(r int) bool { return b.runs[r].work > w })
	}
	if i > 0 {
		lo = end(i)
	}
	return lo, end(i + 1)
}

// last returns the ends of the last run.
func (b *batch[X]) last() run { return b.before(len(b.runs)) }

// before returns the ends of the run before run r.
func (b *batch[X]) before(r int) run {
	if r == 0 {
		return run{}
	}
	return b.runs[r-1]
}

// prompt returns run r, the end of the one before, and the prompt, or now and then the error of the context.
func (b *batch[X]) prompt(r int) (from, to run, x X, err error) {
	if r%8 == 0 {
		err = b.ctx.Err()
	}
	from, to = b.before(r), b.runs[r]
	return from, to, b.xs[from.items], err
}

// store stores the logits of the prompt of run r in dst.
func (b *batch[X]) store(dst []float64, x X, r run) error {
	var product []float64
	if r.at != nowhere {
		product = b.memo.part(b.memo.products, r.at, len(dst))
	}
	return b.softmax.store(dst, x, product, r.known)
}

// softmaxOf stores the logits and the probabilities of the prompt of run r, and returns the log of
// the sum of the exponentials of the logits.
func (b *batch[X]) softmaxOf(logits, probs []float64, x X, r run) (z float64, err error) {
	if err := b.store(logits, x, r); err != nil {
		return 0, err
	}
	if r.at == nowhere {
		z = elem.Softmax(probs, logits)
	} else {
		z = b.memo.softmax(probs, logits, r.at, r.known)
	}
	return z, checkLogits(logits, z)
}

// distribution stores the log-probabilities of the prompt of run r in dst.
func (b *batch[X]) distribution(dst []float64, x X, r run) error {
	if b.softmax == nil {
		return b.source.Distribution(dst, x)
	}
	return normalize(dst, b.store(dst, x, r))
}
