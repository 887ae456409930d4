package loss

import (
	"cmp"
	"math"
)

// Values is what a value function says about each token of a batch, before the token is
// written, and what came of it.
type Values struct {
	Layout
	Value  []float64 // V of the value function that is trained
	Old    []float64 // V when the batch was drawn, for a clip; else nil is as good
	Return []float64 // the target
}

// ValuesOut receives what a [ValueLoss] makes of Values; slices may be nil where not wanted.
type ValuesOut struct {
	Loss  []float64 // the loss of each reply, aggregated
	Value []float64 // ∂ Σ Loss / ∂ each token's value
}

// ValuesTotal sums up a batch of Values.
type ValuesTotal struct {
	TokenTotal
	Clipped int // tokens at which the clipped value's loss was the larger one
	Empty   int // replies of which no token counts: they are in Sequences, and have a loss of 0
}

// Add adds o to t.
func (t *ValuesTotal) Add(o ValuesTotal) {
	t.TokenTotal.Add(o.TokenTotal)
	t.Clipped += o.Clipped
	t.Empty += o.Empty
}

// ValueLoss is the regression of a value function onto returns, with or without a clip,
//
//	½·(V − R)²    or    ½·max((V − R)², (clip(V, V_old − c, V_old + c) − R)²)
//
// as in implementations of PPO (the papers have no clip). Where the second term is the larger
// one, beyond the clip, it has no derivative: a value that has moved by more than c away from
// its old one and towards the return is not moved further. A tie has the slope of the first.
// The factor ½ is inside, as in verl and OpenRLHF.
//
// Clip is 0 for none, else positive and finite; Old is then used. By must be set.
type ValueLoss struct {
	Clip float64
	By   Aggregation
}

// Eval stores losses and derivatives in dst. A number that is not finite where a token counts
// is an [*InputError].
func (l ValueLoss) Eval(dst ValuesOut, b Values) (ValuesTotal, error) {
	n := len(b.Value)
	b.check(n)
	sized(n, b.Old, b.Return, dst.Value)
	sized(b.Len(), dst.Loss)
	if n > 0 && (b.Return == nil || l.Clip != 0 && b.Old == nil) {
		panic("loss: Values without Return, or without Old for a clip")
	}
	if err := cmp.Or(nonNegative("ValueLoss.Clip", l.Clip), l.By.check("ValueLoss.By"), b.finite("Value", b.Value), b.finite("Return", b.Return)); err != nil {
		return ValuesTotal{}, err
	}
	if l.Clip != 0 {
		if err := b.finite("Old", b.Old); err != nil {
			return ValuesTotal{}, err
		}
	}
	clear(dst.Value)
	t := ValuesTotal{TokenTotal: TokenTotal{Sequences: b.Len()}}
	for i := range b.Len() {
		n := b.Count(i)
		store(dst.Loss, i, 0)
		if n == 0 {
			t.Empty++
			continue
		}
		scale := 1.0
		if l.By == MeanTokens {
			scale = 1 / float64(n)
		}
		sum := 0.0
		lo, hi := b.Reply(i)
		for p := lo; p < hi; p++ {
			if !b.Counts(p) {
				continue
			}
			d := b.Value[p] - b.Return[p]
			if l.Clip != 0 {
				c := min(max(b.Value[p], b.Old[p]-l.Clip), b.Old[p]+l.Clip) - b.Return[p]
				if math.Abs(c) > math.Abs(d) {
					t.Clipped++
					sum += 0.5 * c * c
					continue
				}
			}
			sum += 0.5 * d * d
			store(dst.Value, p, d*scale)
		}
		t.Tokens += n
		t.Sum += sum * scale
		store(dst.Loss, i, sum*scale)
	}
	return t, nil
}
