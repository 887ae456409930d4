package policy

import (
	"slices"
	"sync"
)

// memo keeps the products Φθ of the prompts of one call for the next: a step that
// samples and scores reads the features of its prompts once. The features are [Dense],
// which never change, and θ is compared, so a product is what it would be without the memo. One call at
// a time has it; another does without.
type memo struct {
	mu       sync.Mutex
	theta    []float64
	features []*Dense
	begin    []int
	products []float64

	valid     bool
	recording bool // or else reading, at next
	next      int
}

// memoLimit is the number of products that a memo keeps at the most, 2 MiB of them.
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
		m.features, m.begin, m.products = m.features[:0], m.begin[:0], m.products[:0]
	}
	return true
}

// nowhere is the place of a product that is not kept.
const nowhere = -1

// place returns where the product of the next prompt is, if known, or has to go.
func (m *memo) place(f *Dense) (at int, known bool) {
	if f == nil {
		return nowhere, false
	}
	if m.recording {
		at := len(m.products)
		if at+f.responses > memoLimit {
			return nowhere, false
		}
		m.features, m.begin = append(m.features, f), append(m.begin, at)
		m.products = slices.Grow(m.products, f.responses)[:at+f.responses]
		return at, false
	}
	if m.next == len(m.features) { // pairs come chosen first, then rejected
		m.next = 0
	}
	if m.features[m.next] != f {
		return nowhere, false
	}
	m.next++
	return m.begin[m.next-1], true
}

// close gives the memo back. ok says that the call has stored all products that it had to.
func (m *memo) close(ok bool) {
	m.valid = len(m.features) > 0 && (ok || !m.recording)
	m.mu.Unlock()
}
