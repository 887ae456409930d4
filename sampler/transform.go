package sampler

import (
	"fmt"
	"slices"
)

// Transform changes the distribution of a next token. Transforms are values without
// state, safe for concurrent use on different rows. They are applied in the order that
// they are given in, which matters: a top-p after a top-k asks for a part of the mass
// that the top-k has left. [HuggingFaceOrder] is the usual one.
//
// None depends on anything but the logits and the history, so equal rows stay equal.
type Transform interface {
	// Apply changes r.Logits in place. It takes no token in when none is left.
	Apply(r *Row) error
	// Check returns an error that names a parameter out of range.
	Check(vocab int) error
}

var _ = []Transform{RepetitionPenalty(0), Ban(nil), Allow(nil), Temperature(0), TopK(0), TopP(0), MinP(0), Typical(0), Greedy{}}

// HuggingFaceOrder returns the transforms in the order in which Hugging Face's
// transformers (5.23) applies them, whatever order they came in:
//
//	RepetitionPenalty, Allow, Ban, Temperature, TopK, TopP, MinP, Typical, Greedy
//
// Transforms of one type keep their order. It panics on types of other packages, which
// have no place in it.
func HuggingFaceOrder(ts ...Transform) []Transform {
	ordered := slices.Clone(ts)
	slices.SortStableFunc(ordered, func(a, b Transform) int { return place(a) - place(b) })
	return ordered
}

func place(t Transform) int {
	switch t.(type) {
	case RepetitionPenalty:
		return 0
	case Allow:
		return 1
	case Ban:
		return 2
	case Temperature:
		return 3
	case TopK:
		return 4
	case TopP:
		return 5
	case MinP:
		return 6
	case Typical:
		return 7
	case Greedy:
		return 8
	}
	panic("sampler: HuggingFaceOrder of a transform that is not the package's own")
}

// checkTransforms returns the error of the first transform that has one.
func checkTransforms(ts []Transform, vocab int) error {
	for i, t := range ts {
		if t == nil {
			return fmt.Errorf("sampler: Transforms[%d] is nil", i)
		}
		if err := t.Check(vocab); err != nil {
			return fmt.Errorf("sampler: Transforms[%d]: %w", i, err)
		}
	}
	return nil
}
