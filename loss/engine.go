package loss

import (
	"errors"
	"fmt"
	"sync"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// engine evaluates a pairwise objective that is a function of one score per reply: a score
// for each side, then a linker. It runs over blocks of pairs, with a call per block for
// each part and none per pair.
type engine[C, R Score, L linker] struct {
	chosen   C
	rejected R
	link     L
	beta     float64
	reads    reads
	err      error // a parameter outside its range
	fused    fused
}

// linker makes values and derivatives of the scores of a block.
type linker interface {
	Check() error
	// run works on the m pairs from lo on: from w.chosen, w.rejected and w.diff it stores
	// the loss in w.value and its derivatives with respect to beta·s⁺ and beta·s⁻ in
	// w.gChosen and w.gRejected.
	run(w *scratch, b Pairs, beta float64, lo, m int) error
	// growth is for the chain rule: see onMargin.
	growth(slope float64) float64
}

// block is the number of pairs that pass through score and link at a time: small enough
// to stay in the nearest cache.
const block = 256

// scratch holds one block. The arrays live in a pool, since slices handed to an
// interface would otherwise be allocated at each call.
type scratch struct {
	chosen, rejected, dChosen, dRejected [block]float64 // s⁺, s⁻, ∂s⁺, ∂s⁻
	diff                                 [block]float64 // s⁺ − s⁻
	finite                               bool           // whether all of diff is
	value, gChosen, gRejected            [block]float64 // see linker
	z, other                             [block]float64 // arguments of a link
	clipped                              int            // pairs that the linker has clamped
}

var pool = sync.Pool{New: func() any { return new(scratch) }}

func (e engine[C, R, L]) eval(dst PairsOut, b Pairs) (Total, error) {
	n := len(b.Chosen)
	dst.sized(n)
	if err := e.check(b); err != nil {
		return Total{}, err
	}
	if dst.RefChosen != nil && !relative(e.chosen) || dst.RefRejected != nil && !relative(e.rejected) {
		panic(noReference)
	}
	w := pool.Get().(*scratch)
	defer pool.Put(w)
	w.clipped = 0
	t, sum := Total{Count: n}, compensated{}
	for lo := 0; lo < n; lo += block {
		m := min(block, n-lo)
		if v, ok := e.fused.run(w, &t, dst, b, e.beta, lo, m); ok {
			sum.add(v)
			continue
		}
		if err := e.scores(w, b, lo, m); err != nil {
			return Total{}, err
		}
		if err := e.link.run(w, b, e.beta, lo, m); err != nil {
			return Total{}, err
		}
		w.count(&t, m)
		if b.Weight != nil {
			w.weigh(b.Weight[lo : lo+m])
		}
		sum.add(elem.Sum(w.value[:m]))
		if dst.Loss != nil {
			copy(dst.Loss[lo:], w.value[:m])
		}
		scaled(dst.RewardChosen, w.chosen[:m], e.beta, lo)
		scaled(dst.RewardRejected, w.rejected[:m], e.beta, lo)
		if err := e.derivatives(dst, b, w, lo, m); err != nil {
			return Total{}, err
		}
	}
	t.Sum, t.Clipped = sum.value(), w.clipped
	if t.Sum != t.Sum {
		return Total{}, b.noSum()
	}
	return t, nil
}

func (e engine[C, R, L]) check(b Pairs) error {
	b.reading(len(b.Chosen), e.reads)
	if e.err != nil {
		return e.err
	}
	if err := b.finite(); err != nil {
		return err
	}
	return e.link.Check()
}

// scores fills the upper part of w: scores, their derivatives, their differences.
func (e engine[C, R, L]) scores(w *scratch, b Pairs, lo, m int) error {
	if err := scoreSide(w.chosen[:m], w.dChosen[:m], e.chosen, b, true, lo); err != nil {
		return err
	}
	if err := scoreSide(w.rejected[:m], w.dRejected[:m], e.rejected, b, false, lo); err != nil {
		return err
	}
	if w.finite = elem.Differences(w.diff[:m], w.chosen[:m], w.rejected[:m]); w.finite {
		return nil
	}
	for i, d := range w.diff[:m] {
		if s := w.chosen[i]; d != d && s == s {
			w.diff[i] = e.order(b, lo+i, s)
		}
	}
	return nil
}

// scoreSide runs the score on one side of a block. An error names its place in the batch.
func scoreSide[S Score](s, ds []float64, score S, b Pairs, chosen bool, lo int) error {
	err := score.Score(s, ds, b.side(chosen, lo, lo+len(s)))
	if err == nil {
		return nil
	}
	var in *InputError
	if errors.As(err, &in) {
		reason := in.Reason
		if reason == zeroOverZero("Ref") {
			reason = zeroOverZero(b.name(chosen, "Ref"))
		}
		return &InputError{b.name(chosen, in.Field), in.Index + lo, in.Value, reason}
	}
	return err
}

// count adds what a block says about the order of scores and about slopes.
func (w *scratch) count(t *Total, m int) {
	c := elem.Tally(w.diff[:m], w.gChosen[:m], w.gRejected[:m])
	t.Correct += c.Correct
	t.Ties += c.Ties
	t.Flat += c.Flat
}

// weigh multiplies a block by the weights of its pairs. Weight 0 wins over infinity.
func (w *scratch) weigh(weight []float64) {
	m := len(weight)
	elem.Weigh(w.value[:m], weight)
	elem.Weigh(w.gChosen[:m], weight)
	elem.Weigh(w.gRejected[:m], weight)
}

// scaled stores a·s in dst from lo on, unless dst is nil.
func scaled(dst, s []float64, a float64, lo int) {
	if dst != nil {
		elem.Affine(dst[lo:lo+len(s)], s, a, 0)
	}
}

// noDifference is the error for a pair whose scores are the same infinity.
func (b Pairs) noDifference(w *scratch, lo, i int) error {
	field, v := b.culprit(true, lo+i)
	other, u := b.culprit(false, lo+i)
	return &InputError{field, lo + i, v, fmt.Sprintf("its score %v and the score %v of %s[%d] = %v have no difference",
		w.chosen[i], w.rejected[i], other, lo+i, u)}
}

// noSum is the error for a batch with losses of +Inf and −Inf: it names the first infinite
// log-probability.
func (b Pairs) noSum() error {
	i := 0
	for i < len(b.Chosen)-1 && isFinite(b.Chosen[i]) && isFinite(b.Rejected[i]) {
		i++
	}
	field, v := "Chosen", b.Chosen[i]
	if isFinite(v) {
		field, v = "Rejected", b.Rejected[i]
	}
	return &InputError{field, i, v, "losses of the batch are infinite with opposite signs"}
}
