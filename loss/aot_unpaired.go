package loss

import (
	"cmp"
	"slices"
)

// AOTUnpaired is Alignment via Optimal Transport on single replies,
//
//	Σₖ −log σ(β·(u₍ₖ₎ − v₍ₖ₎))
//
// with u₍ₖ₎ and v₍ₖ₎ the k-th smallest log-ratios ℓ of the batch's desirable and undesirable
// replies (Melnyk et al. 2024, arXiv:2406.05882), or with LabelSmoothing = ε > 0 each term
// smoothed as in [DPO], as TRL does. It asks that the rewards of desirable replies exceed
// those of undesirable ones as distributions (first-order stochastic dominance), whatever
// prompts they belong to.
//
// Where the two numbers differ, the quantile functions are compared, ∫ over their common
// steps, and Count is the number of desirable replies; TRL wants equal numbers. A batch of one
// kind is an [*InputError].
//
// For ε = 0 there is no minimiser: margins grow for ever; for ε > 0 it is not a policy, but
// any of which all margins are log((1−ε)/ε)/β. The loss of a term stands at its desirable
// reply in UnpairedOut.Loss, and undesirable replies have 0. Equal log-ratios keep the order
// of the batch.
//
// Beta must be positive; LabelSmoothing is in [0, ½). It uses LogProb, Ref and Desirable of
// [Unpaired], but not Weight, allocates nothing once its workspace has grown, and is [Coupled].
type AOTUnpaired struct {
	Beta           float64 // β, the KL coefficient: reward per nat of log π/π_ref
	LabelSmoothing float64
}

var (
	_ Pointwise = AOTUnpaired{}
	_ Coupled   = AOTUnpaired{}
)

// Coupled implements [Coupled]: the batch is sorted.
func (AOTUnpaired) Coupled() bool { return true }

// Eval implements [Pointwise].
func (l AOTUnpaired) Eval(dst UnpairedOut, b Unpaired) (Total, error) {
	n := len(b.LogProb)
	b.check(n)
	dst.check(n)
	if b.Weight != nil {
		panic(noUnpairedWeight)
	}
	link := Smoothed{l.LabelSmoothing}
	if err := cmp.Or(positive("AOTUnpaired.Beta", l.Beta), belowHalf("AOTUnpaired.LabelSmoothing", l.LabelSmoothing)); err != nil {
		return Total{}, err
	}
	if n > 0 && !slices.Contains(b.Desirable, !b.Desirable[0]) {
		return Total{}, &InputError{"Desirable", 0, number(b.Desirable[0]), "all replies of the batch have this verdict"}
	}
	q := quantilesPool.Get().(*quantiles)
	defer quantilesPool.Put(q)
	q.s, q.ds = resize(q.s, n), resize(q.ds, n)
	if err := (LogRatio{}).Score(q.s, q.ds, b.replies(0, n)); err != nil {
		return Total{}, err
	}
	q.above, q.below = slices.Grow(q.above[:0], n), slices.Grow(q.below[:0], n)
	for i, v := range q.s {
		if b.Desirable[i] {
			q.above = append(q.above, ranked{v, i})
		} else {
			q.below = append(q.below, ranked{v, i})
		}
		store(dst.Reward, i, l.Beta*v)
	}
	if err := q.match(l.Beta, "LogProb−Ref", "LogProb−Ref"); err != nil {
		return Total{}, err
	}
	t := q.evaluate(link)
	clear(dst.Loss)
	clear(dst.LogProb)
	for p, c := range q.pieces {
		accumulate(dst.Loss, c.up, q.value[p])
		accumulate(dst.LogProb, c.up, q.z[p]*l.Beta)
		accumulate(dst.LogProb, c.down, -q.z[p]*l.Beta)
	}
	return t, nil
}

const noUnpairedWeight = "loss: Unpaired.Weight is set, but the objective does not read it"

// accumulate adds v to dst[i] unless dst is nil.
func accumulate(dst []float64, i int, v float64) {
	if dst != nil {
		dst[i] += v
	}
}
