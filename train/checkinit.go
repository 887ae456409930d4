package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/policy"
)

// CheckInit verifies what must hold before the first step of an objective with a reference:
// the policy is the reference. Then every importance ratio is 1, KL(π‖π_ref) is 0 and the
// DPO loss of each pair is log 2. A wrong checkpoint, a dropout left on, another chat
// template or a temperature shows here, where it is cheap; and so does a cache of reference
// log-probabilities, in data, that is not of this reference.
//
// It scores all replies of data under both, batch rows at a time, and returns an error that
// names the first row whose log-probabilities differ by more than tol nats. It panics without
// p, ref or data.
func CheckInit[X, Y any](ctx context.Context, p, ref policy.Policy[X, Y], data *Data[X, Y], batch int, tol float64) error {
	if p == nil || ref == nil || data == nil {
		panic("train: CheckInit without policy, reference or data")
	}
	if data.Chosen == nil && data.Rejected == nil {
		return errors.New("train: CheckInit: Data has no replies")
	}
	chosen, rejected, err := data.score(ctx, p, batch, nil)
	if err != nil {
		return fmt.Errorf("train: CheckInit: policy: %w", err)
	}
	refChosen, refRejected, err := data.score(ctx, ref, batch, nil)
	if err != nil {
		return fmt.Errorf("train: CheckInit: reference: %w", err)
	}
	for _, c := range []struct {
		reply, name string
		got, want   []float64
	}{
		{"Chosen", "log π_ref", chosen, refChosen},
		{"Rejected", "log π_ref", rejected, refRejected},
		{"Chosen", "RefChosen", chosen, data.RefChosen},
		{"Rejected", "RefRejected", rejected, data.RefRejected},
	} {
		if c.want == nil {
			continue
		}
		for i, lp := range c.got {
			// Equal is also −Inf on both sides; a NaN is never near.
			if lp != c.want[i] && !(math.Abs(lp-c.want[i]) <= tol) {
				return fmt.Errorf("train: CheckInit: row %d: log π(%s) = %v but %s = %v", i, c.reply, lp, c.name, c.want[i])
			}
		}
	}
	return nil
}
