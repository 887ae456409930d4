package command_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/examples/internal/command"
)

func TestParallel(t *testing.T) {
	var done [100]atomic.Int32
	require.NoError(t, command.Parallel(context.Background(), len(done), func(_ context.Context, i int) error {
		done[i].Add(1)
		return nil
	}))
	for i := range done {
		require.EqualValues(t, 1, done[i].Load(), i)
	}
	require.NoError(t, command.Parallel(context.Background(), 0, nil))

	bad := errors.New("bad")
	var calls atomic.Int32
	err := command.Parallel(context.Background(), 1000, func(ctx context.Context, i int) error {
		calls.Add(1)
		if i == 0 {
			return bad
		}
		<-ctx.Done()
		return ctx.Err()
	})
	require.ErrorIs(t, err, bad)
	require.Less(t, calls.Load(), int32(1000))

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, command.Parallel(ctx, 3, func(context.Context, int) error { return nil }), context.Canceled)
}
