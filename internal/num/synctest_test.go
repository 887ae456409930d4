package num

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

// In a bubble, whose clock stands still while anything runs, helpers end too.
func TestTeamInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var team Team
		var sum atomic.Int64
		for range 100 {
			assert.NoError(t, team.Run(context.Background(), 4, 100, func(_, piece int) error {
				sum.Add(int64(piece))
				return nil
			}))
		}
		assert.Equal(t, int64(100*4950), sum.Load())
	})
}
