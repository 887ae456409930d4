package loss

import (
	"errors"
	"fmt"
	"sync"
)

// Contrast is the pairwise objective
//
//	Σᵢ Link(Beta·(s⁺ᵢ − s⁻ᵢ) − Gamma)
//
// for a [Score] s and a [Link]: the composition of which the named objectives are
// instances, and from which a caller makes one that has no name. Its derivatives are
// ∂L/∂log π(y⁺) = link′·Beta·∂s⁺ and ∂L/∂log π(y⁻) = −link′·Beta·∂s⁻.
//
// Beta > 0 is a temperature, Gamma (finite, 0 for most) a target margin on the scale of
// Beta·s. Score and Link must be set. A Contrast is safe for concurrent use.
type Contrast struct {
	Score Score
	Link  Link
	Beta  float64
	Gamma float64
}

// block is the number of pairs that pass through score and link at a time: small enough
// to stay in the nearest cache.
const block = 256

// scratch holds one block. The arrays live in a pool, since slices handed to an
// interface would otherwise be allocated at each call.
type scratch struct {
	chosen, rejected, dChosen, dRejected, z, value [block]float64
}

var pool = sync.Pool{New: func() any { return new(scratch) }}

// Eval implements [Pairwise].
func (c Contrast) Eval(dst PairsOut, b Pairs) (Total, error) {
	if c.Score == nil || c.Link == nil {
		panic("loss: Contrast without Score or Link")
	}
	return contrast(dst, b, c.Score, c.Link, c.Beta, c.Gamma)
}

// contrast is Contrast.Eval for any types of score and link: the named objectives call it
// with their own, since a value with fields allocates when it is put into an interface.
func contrast[S Score, L Link](dst PairsOut, b Pairs, score S, link L, beta, gamma float64) (Total, error) {
	n := len(b.Chosen)
	b.check(n)
	dst.check(n)
	if err := positive("Contrast.Beta", beta); err != nil {
		return Total{}, err
	}
	if !isFinite(gamma) {
		return Total{}, &ParamError{"Contrast.Gamma", gamma, "finite"}
	}
	if err := link.Check(); err != nil {
		return Total{}, err
	}
	w := pool.Get().(*scratch)
	defer pool.Put(w)
	t := Total{Count: n}
	for lo := 0; lo < n; lo += block {
		hi := min(lo+block, n)
		m := hi - lo
		if err := scoreSide(w.chosen[:m], w.dChosen[:m], score, b, true, lo, hi); err != nil {
			return Total{}, err
		}
		if err := scoreSide(w.rejected[:m], w.dRejected[:m], score, b, false, lo, hi); err != nil {
			return Total{}, err
		}
		if err := w.margins(&t, b, beta, gamma, lo, hi); err != nil {
			return Total{}, err
		}
		z, value := w.z[:m], w.value[:m]
		link.Link(value, z, z)
		for _, v := range value {
			t.Sum += v
		}
		if dst.Loss != nil {
			copy(dst.Loss[lo:hi], value)
		}
		chain(dst.Chosen, z, beta, w.dChosen[:m], lo)
		chain(dst.Rejected, z, -beta, w.dRejected[:m], lo)
		chain(dst.RewardChosen, w.chosen[:m], beta, nil, lo)
		chain(dst.RewardRejected, w.rejected[:m], beta, nil, lo)
	}
	return t, nil
}

// scoreSide runs the score on one side of a block. An error names its place in the batch.
func scoreSide[S Score](s, ds []float64, score S, b Pairs, chosen bool, lo, hi int) error {
	err := score.Score(s, ds, b.side(chosen, lo, hi))
	if err == nil {
		return nil
	}
	var in *InputError
	if errors.As(err, &in) {
		return &InputError{b.name(chosen, in.Field), in.Index + lo, in.Value, in.Reason}
	}
	return err
}

// margins stores the margins of a block in w.z and counts the order of the scores.
func (w *scratch) margins(t *Total, b Pairs, beta, gamma float64, lo, hi int) error {
	for i := range hi - lo {
		d := w.chosen[i] - w.rejected[i]
		switch {
		case d > 0:
			t.Correct++
		case d == 0:
			t.Ties++
		case d != d:
			field, v := b.culprit(true, lo+i)
			other, u := b.culprit(false, lo+i)
			return &InputError{field, lo + i, v, fmt.Sprintf("its score %v and the score %v of %s[%d] = %v have no difference",
				w.chosen[i], w.rejected[i], other, lo+i, u)}
		}
		w.z[i] = beta*d - gamma
	}
	return nil
}

// chain stores v·a·d in dst from lo on, unless dst is nil; a nil d is 1.
func chain(dst, v []float64, a float64, d []float64, lo int) {
	if dst == nil {
		return
	}
	for i, x := range v {
		x *= a
		if d != nil {
			x *= d[i]
		}
		dst[lo+i] = x
	}
}
