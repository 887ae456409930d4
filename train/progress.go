package train

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// Progress shows how far a task has come: a bar with rate and time to go on a terminal, a
// plain line every few seconds elsewhere. [NewProgress] makes one; a nil *Progress shows
// nothing. It is safe for concurrent use.
type Progress struct {
	mu       sync.Mutex
	w        io.Writer
	label    string
	total    int
	terminal bool
	begin    time.Time
	last     time.Time
	done     int
	skipped  int              // of done: not the work of this process
	now      func() time.Time // time.Now, but for tests
}

// NewProgress returns a progress of total steps, written to w; a total of 0 is one that is
// not known. A terminal is recognised if w is an [*os.File]. A nil w gives nil.
func NewProgress(w io.Writer, label string, total int) *Progress {
	if w == nil {
		return nil
	}
	p := &Progress{w: w, label: label, total: total, begin: time.Now(), now: time.Now}
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			p.terminal = info.Mode()&os.ModeCharDevice != 0
		}
	}
	p.last = p.begin
	return p
}

// Add reports that n more steps are done. info, if not nil, is asked for a short text when a
// line is really written.
func (p *Progress) Add(n int, info func() string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	every := 5 * time.Second
	if p.terminal {
		every = 100 * time.Millisecond
	}
	now := p.now()
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	text := ""
	if info != nil {
		text = info()
	}
	p.line(text)
}

// Skip reports n steps that were done before, by a run that this one resumes. They do not
// count in the rate.
func (p *Progress) Skip(n int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	p.skipped += n
}

// Done writes the last line: the time that the task took, and a text.
func (p *Progress) Done(text string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	if text != "" {
		text = "  " + text
	}
	fmt.Fprintf(p.w, "%s: done in %s%s\n", p.label, round(p.now().Sub(p.begin)), text)
}

func (p *Progress) line(text string) {
	rate := float64(p.done-p.skipped) / p.now().Sub(p.begin).Seconds()
	status := fmt.Sprintf("%d  %.3g/s%s", p.done, rate, text)
	bar := ""
	if p.total > 0 {
		left := "?"
		if rate > 0 {
			left = round(time.Duration(float64(p.total-p.done) / rate * float64(time.Second))).String()
		}
		share := float64(p.done) / float64(p.total)
		status = fmt.Sprintf("%3.0f%% %d/%d  %.3g/s  ETA %s%s", 100*share, p.done, p.total, rate, left, text)
		const width = 24
		n := min(width, int(share*width))
		bar = " [" + strings.Repeat("#", n) + strings.Repeat("·", width-n) + "]"
	}
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s%s %s", p.label, bar, status)
	} else {
		fmt.Fprintf(p.w, "%s: %s\n", p.label, status)
	}
}

func round(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}
