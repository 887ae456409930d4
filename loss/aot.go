package loss

import (
	"cmp"
	"slices"
)

// AOT is Alignment via Optimal Transport on pairs,
//
//	Σₖ −log σ(β·(u₍ₖ₎ − v₍ₖ₎))
//
// with u₍ₖ₎ the k-th smallest of the batch's log π(y⁺) − log π(y⁻), and v₍ₖ₎ of the
// log π_ref(y⁺) − log π_ref(y⁻) (Melnyk et al. 2024, arXiv:2406.05882, the paired form), or
// with LabelSmoothing = ε > 0 each term smoothed as in [DPO], as TRL does. It asks that the
// policy's margins exceed the reference's as a distribution (first-order stochastic
// dominance), not pair by pair: for one pair, or margins in the same order, it is DPO.
//
// For ε = 0 there is no minimiser: margins grow for ever. The loss of a term stands at the
// pair of u₍ₖ₎ in PairsOut.Loss. Equal margins keep the order of the batch. Correct counts the
// quantiles at which the policy is ahead, and Ties those at which it is level. Implicit
// rewards are β·ℓ, whose differences the loss compares only as a distribution.
//
// Beta must be positive; LabelSmoothing is in [0, ½). It uses Chosen, Rejected, RefChosen and
// RefRejected of [Pairs], allocates nothing once its workspace has grown, and is [Coupled].
type AOT struct {
	Beta           float64 // β, the KL coefficient: reward per nat of log π/π_ref
	LabelSmoothing float64
}

var (
	_ Pairwise = AOT{}
	_ Coupled  = AOT{}
)

// Coupled implements [Coupled]: the batch is sorted.
func (AOT) Coupled() bool { return true }

// Eval implements [Pairwise].
func (l AOT) Eval(dst PairsOut, b Pairs) (Total, error) {
	n := len(b.Chosen)
	b.check(n)
	dst.sized(n)
	if len(b.RefChosen) != n || len(b.RefRejected) != n {
		panic(badLength)
	}
	if err := cmp.Or(
		positive("AOT.Beta", l.Beta), belowHalf("AOT.LabelSmoothing", l.LabelSmoothing),
		logProbs("Chosen", b.Chosen), logProbs("Rejected", b.Rejected),
		logProbs("RefChosen", b.RefChosen), logProbs("RefRejected", b.RefRejected),
	); err != nil {
		return Total{}, err
	}
	q := quantilesPool.Get().(*quantiles)
	defer quantilesPool.Put(q)
	q.above, q.below = slices.Grow(q.above[:0], n), slices.Grow(q.below[:0], n)
	for i, c := range b.Chosen {
		u, v := c-b.Rejected[i], b.RefChosen[i]-b.RefRejected[i]
		if u != u {
			return Total{}, &InputError{"Chosen", i, c, "minus Rejected has no limit"}
		}
		if v != v {
			return Total{}, &InputError{"RefChosen", i, b.RefChosen[i], "minus RefRejected has no limit"}
		}
		rc, rr := c-b.RefChosen[i], b.Rejected[i]-b.RefRejected[i]
		if rc != rc {
			return Total{}, &InputError{"Chosen", i, c, zeroOverZero("RefChosen")}
		}
		if rr != rr {
			return Total{}, &InputError{"Rejected", i, b.Rejected[i], zeroOverZero("RefRejected")}
		}
		q.above, q.below = append(q.above, ranked{u, i}), append(q.below, ranked{v, i})
		store(dst.RewardChosen, i, l.Beta*rc)
		store(dst.RewardRejected, i, l.Beta*rr)
	}
	if err := q.match(l.Beta, "Chosen−Rejected", "RefChosen−RefRejected"); err != nil {
		return Total{}, err
	}
	t := q.evaluate(Smoothed{l.LabelSmoothing})
	for p, c := range q.pieces {
		slope := l.Beta * q.z[p]
		store(dst.Loss, c.up, q.value[p])
		store(dst.Chosen, c.up, slope)
		store(dst.Rejected, c.up, -slope)
		store(dst.RefChosen, c.down, -slope)
		store(dst.RefRejected, c.down, slope)
	}
	return t, nil
}
