package command

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// Parallel calls f(0) … f(n−1), as many at a time as there are processors. The first error
// cancels the context of the others and is returned.
func Parallel(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(ctx, i); err != nil {
					cancel(err) // the first call counts
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
