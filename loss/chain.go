package loss

import (
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// WideScore is a [Score] whose value or derivative leaves the range of float64 at finite
// log-probabilities, as e⁻ˡ does, growing exponentially. Where a product of the chain rule is
// 0·∞ these logarithms decide what it is, and where two scores overflow, which is larger.
type WideScore interface {
	Score
	// Log stores log|s[i]|, to leading order where s[i] overflows, and log ∂s[i]/∂LogProb[i].
	Log(s, ds []float64, r Responses)
}

// RelativeScore is a [Score] of the difference LogProb − Ref alone, and perhaps of lengths,
// so that ∂s/∂Ref = −∂s/∂LogProb.
type RelativeScore interface {
	Score
	Relative()
}

func relative[S Score](s S) bool {
	_, ok := any(s).(RelativeScore)
	return ok
}

// derivatives stores what is wanted of the products of the chain rule.
func (e engine[C, R, L]) derivatives(dst PairsOut, b Pairs, w *scratch, lo, m int) error {
	gc, gr, dc, dr := w.gChosen[:m], w.gRejected[:m], w.dChosen[:m], w.dRejected[:m]
	nanC, nanR := false, false
	nanC = products(dst.Chosen, gc, dc, e.beta, lo) || nanC
	nanC = products(dst.RefChosen, gc, dc, -e.beta, lo) || nanC
	nanR = products(dst.Rejected, gr, dr, e.beta, lo) || nanR
	nanR = products(dst.RefRejected, gr, dr, -e.beta, lo) || nanR
	if nanC {
		if err := e.limits(dst.Chosen, dst.RefChosen, b, gc, dc, true, lo); err != nil {
			return err
		}
	}
	if nanR {
		return e.limits(dst.Rejected, dst.RefRejected, b, gr, dr, false, lo)
	}
	return nil
}

// products stores g·a·d in dst from lo on, unless dst is nil, and reports whether a product
// is NaN.
func products(dst, g, d []float64, a float64, lo int) (nan bool) {
	if dst == nil {
		return false
	}
	return !elem.Products(dst[lo:lo+len(g)], g, d, a)
}

// limits replaces the products of one side that are NaN.
func (e engine[C, R, L]) limits(dst, ref []float64, b Pairs, g, d []float64, chosen bool, lo int) error {
	for i, x := range g {
		if x *= e.beta * d[i]; x == x {
			continue
		}
		v, err := e.limit(b, g[i], chosen, lo+i)
		if err != nil {
			return err
		}
		store(dst, lo+i, v)
		store(ref, lo+i, -v)
	}
	return nil
}

// limit is the product g·beta·∂s of one side of pair i whose factors are 0 and ∞.
//
// A slope of 0 at an infinite margin is that of a link that decays exponentially or is
// constant there: against a derivative that grows no faster than the margin, it wins. An
// infinite slope is that of a link that grows: linearly, or else it wins against anything.
func (e engine[C, R, L]) limit(b Pairs, g float64, chosen bool, i int) (float64, error) {
	logC, logDC, okC := logs(e.chosen, b, true, i)
	logR, logDR, okR := logs(e.rejected, b, false, i)
	if !okC || !okR {
		field, v := b.culprit(chosen, i)
		return 0, &InputError{field, i, v, "its score has a derivative of 0 or ∞, and the product with the link's slope has no limit"}
	}
	if g == 0 {
		return 0, nil
	}
	slope, logD := -g, logDR
	if chosen {
		slope, logD = g, logDC
	}
	// This side's derivative is 0, so it is the other's score that is large: log z is its.
	v := math.Exp(e.link.growth(slope) + 2*math.Log(e.beta) + max(logC, logR) + logD)
	if b.Weight != nil {
		v *= b.Weight[i]
	}
	return math.Copysign(v, g), nil
}

// growth is log|slope/z| of the link as z goes to the infinity where its slope is that
// infinite: +Inf if it grows faster than linearly.
func (l onMargin[L]) growth(slope float64) float64 {
	const far = 0x1p500
	var value, z [1]float64
	z[0] = math.Copysign(far, slope)
	l.link.Link(value[:], z[:], z[:])
	return math.Log(math.Abs(z[0]) / far)
}

// logs calls score.Log for one reply of pair i.
func logs[S Score](score S, b Pairs, chosen bool, i int) (s, ds float64, ok bool) {
	wide, ok := any(score).(WideScore)
	if !ok {
		return 0, 0, false
	}
	var v, d [1]float64
	wide.Log(v[:], d[:], b.side(chosen, i, i+1))
	return v[0], d[0], true
}

// order is the difference of two scores that are the same infinity: that of the larger
// where they overflowed, 0 where they are equal, NaN where it is not known.
func (e engine[C, R, L]) order(b Pairs, i int, infinity float64) float64 {
	c, _, okC := logs(e.chosen, b, true, i)
	r, _, okR := logs(e.rejected, b, false, i)
	switch {
	case !okC || !okR || math.IsInf(c, 1) && math.IsInf(r, 1):
		return math.NaN()
	case c == r:
		return 0
	case c > r:
		return infinity
	}
	return -infinity
}
