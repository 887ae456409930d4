package loss

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
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
	Beta        float64
	Shift       float64
	Desirable   float64
	Undesirable float64
}

// Eval implements [Pointwise].
func (l Binary) Eval(dst UnpairedOut, b Unpaired) (Total, error) {
	if l.Score == nil || l.Link == nil {
		panic("loss: Binary without Score or Link")
	}
	if !isFinite(l.Shift) {
		return Total{}, &ParamError{"Binary.Shift", l.Shift, "finite"}
	}
	return binary(dst, b, l.Score, l.Link, l.Beta, l.Shift, l.Desirable, l.Undesirable)
}

// replyScratch holds one block. It lives in a pool, since slices handed to an interface would
// otherwise be allocated at each call.
type replyScratch struct{ s, ds, z, value [block]float64 }

var replyPool = sync.Pool{New: func() any { return new(replyScratch) }}

// binary is Binary.Eval for any types of score and link, as contrast is for pairs, and for
// a shift that may be infinite.
func binary[S Score, L Link](dst UnpairedOut, b Unpaired, score S, link L, beta, shift, desirable, undesirable float64) (Total, error) {
	n := len(b.LogProb)
	b.check(n)
	dst.check(n)
	if err := cmp.Or(
		positive("Binary.Beta", beta), positive("Binary.Desirable", desirable),
		positive("Binary.Undesirable", undesirable), link.Check(),
	); err != nil {
		return Total{}, err
	}
	w := replyPool.Get().(*replyScratch)
	defer replyPool.Put(w)
	t := Total{Count: n}
	for lo := 0; lo < n; lo += block {
		hi := min(lo+block, n)
		m := hi - lo
		s, ds, z, value := w.s[:m], w.ds[:m], w.z[:m], w.value[:m]
		if err := score.Score(s, ds, b.replies(lo, hi)); err != nil {
			return Total{}, offset(err, lo)
		}
		for i, v := range s {
			s[i] = beta * v
			u := s[i] - shift
			switch {
			case u != u:
				return Total{}, &InputError{"LogProb", lo + i, b.LogProb[lo+i],
					fmt.Sprintf("its reward %v and the reference point %v have no difference", s[i], shift)}
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
		link.Link(value, z, z)
		for i, good := range b.Desirable[lo:hi] {
			weight, sign := undesirable, -beta
			if good {
				weight, sign = desirable, beta
			}
			v := weight * value[i]
			t.Sum += v
			store(dst.Loss, lo+i, v)
			store(dst.LogProb, lo+i, weight*z[i]*sign*ds[i])
			store(dst.Reward, lo+i, s[i])
		}
	}
	return t, nil
}

// offset adds lo to the index of an [InputError] about a block.
func offset(err error, lo int) error {
	var in *InputError
	if errors.As(err, &in) {
		return &InputError{in.Field, in.Index + lo, in.Value, in.Reason}
	}
	return err
}

// named gives the parameters of a Binary the name of the objective that is made of it.
func named(err error, objective string) error {
	if p, ok := err.(*ParamError); ok { // errors.As would allocate at each call
		p.Param = objective + strings.TrimPrefix(p.Param, "Binary")
	}
	return err
}
