package loss

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
)

// Binary is the objective on single replies with a verdict
//
//	Σᵢ λᵢ·Link(±(Beta·sᵢ − Shift))
//
// with + and λᵢ = Desirable for a desirable reply, − and λᵢ = Undesirable for another: a
// classifier of replies whose logit is the implicit reward Beta·s of a [Score], and for
// single replies what [Contrast] is for pairs. [KTO], [BCOUnpaired] and [APOUnpaired] are
// instances; with a score that is a mean over tokens they are length-normalised. The
// derivatives are ±λᵢ·link′·Beta·∂sᵢ.
//
// Beta > 0 is a temperature and Shift (finite) the reward above which a reply ought to be
// desirable. Desirable and Undesirable are positive weights, 1 for most; with n₊ and n₋
// replies of the two kinds, n₊·Desirable ≈ n₋·Undesirable balances them. Score and Link must
// be set. It is safe for concurrent use.
type Binary struct {
	Score       Score
	Link        Link
	Beta        float64 // β, the scale of s: a KL coefficient if s is a log-ratio, else an inverse temperature
	Shift       float64
	Desirable   float64
	Undesirable float64
}

// Eval implements [Pointwise].
func (l Binary) Eval(dst UnpairedOut, b Unpaired) (Total, error) {
	if l.Score == nil || l.Link == nil {
		panic("loss: Binary without Score or Link")
	}
	return classifier[Score, Link]{l.Score, l.Link, l.Beta, l.Shift, l.Desirable, l.Undesirable}.eval(dst, b,
		positive("Binary.Beta", l.Beta), finiteParam("Binary.Shift", l.Shift),
		positive("Binary.Desirable", l.Desirable), positive("Binary.Undesirable", l.Undesirable))
}

// classifier is a Binary of concrete types of score and link, and with a shift that may be
// infinite: the named objectives use it with their own, since a value with fields allocates
// when it is put into an interface.
type classifier[S Score, L Link] struct {
	score                  S
	link                   L
	beta, shift            float64
	desirable, undesirable float64
}

// replyScratch holds one block. It lives in a pool, since slices handed to an interface would
// otherwise be allocated at each call.
type replyScratch struct{ s, ds, z, value [block]float64 }

var replyPool = sync.Pool{New: func() any { return new(replyScratch) }}

// eval returns the first of errs, if there is one: parameters outside their range.
func (c classifier[S, L]) eval(dst UnpairedOut, b Unpaired, errs ...error) (Total, error) {
	n := len(b.LogProb)
	b.check(n)
	dst.check(n)
	if err := cmp.Or(cmp.Or(errs...), c.link.Check(), b.finite()); err != nil {
		return Total{}, err
	}
	w := replyPool.Get().(*replyScratch)
	defer replyPool.Put(w)
	t := Total{Count: n}
	for lo := 0; lo < n; lo += block {
		m := min(block, n-lo)
		s, ds, z, value := w.s[:m], w.ds[:m], w.z[:m], w.value[:m]
		if err := c.score.Score(s, ds, b.replies(lo, lo+m)); err != nil {
			return Total{}, offset(err, lo)
		}
		if err := c.logits(s, z, b, lo, &t); err != nil {
			return Total{}, err
		}
		c.link.Link(value, z, z)
		for i, good := range b.Desirable[lo : lo+m] {
			weight, sign := c.undesirable, -c.beta
			if good {
				weight, sign = c.desirable, c.beta
			}
			if b.Weight != nil {
				weight *= b.Weight[lo+i]
			}
			v, slope := product(weight, value[i]), product(weight, z[i])
			if slope == 0 {
				t.Flat++
			}
			t.Sum += v
			store(dst.Loss, lo+i, v)
			store(dst.LogProb, lo+i, slope*sign*ds[i])
			store(dst.Reward, lo+i, s[i])
		}
	}
	return t, nil
}

// logits turns the scores of a block into rewards, stores in z those of the verdicts, and
// counts.
func (c classifier[S, L]) logits(s, z []float64, b Unpaired, lo int, t *Total) error {
	for i, v := range s {
		s[i] = c.beta * v
		u := s[i] - c.shift
		switch {
		case u != u:
			return &InputError{"LogProb", lo + i, b.LogProb[lo+i],
				fmt.Sprintf("its reward %v and the reference point %v have no difference", s[i], c.shift)}
		case u == 0:
			t.Ties++
		case u > 0 == b.Desirable[lo+i]:
			t.Correct++
		}
		if !b.Desirable[lo+i] {
			u = -u
		}
		z[i] = u
	}
	return nil
}

// offset adds lo to the index of an [InputError] about a block.
func offset(err error, lo int) error {
	var in *InputError
	if errors.As(err, &in) {
		return &InputError{in.Field, in.Index + lo, in.Value, in.Reason}
	}
	return err
}
