package train

import (
	"context"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/policy"
)

// CheckInit verifies what must hold before the first step of an objective with a reference:
// the policy is the reference. Then every importance ratio is 1, KL(π‖π_ref) is 0 and the
// DPO loss of each pair is log 2. A wrong checkpoint, a dropout left on, another chat
// template or a temperature shows here, where it is cheap.
//
// It scores all replies of data under both, batch rows at a time, and returns an error that
// names the first row whose log-probabilities differ by more than tol nats.
func CheckInit[X, Y any](ctx context.Context, p, ref policy.Policy[X, Y], data *Data[X, Y], batch int, tol float64) error {
	a, b := Data[X, Y]{X: data.X, Chosen: data.Chosen, Rejected: data.Rejected}, Data[X, Y]{X: data.X, Chosen: data.Chosen, Rejected: data.Rejected}
	if err := a.CacheRef(ctx, p, batch, nil); err != nil {
		return fmt.Errorf("train: CheckInit, policy: %w", err)
	}
	if err := b.CacheRef(ctx, ref, batch, nil); err != nil {
		return fmt.Errorf("train: CheckInit, reference: %w", err)
	}
	for _, side := range []struct {
		name   string
		pi, rf []float64
	}{{"Chosen", a.RefChosen, b.RefChosen}, {"Rejected", a.RefRejected, b.RefRejected}} {
		for i, lp := range side.pi {
			if lp == side.rf[i] { // includes −Inf on both sides
				continue
			}
			if d := math.Abs(lp - side.rf[i]); !(d <= tol) {
				return fmt.Errorf("train: CheckInit: row %d: log π(%s) = %v but log π_ref = %v", i, side.name, lp, side.rf[i])
			}
		}
	}
	return nil
}
