package num_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/num"
)

func TestTeam(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var team num.Team
	assert.Equal(t, 3, team.Workers(3))
	assert.Equal(t, 4, team.Workers(100))
	assert.Equal(t, 1, team.Workers(0))
	for _, n := range []int{0, 1, 3, 1000} {
		workers := team.Workers(n)
		done := make([]atomic.Int32, n)
		busy := make([]atomic.Bool, workers)
		err := team.Run(context.Background(), workers, n, func(w, i int) error {
			assert.True(t, busy[w].CompareAndSwap(false, true), "a worker does one piece at a time")
			done[i].Add(1)
			busy[w].Store(false)
			return nil
		})
		assert.NoError(t, err)
		for i := range done {
			assert.EqualValues(t, 1, done[i].Load())
		}
	}
}

func TestTeamErrors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var team num.Team
	first, second := errors.New("first"), errors.New("second")
	for range 100 {
		err := team.Run(context.Background(), 4, 50, func(_, i int) error {
			switch i {
			case 20:
				runtime.Gosched()
				return first
			case 21:
				return second
			}
			return nil
		})
		assert.Equal(t, first, err, "the first piece's error, not the first in time")
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := 0
	err := team.Run(ctx, 1, 50, func(_, i int) error {
		ran++
		if i == 9 {
			cancel()
		}
		return nil
	})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 10, ran)
	assert.NoError(t, team.Run(context.Background(), 2, 5, func(_, _ int) error { return nil }), "an error does not stay")
}

var background = context.Background()

// runs are the two ways to run a Team.
var runs = map[string]func(*num.Team, context.Context, int, int, func(worker, piece int) error) error{
	"Run": (*num.Team).Run, "RunBrief": (*num.Team).RunBrief,
}

// Each Run does each piece once, and its caller sees what the helpers did, however the Runs
// follow each other.
func TestTeamManyRuns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			var team num.Team
			done := make([]int, 40) // no atomics: the race detector checks
			total, sum := 0, 0
			for k := range 3000 {
				n := k % len(done)
				err := run(&team, background, team.Workers(n), n, func(_, i int) error {
					done[i]++
					return nil
				})
				require.NoError(t, err)
				total += n
				if k%500 == 0 {
					time.Sleep(time.Millisecond) // the helpers end
				}
			}
			for _, d := range done {
				sum += d
			}
			assert.Equal(t, total, sum)
			assert.Equal(t, 3000/len(done)*39, done[0])
		})
	}
}

func TestTeamsAtOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var callers sync.WaitGroup
	var busy, most atomic.Int64
	for _, run := range runs {
		for range 4 {
			callers.Go(func() {
				var team num.Team
				done := make([]int, 20)
				for range 500 {
					assert.NoError(t, run(&team, background, 3, len(done), func(w, i int) error {
						now := busy.Add(1)
						for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
						}
						assert.Less(t, w, 3)
						done[i]++
						busy.Add(-1)
						return nil
					}))
				}
				for _, d := range done {
					assert.Equal(t, 500, d)
				}
			})
		}
	}
	callers.Wait()
	assert.LessOrEqual(t, most.Load(), int64(8+3), "callers, and as many helpers as there are other processors")
}

// The work of a Team runs another Team, two levels deep, with more Runs open than there are
// helpers.
func TestTeamsNested(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			var pieces atomic.Int64
			var nest func(depth int) error
			nest = func(depth int) error {
				if depth == 0 {
					pieces.Add(1)
					return nil
				}
				var team num.Team
				return run(&team, background, 3, 7, func(_, _ int) error { return nest(depth - 1) })
			}
			for range 50 {
				require.NoError(t, nest(3))
			}
			assert.EqualValues(t, 50*7*7*7, pieces.Load())
		})
	}
}

// A Run that begins while others are at work ends with the first error of its own.
func TestTeamErrorsNested(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	outer, inner := errors.New("outer"), errors.New("inner")
	var team num.Team
	for range 200 {
		err := team.Run(background, 4, 10, func(_, i int) error {
			var own num.Team
			if err := own.RunBrief(background, 4, 10, func(_, j int) error {
				if j >= 5 {
					return inner
				}
				return nil
			}); err != inner {
				return err
			}
			if i >= 3 {
				return outer
			}
			return nil
		})
		require.Equal(t, outer, err)
	}
}

func TestTeamCancelled(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			var team num.Team
			for range 200 {
				ctx, cancel := context.WithCancel(background)
				var after atomic.Int64
				err := run(&team, ctx, 4, 1000, func(_, i int) error {
					if i == 10 {
						cancel()
					}
					if i > 10 {
						<-ctx.Done()
						after.Add(1)
					}
					return nil
				})
				require.ErrorIs(t, err, context.Canceled)
				assert.LessOrEqual(t, after.Load(), int64(3), "each other worker ends with its piece")
			}
			ctx, cancel := context.WithCancel(background)
			cancel()
			err := run(&team, ctx, 4, 10, func(_, _ int) error {
				t.Error("a piece of a cancelled Run")
				return nil
			})
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
}

// waitForGoroutines waits until there are no more than n.
func waitForGoroutines(t *testing.T, n int) {
	t.Helper()
	for begin := time.Now(); runtime.NumGoroutine() > n; time.Sleep(time.Millisecond) {
		require.Less(t, time.Since(begin), 10*time.Second, "helpers that stay")
	}
}

// Helpers come, to brief Runs only after another, and end when there is nothing to do.
func TestTeamHelpers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var team num.Team
	both := make(chan struct{}) // a piece that waits until another worker has the other
	meet := func(_, _ int) error {
		select {
		case both <- struct{}{}:
		case <-both:
		}
		return nil
	}
	before := runtime.NumGoroutine()
	require.NoError(t, team.Run(background, 2, 2, meet))
	waitForGoroutines(t, before)

	time.Sleep(10 * time.Millisecond)
	require.NoError(t, team.RunBrief(background, 4, 100, func(_, _ int) error {
		assert.LessOrEqual(t, runtime.NumGoroutine(), before, "no Run just before")
		return nil
	}))

	var helped atomic.Bool
	for begin := time.Now(); !helped.Load(); {
		require.Less(t, time.Since(begin), 10*time.Second, "Runs in a row without a helper")
		require.NoError(t, team.RunBrief(background, 4, 10, func(w, _ int) error {
			if w > 0 {
				helped.Store(true)
			}
			for start := time.Now(); time.Since(start) < 5*time.Microsecond; {
			}
			return nil
		}))
	}
	waitForGoroutines(t, before)
}

// A panic in a piece of the calling goroutine can be recovered, and the Team used again.
func TestTeamPanics(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var team num.Team
	for range 100 {
		assert.PanicsWithValue(t, "piece", func() {
			mine := make(chan struct{})
			_ = team.Run(background, 4, 20, func(w, _ int) error {
				if w == 0 {
					close(mine)
					panic("piece")
				}
				<-mine
				return nil
			})
		})
		done := make([]int, 20)
		require.NoError(t, team.Run(background, 4, 20, func(_, i int) error {
			done[i]++
			return nil
		}))
		assert.NotContains(t, done, 0)
	}
}

// A piece that ends a helper, as a failed test does, ends neither the Run nor those after it.
func TestTeamGoexit(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	var team num.Team
	before := runtime.NumGoroutine()
	for range 10 {
		gone := make(chan struct{})
		require.NoError(t, team.Run(background, 2, 2, func(w, _ int) error {
			if w == 1 {
				close(gone)
				runtime.Goexit()
			}
			<-gone
			return nil
		}))
	}
	waitForGoroutines(t, before)
}

func TestTeamAllocs(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var team num.Team
	work := func(_, _ int) error { return nil }
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = team.Run(background, 1, 50, work) }))

	// With several workers AllocsPerRun is of no use, since it sets GOMAXPROCS to 1. Now and then
	// the runtime has no ended goroutine to use again, and allocates one.
	var before, after runtime.MemStats
	const many = 2000
	runtime.ReadMemStats(&before)
	for range many {
		_ = team.Run(background, 4, 50, work)
	}
	runtime.ReadMemStats(&after)
	assert.Less(t, after.Mallocs-before.Mallocs, uint64(many/2))
}
