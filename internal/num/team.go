package num

import (
	"context"
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
	next atomic.Int64 // piece
	n    int          // of pieces
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
	t.ctx, t.n, t.work = ctx, n, work
	t.failed, t.err = n, nil
	t.next.Store(0)
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
		piece := int(t.next.Add(1)) - 1
		if piece >= t.n {
			return
		}
		err := t.ctx.Err()
		if err == nil {
			err = t.work(worker, piece)
		}
		if err != nil {
			t.mu.Lock()
			if piece < t.failed {
				t.failed, t.err = piece, err
			}
			t.mu.Unlock()
			t.next.Store(int64(t.n)) // all pieces before this one are taken
			return
		}
	}
}
