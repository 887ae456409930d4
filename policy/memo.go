package policy

import (
	"slices"
	"sync"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// memo keeps the products Φθ and the softmaxes of the prompts of one call for the next: a step that
// samples and scores reads the features of its prompts once. The features are [Dense],
// which never change, and θ is compared, so a product is what it would be without the memo. One call at
// a time has it; another does without.
type memo struct {
	mu       sync.Mutex
	theta    []float64
	features []*Dense
	begin    []int     // of each, in products, logits and probs
	size     int       // of products, logits and probs
	z        []float64 // of each, log Σ e^logits
	products []float64
	logits   []float64 // with a reference, which may be another one the next time
	probs    []float64

	valid     bool
	recording bool // or else reading, at next
	next      int
}

// memoLimit is the number of products that a memo keeps at the most, 2 MiB of them and of each other array.
const memoLimit = 1 << 18

// open claims the memo for a call whose first prompt has features f, and reports whether it could.
func (m *memo) open(theta []float64, f *Dense) bool {
	if f == nil || !m.mu.TryLock() {
		return false
	}
	m.next = 0
	m.recording = !m.valid || m.features[0] != f || !slices.Equal(m.theta, theta)
	if m.recording {
		m.valid = false
		m.theta = append(m.theta[:0], theta...)
		clear(m.features)
		m.features, m.begin, m.size = m.features[:0], m.begin[:0], 0
	}
	return true
}

// nowhere is the place of what is not kept.
const nowhere = -1

// place returns the number of the next prompt, if known, or the one to record it as.
func (m *memo) place(f *Dense) (at int, known bool) {
	if f == nil {
		return nowhere, false
	}
	if m.recording {
		if m.size+f.responses > memoLimit {
			return nowhere, false
		}
		m.features, m.begin = append(m.features, f), append(m.begin, m.size)
		m.size += f.responses
		return len(m.begin) - 1, false
	}
	if m.next == len(m.features) { // pairs come chosen first, then rejected
		m.next = 0
	}
	if m.features[m.next] != f {
		return nowhere, false
	}
	m.next++
	return m.next - 1, true
}

// room makes room for the prompts that were placed.
func (m *memo) room() {
	if m.recording {
		m.z = resize(m.z, len(m.begin))
		m.products, m.logits, m.probs = resize(m.products, m.size), resize(m.logits, m.size), resize(m.probs, m.size)
	}
}

// part returns what s, an array of the memo, has for a prompt of n responses.
func (m *memo) part(s []float64, at, n int) []float64 { return s[m.begin[at]:][:n] }

// softmax is elem.Softmax, of logits that may be known.
func (m *memo) softmax(dst, logits []float64, at int, known bool) float64 {
	l, p := m.part(m.logits, at, len(logits)), m.part(m.probs, at, len(logits))
	if known && slices.Equal(l, logits) {
		copy(dst, p)
		return m.z[at]
	}
	z := elem.Softmax(dst, logits)
	if !known {
		copy(l, logits)
		copy(p, dst)
		m.z[at] = z
	}
	return z
}

// close gives the memo back. ok says that the call has stored all products that it had to.
func (m *memo) close(ok bool) {
	m.valid = len(m.features) > 0 && (ok || !m.recording)
	m.mu.Unlock()
}
