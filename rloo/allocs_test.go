package rloo_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// raceDetector is true in a build under it, where a pool throws away at random.
var raceDetector bool

// allocatesNothing asserts that f, once working memory has grown, allocates nothing.
func allocatesNothing(t *testing.T, f func(), msg ...any) {
	t.Helper()
	f()
	if allocs := testing.AllocsPerRun(50, f); !raceDetector {
		assert.Zero(t, allocs, msg...)
	}
}
