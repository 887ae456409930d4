package num

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// Team spreads numbered pieces of work over the processors. Which worker does which
// piece is a matter of chance: a piece must depend on nothing but its number, so that
// results do not depend on GOMAXPROCS. The zero value is ready; one Run at a time. The
// work of one Team may run another.
//
// The goroutine that calls Run works too. The others are helpers, which all Teams of the
// process share: see [crew].
type Team struct {
	rest atomic.Uint64 // pieces that nobody has taken: from the lower half up to the upper
	ctx  context.Context
	work func(worker, piece int) error

	places, joined int            // of helpers, and how many came; guarded by the crew
	done           sync.WaitGroup // of those
	left           atomic.Int64   // number of those that are done

	mu     sync.Mutex
	failed int // number of the first piece that failed
	err    error
}

// Workers returns the number of workers of a Run over n pieces: at most GOMAXPROCS.
func (t *Team) Workers(n int) int { return max(1, min(n, runtime.GOMAXPROCS(0))) }

// Run calls work(worker, piece) for every piece in [0, n), where worker < workers,
// a number from Workers, is a number that no two concurrent calls share. It returns
// the error of the first piece that failed, in the order of the pieces, or that of ctx;
// pieces after a failed one may be left out. It allocates nothing but goroutines, with one
// worker not even these. A panic in a piece ends the process unless the calling goroutine,
// which does some of the pieces, recovers it.
func (t *Team) Run(ctx context.Context, workers, n int, work func(worker, piece int) error) error {
	return t.run(ctx, workers, n, false, work)
}

// RunBrief is [Team.Run] for work of less than some 100 µs, which is not worth waking a
// processor for. Helpers that wait take part; others start only if the last Run of the
// process is so short a while ago that they would have waited until now: then more are
// likely to follow.
func (t *Team) RunBrief(ctx context.Context, workers, n int, work func(worker, piece int) error) error {
	return t.run(ctx, workers, n, true, work)
}

func (t *Team) run(ctx context.Context, workers, n int, brief bool, work func(worker, piece int) error) error {
	t.ctx, t.work = ctx, work
	t.failed, t.err = n, nil
	t.rest.Store(uint64(n) << 32)
	if workers > 1 {
		t.share(workers-1, brief)
	} else {
		t.take(0)
	}
	t.ctx, t.work = nil, nil
	return t.err
}

// share takes pieces, and lets helpers do so.
func (t *Team) share(places int, brief bool) {
	everyone.open(t, places, brief)
	defer t.gather()
	t.take(0)
}

// gather waits for the helpers that came. Other goroutines see what they did.
func (t *Team) gather() {
	joined := everyone.close(t)
	if poll(patience, func() bool { return t.left.Load() == joined }) {
		return
	}
	t.done.Wait()
	for t.left.Load() != joined { // the last one's last instruction
		runtime.Gosched()
	}
}

// take does pieces until there are none.
func (t *Team) take(worker int) {
	for {
		piece, ok := t.next(worker > 0)
		if !ok {
			return
		}
		err := t.ctx.Err()
		if err == nil {
			err = t.work(worker, piece)
		}
		if err != nil {
			t.fail(piece, err)
		}
	}
}

// next takes the first piece that is left, or the last. A helper gets the last: so the
// two halves of a batch stay in the caches of two processors from Run to Run.
func (t *Team) next(last bool) (piece int, ok bool) {
	for {
		rest := t.rest.Load()
		from, to := rest&math.MaxUint32, rest>>32
		switch {
		case from >= to:
			return 0, false
		case last && t.rest.CompareAndSwap(rest, rest-1<<32):
			return int(to - 1), true
		case !last && t.rest.CompareAndSwap(rest, rest+1):
			return int(from), true
		}
	}
}

// open reports whether there is a piece that nobody has taken.
func (t *Team) open() bool {
	rest := t.rest.Load()
	return rest&math.MaxUint32 < rest>>32
}

// fail notes the error of a piece, and leaves out those after it.
func (t *Team) fail(piece int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if piece < t.failed {
		t.failed, t.err = piece, err
	}
	for {
		rest := t.rest.Load()
		if rest>>32 <= uint64(piece) || t.rest.CompareAndSwap(rest, rest&math.MaxUint32|uint64(piece)<<32) {
			return
		}
	}
}
