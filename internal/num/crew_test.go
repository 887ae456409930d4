package num

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Helpers that were of little use make others wait longer and longer, one that was of use
// brings them back.
func TestCrewPause(t *testing.T) {
	var c crew
	come := func() { c.helpers++; c.idle.Add(1) }
	for want := shortPause; want <= 2*longPause; want *= 2 {
		come()
		assert.True(t, c.leave(fewRuns-1, false))
		assert.Equal(t, min(want, longPause), c.pause)
		c.last = now()
		assert.False(t, c.likely(now()), "not now")
		c.last = c.last + c.pause
		assert.True(t, c.likely(c.last), "but then")

		come()
		assert.True(t, c.leave(0, false))
		assert.Equal(t, min(want, longPause), c.pause, "it did not wait")
		c.retry.Store(0)
	}
	come()
	assert.True(t, c.leave(fewRuns, false))
	assert.Zero(t, c.pause)
	c.last = now()
	assert.True(t, c.likely(c.last))
	assert.False(t, c.likely(c.last+patience), "no Run just before")

	come()
	c.wanted.Store(1)
	assert.False(t, c.leave(fewRuns, false), "something to do")
	assert.True(t, c.leave(fewRuns, true), "but it must go")
	assert.Zero(t, c.helpers)
	assert.Zero(t, c.idle.Load())
}
