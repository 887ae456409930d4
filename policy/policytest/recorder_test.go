package policytest_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// recorder is a testing.TB that keeps what happens in each subtest instead of failing.
type recorder struct {
	testing.TB // nil: a method that is not below panics
	name       string
	mu         *sync.Mutex
	failed     map[string][]string // messages of each subtest that failed
	skipped    map[string]bool
	passed     map[string]bool
}

func newRecorder() *recorder {
	return &recorder{mu: new(sync.Mutex), failed: map[string][]string{}, skipped: map[string]bool{}, passed: map[string]bool{}}
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed[r.name] = append(r.failed[r.name], fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skip(...any) {
	r.mu.Lock()
	r.skipped[r.name] = true
	r.mu.Unlock()
	runtime.Goexit()
}

func (r *recorder) Run(name string, f func(t testing.TB)) bool {
	sub := *r
	sub.name = name
	if r.name != "" {
		sub.name = r.name + "/" + name
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				sub.Errorf("panic: %v", p)
			}
		}()
		f(&sub)
	}()
	<-done
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed[sub.name] == nil && !r.skipped[sub.name] {
		r.passed[sub.name] = true
	}
	return r.failed[sub.name] == nil
}

// failures returns the names of the subtests that failed.
func (r *recorder) failures() []string {
	var names []string
	for name := range r.failed {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// broken is a defect and the check that has to find it. A defect that breaks one
// contract only must fail that check only.
type broken struct {
	name, check string
	only        bool
	run         func(t testing.TB)
}

func runBroken(t *testing.T, table []broken) {
	for _, b := range table {
		t.Run(b.name, func(t *testing.T) {
			r := newRecorder()
			b.run(r)
			assert.Contains(t, r.failures(), b.check)
			if b.only {
				assert.Equal(t, []string{b.check}, r.failures())
			}
			for _, m := range r.failed[b.check] {
				t.Log(m)
			}
		})
	}
}
