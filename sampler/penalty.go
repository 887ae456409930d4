package sampler

import (
	"errors"
	"fmt"
)

// RepetitionPenalty makes the tokens of [Row.History] less likely, each once, however
// often it stands there: a positive logit is divided by θ and a negative one multiplied
// (Keskar et al. 2019, CTRL, arXiv:1909.05858, with the sign treated as in transformers).
// θ is positive and finite; above 1 it penalises, below 1 it rewards.
//
// It depends on where the zero of the logits lies, which no softmax tells: it has to
// come first, on logits as the model gives them. On log-probabilities it means
// something else.
type RepetitionPenalty float64

// Apply implements [Transform]. An id of the history outside the vocabulary is an error.
func (p RepetitionPenalty) Apply(r *Row) error {
	if err := p.Check(len(r.Logits)); err != nil {
		return err
	}
	r.newRound()
	for i, id := range r.History {
		if id < 0 || int(id) >= len(r.Logits) {
			return fmt.Errorf("token %d of the history is %d, outside the vocabulary of %d", i, id, len(r.Logits))
		}
		if r.seen[id] == r.round {
			continue
		}
		r.seen[id] = r.round
		if r.Logits[id] < 0 {
			r.Logits[id] *= float64(p)
		} else {
			r.Logits[id] /= float64(p)
		}
	}
	return nil
}

// Check implements [Transform].
func (p RepetitionPenalty) Check(int) error {
	if v := float64(p); !(v > 0 && v*0 == 0) {
		return fmt.Errorf("RepetitionPenalty is %v, must be positive and finite", v)
	}
	return nil
}

// Ban makes the listed tokens impossible.
type Ban []int32

// Apply implements [Transform].
func (b Ban) Apply(r *Row) error {
	if err := b.Check(len(r.Logits)); err != nil {
		return err
	}
	for _, id := range b {
		r.remove(int(id))
	}
	return nil
}

// Check implements [Transform].
func (b Ban) Check(vocab int) error { return checkIDs("Ban", b, vocab) }

// Allow makes all tokens impossible but for the listed ones; an empty list is an error.
type Allow []int32

// Apply implements [Transform].
func (a Allow) Apply(r *Row) error {
	if err := a.Check(len(r.Logits)); err != nil {
		return err
	}
	r.score = r.score[:0]
	for _, id := range a {
		r.score = append(r.score, r.Logits[id])
	}
	for v := range r.Logits {
		r.remove(v)
	}
	for i, id := range a {
		r.Logits[id] = r.score[i]
	}
	return nil
}

// Check implements [Transform].
func (a Allow) Check(vocab int) error {
	if len(a) == 0 {
		return errors.New("Allow is empty")
	}
	return checkIDs("Allow", a, vocab)
}

func checkIDs(name string, ids []int32, vocab int) error {
	for i, id := range ids {
		if id < 0 || int(id) >= vocab {
			return fmt.Errorf("%s[%d] is %d, outside the vocabulary of %d", name, i, id, vocab)
		}
	}
	return nil
}
