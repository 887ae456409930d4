package train_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// follower is a loop on one pair of a tabular policy whose reference moves.
func follower(t testing.TB, alpha float64, every, steps int) (*train.Loop[int, int], *policy.Tabular, *policy.Tabular) {
	pi, ref := policy.NewTabular(1, 3, nil), policy.NewTabular(1, 3, nil)
	return &train.Loop[int, int]{
		Data: train.Data[int, int]{X: []int{0}, Chosen: []int{0}, Rejected: []int{1}},
		Terms: []train.Term[int, int]{
			&train.Offline[int, int]{Policy: pi, Loss: loss.DPO{Beta: 1}, Ref: ref},
			&train.MovingRef[int, int]{Policy: pi, Ref: ref, Alpha: alpha, Every: every},
		},
		Updater: train.NewSGD(pi, 0), Steps: steps, Batch: 1, LR: 0.5,
	}, pi, ref
}

// TestMovingRef follows two updates by hand. Update 1: margin 0, slope −σ(0) = −½ on each side,
// so the gradient of the logits is −½·(1, −1, 0) (the softmax's own terms cancel between the
// replies) and θ = ¼·(1, −1, 0). Then the reference moves to α·θ.
func TestMovingRef(t *testing.T) {
	l, pi, ref := follower(t, 0.6, 1, 1)
	_, err := l.Run(t.Context())
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{0.25, -0.25, 0}, pi.Params(), 1e-15)
	require.InDeltaSlice(t, []float64{0.15, -0.15, 0}, ref.Params(), 1e-15)

	l, pi, ref = follower(t, 1, 2, 5)
	_, err = l.Run(t.Context())
	require.NoError(t, err)
	four, pi4, _ := follower(t, 1, 2, 4)
	_, err = four.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, pi4.Params(), ref.Params(), "the hard update after update 4 copied the policy, to the bit")
	require.NotEqual(t, pi.Params(), ref.Params(), "update 5 moved the policy alone")
}

// TestMovingRefStalls shows what the moving reference is for: DPO's margin against a fixed
// reference stops growing as the loss saturates; against one that follows, the policy moves on.
func TestMovingRefStalls(t *testing.T) {
	moving, pi, _ := follower(t, 1, 10, 200)
	_, err := moving.Run(t.Context())
	require.NoError(t, err)
	fixed, pf, _ := follower(t, 1, 1000, 200)
	_, err = fixed.Run(t.Context())
	require.NoError(t, err)
	require.Greater(t, pi.Params()[0], 2*pf.Params()[0])
}

func TestMovingRefResumes(t *testing.T) {
	whole, want, wantRef := follower(t, 0.5, 3, 12)
	_, err := whole.Run(t.Context())
	require.NoError(t, err)
	path := t.TempDir() + "/c"
	for _, after := range []int{7, -1} { // the first run is stopped after update 7, the second goes on
		l, pi, ref := follower(t, 0.5, 3, 12)
		ctx, cancel := context.WithCancel(t.Context())
		l.Checkpoint, l.Resume = path, true
		l.Terms = append(l.Terms, &canceller{after, cancel})
		_, err := l.Run(ctx)
		cancel()
		if err == nil {
			require.Equal(t, want.Params(), pi.Params())
			require.Equal(t, wantRef.Params(), ref.Params())
			return
		}
		require.ErrorIs(t, err, context.Canceled)
	}
	t.Fatal("the second run did not finish")
}

// canceller cancels a run in the given update.
type canceller struct {
	after  int
	cancel context.CancelFunc
}

func (s *canceller) Accumulate(_ context.Context, _ *train.Batch[int, int], key policy.Key, _ *train.Metrics) error {
	if int(key.Step) == s.after {
		s.cancel()
	}
	return nil
}

func TestMovingRefErrors(t *testing.T) {
	for _, c := range []struct {
		alpha float64
		every int
	}{{0, 1}, {1.5, 1}, {0.5, 0}} {
		l, _, _ := follower(t, c.alpha, c.every, 1)
		_, err := l.Run(t.Context())
		require.ErrorContains(t, err, fmt.Sprintf("Alpha %v and Every %d", c.alpha, c.every))
	}
	l, _, _ := follower(t, 1, 1, 1)
	l.Data.RefChosen, l.Data.RefRejected = []float64{0}, []float64{0}
	_, err := l.Run(t.Context())
	require.ErrorContains(t, err, "which one?")
	require.ErrorContains(t, (&train.MovingRef[int, int]{Policy: policy.NewTabular(1, 3, nil), Ref: policy.NewTabular(1, 3, nil)}).Restore([]byte{1}), "1 bytes, not 32")
}

// TestCoupledRefusesMicroBatches: a loss that sorts the batch must see all of it.
func TestCoupledRefusesMicroBatches(t *testing.T) {
	l, _, ref := follower(t, 1, 1, 1)
	l.Data = train.Data[int, int]{X: []int{0, 0}, Chosen: []int{0, 0}, Rejected: []int{1, 2}}
	l.Terms[0].(*train.Offline[int, int]).Loss = loss.AOT{Beta: 1}
	l.Batch, l.Micro = 2, 1
	_, err := l.Run(t.Context())
	require.ErrorContains(t, err, "loss.AOT looks at the whole batch and cannot be accumulated from 1 of 2 rows")
	require.Zero(t, ref.Params()[0])
	l.Micro = 0
	_, err = l.Run(t.Context())
	require.NoError(t, err)
}

func ExampleMovingRef() {
	l, pi, ref := follower(nil, 0.6, 1, 1)
	if _, err := l.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("policy %.2f, reference %.2f\n", pi.Params(), ref.Params())
	// Output: policy [0.25 -0.25 0.00], reference [0.15 -0.15 0.00]
}
