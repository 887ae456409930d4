package num

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// Team spreads numbered pieces of work over the processors. Which worker does which
// piece is a matter of chance: a piece must depend on nothing but its number, so that
// results do not depend on GOMAXPROCS. The zero value is ready; one Run at a time.
type Team struct {
	next atomic.Int64
	done sync.WaitGroup

	mu     sync.Mutex
	failed int // number of the first piece that failed
	err    error
}

// Workers returns the number of workers of a Run over n pieces: at most GOMAXPROCS.
func (t *Team) Workers(n int) int { return max(1, min(n, runtime.GOMAXPROCS(0))) }

// Run calls work(worker, piece) for every piece in [0, n), where worker < workers,
// a number from Workers, is a number that no two concurrent calls share. It returns
// the error of the first piece that failed, in the order of the pieces, or that of ctx;
// pieces after a failed one may be left out. With one worker it starts no goroutine and
// allocates nothing.
func (t *Team) Run(ctx context.Context, workers, n int, work func(worker, piece int) error) error {
	t.next.Store(0)
	t.failed, t.err = n, nil
	for w := 1; w < workers; w++ {
		t.done.Add(1)
		go func() {
			defer t.done.Done()
			t.work(ctx, w, n, work)
		}()
	}
	t.work(ctx, 0, n, work)
	t.done.Wait()
	return t.err
}

func (t *Team) work(ctx context.Context, worker, n int, work func(worker, piece int) error) {
	for {
		piece := int(t.next.Add(1)) - 1
		if piece >= n {
			return
		}
		err := ctx.Err()
		if err == nil {
			err = work(worker, piece)
		}
		if err != nil {
			t.mu.Lock()
			if piece < t.failed {
				t.failed, t.err = piece, err
			}
			t.mu.Unlock()
			t.next.Store(int64(n)) // all pieces before this one are taken
			return
		}
	}
}
