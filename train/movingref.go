package train

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/prefgrad/prefgrad/internal/record"
	"github.com/prefgrad/prefgrad/policy"
)

// MovingRef lets the reference follow the policy (TR-DPO; Gorbatovski et al. 2024,
// arXiv:2404.09656): after every Every updates
//
//	θ_ref ← Alpha·θ + (1−Alpha)·θ_ref
//
// so Alpha = 1 is the paper's hard update and Alpha < 1 its soft one; 0.6 with Every = 512 is
// common. It adds nothing to the loss. [Offline] needs the same reference as Ref, since
// log-probabilities that were cached would be those of another one. Its state, the number of
// updates and the reference's parameters, is part of a checkpoint.
//
// Policy and Ref are for parameters in Go slices; see [policy.Blend]. It is not safe for
// concurrent use.
type MovingRef[X, Y any] struct {
	Policy, Ref policy.Host
	Alpha       float64 // in (0, 1]
	Every       int     // at least 1

	updates int
}

var (
	_ Stateful  = (*MovingRef[int, int])(nil)
	_ Describer = (*MovingRef[int, int])(nil)
)

// Accumulate implements [Term]: it checks the settings.
func (t *MovingRef[X, Y]) Accumulate(context.Context, *Batch[X, Y], policy.Key, *Metrics) error {
	t.hosts()
	if !(t.Alpha > 0 && t.Alpha <= 1) || t.Every < 1 {
		return fmt.Errorf("train: MovingRef with Alpha %v and Every %d, must be in (0, 1] and at least 1", t.Alpha, t.Every)
	}
	return nil
}

// hosts panics without policy or reference.
func (t *MovingRef[X, Y]) hosts() {
	if t.Policy == nil || t.Ref == nil {
		panic("train: MovingRef without Policy or Ref")
	}
}

// EndStep implements [Stateful]: it moves the reference when its time has come.
func (t *MovingRef[X, Y]) EndStep(*Metrics) error {
	t.updates++
	if t.updates%t.Every != 0 {
		return nil
	}
	return policy.Blend(t.Ref, t.Policy, t.Alpha)
}

// Describe implements [Describer].
func (t *MovingRef[X, Y]) Describe() string {
	return fmt.Sprintf("Alpha=%v Every=%d", t.Alpha, t.Every)
}

// State implements [Stateful].
func (t *MovingRef[X, Y]) State() []byte {
	t.hosts()
	return append(binary.LittleEndian.AppendUint64(nil, uint64(t.updates)), record.Floats(t.Ref.Params())...)
}

// Restore implements [Stateful].
func (t *MovingRef[X, Y]) Restore(b []byte) error {
	t.hosts()
	if want := 8 + 8*len(t.Ref.Params()); len(b) != want {
		return fmt.Errorf("train: state of MovingRef has %d bytes, not %d", len(b), want)
	}
	if err := record.PutFloats(t.Ref.Params(), b[8:]); err != nil {
		return err
	}
	t.updates = int(binary.LittleEndian.Uint64(b))
	return nil
}
