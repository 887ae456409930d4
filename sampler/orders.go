package sampler

import (
	"context"
	"errors"
	"math"
)

// BothOrders asks a judge twice, the second time with the replies swapped, and takes the
// mean: ½·(P(a ≻ b) + 1 − P(b ≻ a)). A judge who prefers the first place whatever stands there
// ends in ties. A comparison fails if either order does. Without Inner it panics.
type BothOrders[X, Y any] struct{ Inner Judge[X, Y] }

// PositionBias says what swapping the replies changed.
type PositionBias struct {
	N       int     // comparisons with two verdicts
	Flipped int     // of those, how many have another winner after the swap, ties being none
	First   float64 // mean preference for the first place; ½ without bias, NaN for N = 0
}

// Judge implements [Judge].
func (b BothOrders[X, Y]) Judge(ctx context.Context, dst []float64, xs []X, as, bs []Y) error {
	_, err := b.JudgeBias(ctx, dst, xs, as, bs)
	return err
}

// JudgeBias is Judge, and says how much the order mattered.
func (b BothOrders[X, Y]) JudgeBias(ctx context.Context, dst []float64, xs []X, as, bs []Y) (PositionBias, error) {
	if b.Inner == nil {
		panic("sampler: BothOrders without Inner")
	}
	err := Compare(ctx, b.Inner, dst, xs, as, bs)
	if !onlyItems(err) {
		return PositionBias{}, err
	}
	swapped := make([]float64, len(dst))
	also := Compare(ctx, b.Inner, swapped, xs, bs, as)
	if !onlyItems(also) {
		return PositionBias{}, also
	}
	var bias PositionBias
	for i, p := range dst {
		q := swapped[i]
		dst[i] = (p + (1 - q)) / 2
		if dst[i] != dst[i] {
			continue
		}
		bias.N++
		bias.First += (p + q) / 2
		if (p-0.5)*(q-0.5) > 0 {
			bias.Flipped++
		}
	}
	if bias.First /= float64(bias.N); bias.N == 0 {
		bias.First = math.NaN()
	}
	return bias, errors.Join(err, also)
}
