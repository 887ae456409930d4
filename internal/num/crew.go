package num

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// crew is the helpers of all Teams: goroutines, at most GOMAXPROCS−1, that do pieces of
// whatever Runs are open. One that finds none keeps its processor for [patience], in case
// that another Run comes, and then ends.
//
// On the virtual machine that this was measured on, it takes 50 to 100 µs from the start of
// a goroutine until an idle processor runs it, but 1 µs until a helper that waits takes
// a piece. So the parts of a training step, of 15 to 100 µs with a little between them, can be
// shared, and the price is bounded: the other processors are kept 50 µs longer than needed.
// Where waiting is in vain, since Runs come too seldom, or since there are more threads
// than processors and those that wait take the time of those that work, it is given up for
// a while, of up to [longPause].
type crew struct {
	wanted atomic.Int64 // places left in runs
	idle   atomic.Int64 // helpers that wait or are about to start
	retry  atomic.Int64 // when waiting is worth a try again

	mu      sync.Mutex
	runs    []*Team // that have places left, the oldest first
	helpers int
	last    time.Duration // when a Run was closed
	pause   time.Duration // after the last time that waiting was in vain
}

var everyone crew

const (
	patience = 50 * time.Microsecond // as much as waking takes: to have waited costs at most twice what was best

	fewRuns    = 8 // in which to have taken part does not repay a helper's start and end
	shortPause = time.Millisecond
	longPause  = 128 * time.Millisecond
)

var epoch = time.Now()

func now() time.Duration { return time.Since(epoch) }

// open lets helpers join t, and starts some if there are too few. For a brief Run it does
// so only if there was another just before, and if waiting is not in vain.
func (c *crew) open(t *Team, places int, brief bool) {
	limit := runtime.GOMAXPROCS(0) - 1
	t.places, t.joined = places, 0
	t.left.Store(0)
	start := 0
	c.mu.Lock()
	c.runs = append(c.runs, t)
	missing := int(c.wanted.Add(int64(places)) - c.idle.Load())
	if missing > 0 && c.helpers < limit && (!brief || c.likely(now())) {
		start = min(missing, limit-c.helpers)
		c.helpers += start
		c.idle.Add(int64(start))
	}
	c.mu.Unlock()
	for range start {
		go c.help()
	}
}

// likely reports whether more Runs are to be expected while a helper waits.
func (c *crew) likely(now time.Duration) bool {
	return now-c.last < patience && int64(now) >= c.retry.Load()
}

// close lets no more helpers join t, and returns the number of those that did.
func (c *crew) close(t *Team) (joined int64) {
	now := now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(t)
	c.last = now
	return int64(t.joined)
}

// remove takes t out of runs if it is still there.
func (c *crew) remove(t *Team) {
	if i := slices.Index(c.runs, t); i >= 0 {
		c.runs = slices.Delete(c.runs, i, i+1)
		c.wanted.Add(int64(t.joined - t.places))
	}
}

// help is what a helper does.
func (c *crew) help() {
	runs, over := 0, false
	defer func() {
		if !over { // a piece has ended the goroutine
			c.leave(runs, true)
		}
	}()
	for !over {
		if t, worker := c.wait(); t != nil {
			runs++
			c.assist(t, worker)
		} else {
			over = c.leave(runs, false)
		}
	}
}

// wait returns a Run with pieces, and which worker to be in it, or nil if none comes.
func (c *crew) wait() (t *Team, worker int) {
	limit := patience
	if int64(now()) < c.retry.Load() {
		limit = 0
	}
	poll(limit, func() bool {
		if c.wanted.Load() > 0 {
			t, worker = c.join()
		}
		return t != nil
	})
	return t, worker
}

func (c *crew) join() (t *Team, worker int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.runs) > 0 {
		t = c.runs[0]
		if !t.open() {
			c.remove(t)
			continue
		}
		t.joined++
		t.done.Add(1)
		c.wanted.Add(-1)
		c.idle.Add(-1)
		worker = t.joined
		if t.joined == t.places {
			c.remove(t)
		}
		return t, worker
	}
	return nil, 0
}

func (c *crew) assist(t *Team, worker int) {
	defer func() {
		c.idle.Add(1)
		t.done.Done()
		t.left.Add(1) // now t may be used for something else
	}()
	t.take(worker)
}

// leave takes a helper that took part in so many Runs off the crew, unless there is
// something to do and it need not go.
func (c *crew) leave(runs int, must bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !must && c.wanted.Load() > 0 {
		return false
	}
	c.helpers--
	c.idle.Add(-1)
	if now := now(); runs >= fewRuns {
		c.pause = 0
	} else if int64(now) >= c.retry.Load() {
		c.pause = min(max(2*c.pause, shortPause), longPause)
		c.retry.Store(int64(now + c.pause))
	}
	return true
}

// poll waits for so long at the most until ok, and reports whether it was. It lets other
// goroutines run now and then.
func poll(limit time.Duration, ok func() bool) bool {
	const (
		often  = 64                    // a look takes 1 ns, one at the clock 40
		seldom = 10 * time.Microsecond // to hand over may wake a processor
	)
	begin, turn := now(), seldom
	for {
		for range often {
			if ok() {
				return true
			}
		}
		switch waited := now() - begin; {
		case waited >= limit:
			return false
		case waited >= turn:
			runtime.Gosched()
			turn = waited + seldom
		}
	}
}
