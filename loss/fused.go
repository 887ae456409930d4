package loss

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// fused says that an engine is the logistic link, smoothed by epsilon, of the difference of log-ratios, for
// which there is one kernel from log-probabilities to derivatives.
type fused struct {
	on      bool
	epsilon float64
}

// run evaluates a block by the kernel, with the bits that the parts of the engine give, and returns the sum
// of the losses. ok is false for what the kernel does not do: other quantities, weights and
// margins, a block with arguments at which parts of the link underflow or that are not finite.
func (f fused) run(w *scratch, t *Total, dst PairsOut, b Pairs, beta float64, lo, m int) (sum float64, ok bool) {
	if !f.on || b.Weight != nil || b.Margin != nil || b.RefChosen == nil || b.RefRejected == nil ||
		dst.RefChosen != nil || dst.RefRejected != nil || dst.RewardChosen != nil || dst.RewardRejected != nil {
		return 0, false
	}
	hi := lo + m
	sum, c, ok := elem.LogRatios(elem.Pairs{
		Chosen: b.Chosen[lo:hi], Rejected: b.Rejected[lo:hi],
		RefChosen: b.RefChosen[lo:hi], RefRejected: b.RefRejected[lo:hi],
		Value:     section(dst.Loss, &w.value, lo, m),
		DChosen:   section(dst.Chosen, &w.gChosen, lo, m),
		DRejected: section(dst.Rejected, &w.gRejected, lo, m),
	}, beta, f.epsilon)
	if ok {
		t.Correct += c.Correct
		t.Ties += c.Ties
		t.Flat += c.Flat
	}
	return sum, ok
}

// section is a block of dst, or of a scratch where that is not wanted.
func section(dst []float64, scratch *[block]float64, lo, m int) []float64 {
	if dst == nil {
		return scratch[:m]
	}
	return dst[lo : lo+m]
}

// compensated adds up numbers and, beside their sum, what its roundings lost (Neumaier 1974).
type compensated struct{ sum, lost float64 }

func (c *compensated) add(v float64) {
	s := c.sum + v
	if math.Abs(c.sum) >= math.Abs(v) {
		c.lost += (c.sum - s) + v
	} else {
		c.lost += (v - s) + c.sum
	}
	c.sum = s
}

// value is the sum; an infinite one has lost nothing.
func (c compensated) value() float64 {
	if isFinite(c.sum) {
		return c.sum + c.lost
	}
	return c.sum
}
