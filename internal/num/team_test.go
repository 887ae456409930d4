package num_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

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
