package train

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
)

// clocked returns a progress whose time passes by the second function.
func clocked(total int, terminal bool) (p *Progress, out *bytes.Buffer, pass func(time.Duration)) {
	out = &bytes.Buffer{}
	p = NewProgress(out, "run", total)
	now := p.begin
	p.now = func() time.Time { return now }
	p.terminal = terminal
	return p, out, func(d time.Duration) { now = now.Add(d) }
}

func TestProgressPlain(t *testing.T) {
	p, out, pass := clocked(200, false)
	asked := 0
	info := func() string { asked++; return "  loss 0.5" }
	p.Add(1, info)
	pass(4 * time.Second)
	p.Add(1, info)
	assert.Empty(t, out.String(), "lines come every five seconds")
	assert.Zero(t, asked)
	pass(time.Second)
	p.Add(48, info)
	p.Add(1, info)
	pass(5 * time.Second)
	p.Add(49, nil)
	assert.Equal(t, "run:  25% 50/200  10/s  ETA 15s  loss 0.5\nrun:  50% 100/200  10/s  ETA 10s\n", out.String())
	assert.Equal(t, 1, asked)
	out.Reset()
	pass(90 * time.Second)
	p.Done("fine")
	assert.Equal(t, "run: done in 1m40s  fine\n", out.String())
}

func TestProgressTerminal(t *testing.T) {
	p, out, pass := clocked(48, true)
	p.Add(0, nil)
	pass(100 * time.Millisecond)
	p.Add(0, nil)
	assert.Equal(t, "\r\x1b[Krun ["+strings.Repeat("·", 24)+"]   0% 0/48  0/s  ETA ?", out.String())
	out.Reset()
	pass(1900 * time.Millisecond)
	p.Add(36, func() string { return "  x" })
	assert.Equal(t, "\r\x1b[Krun ["+strings.Repeat("#", 18)+strings.Repeat("·", 6)+"]  75% 36/48  18/s  ETA 700ms  x", out.String())
	out.Reset()
	pass(time.Second)
	p.Add(24, nil) // more than there are
	assert.Contains(t, out.String(), "["+strings.Repeat("#", 24)+"] 125% 60/48")
	out.Reset()
	p.Done("")
	assert.Equal(t, "\r\x1b[Krun: done in 3s\n", out.String())
}

// TestProgressResumed: what an earlier process has done does not count in the rate.
func TestProgressResumed(t *testing.T) {
	p, out, pass := clocked(100, false)
	p.Skip(80)
	pass(5 * time.Second)
	p.Add(10, nil)
	assert.Equal(t, "run:  90% 90/100  2/s  ETA 5s\n", out.String())
}

// TestProgressUnknownTotal shows a count where there is no share.
func TestProgressUnknownTotal(t *testing.T) {
	for terminal, want := range map[bool]string{false: "run: 20  4/s\n", true: "\r\x1b[Krun 20  4/s"} {
		p, out, pass := clocked(0, terminal)
		pass(5 * time.Second)
		p.Add(20, nil)
		assert.Equal(t, want, out.String())
	}
}

func TestNoProgress(t *testing.T) {
	p := NewProgress(nil, "run", 10)
	assert.Nil(t, p)
	p.Add(1, nil)
	p.Skip(1)
	p.Done("")
}

// TestProgressShared counts the steps of several goroutines.
func TestProgressShared(t *testing.T) {
	p, out, pass := clocked(400, false)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				p.Add(1, nil)
			}
		})
	}
	wg.Wait()
	pass(8 * time.Second)
	p.Add(0, nil)
	assert.Equal(t, "run: 100% 400/400  50/s  ETA 0s\n", out.String())
}

func TestProgressFileIsNoTerminal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer f.Close()
	assert.False(t, NewProgress(f, "run", 1).terminal)
}

// TestSummary picks what a line has room for.
func TestSummary(t *testing.T) {
	var m Metrics
	assert.Empty(t, summary(&m))
	m.Set("objective/kl", 0.25)
	m.Set("grad_norm", 3)
	m.Set("loss", 0.69314718)
	assert.Equal(t, "  loss 0.693  objective/kl 0.25", summary(&m))
}

// failOnce is a term that fails in the third step of its first run.
type failOnce struct{ failed *bool }

func (f failOnce) Accumulate(_ context.Context, _ *Batch[int, int], key policy.Key, _ *Metrics) error {
	if key.Step == 2 && !*f.failed {
		*f.failed = true
		return context.DeadlineExceeded
	}
	return nil
}

// TestProgressOfRun: a run counts its updates, and those that it was resumed behind.
func TestProgressOfRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ckpt")
	p, failed := NewProgress(&bytes.Buffer{}, "run", 5), false
	start := func() error {
		l := Loop[int, int]{
			Data: Data[int, int]{X: []int{0}}, Terms: []Term[int, int]{failOnce{&failed}}, Updater: NewSGD(policy.NewTabular(1, 2, nil), 0),
			Steps: 5, Batch: 1, LR: 1, Checkpoint: path, CheckpointEvery: 1, Resume: true, Progress: p,
		}
		_, err := l.Run(context.Background())
		return err
	}
	require.ErrorIs(t, start(), context.DeadlineExceeded)
	assert.Equal(t, 2, p.done)
	p = NewProgress(&bytes.Buffer{}, "run", 5)
	require.NoError(t, start())
	assert.Equal(t, 5, p.done)
	assert.Equal(t, 2, p.skipped)
}
