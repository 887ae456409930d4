package loss

import (
	"fmt"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// InputError says which number of a batch cannot be used.
type InputError struct {
	Field  string  // as in the batch's type: "Chosen", "RefRejected", …
	Index  int     // which element
	Value  float64 // what it is
	Reason string  // why it cannot be used
}

func (e *InputError) Error() string {
	return fmt.Sprintf("loss: %s[%d] = %v: %s", e.Field, e.Index, e.Value, e.Reason)
}

// ParamError says which parameter of an objective is outside its range.
type ParamError struct {
	Param string // "DPO.Beta"
	Value float64
	Want  string // "positive and finite"
}

func (e *ParamError) Error() string {
	return fmt.Sprintf("loss: %s = %v, must be %s", e.Param, e.Value, e.Want)
}

func isFinite(v float64) bool { return math.Abs(v) <= math.MaxFloat64 }

func positive(param string, v float64) error {
	if !(v > 0) || !isFinite(v) {
		return &ParamError{param, v, "positive and finite"}
	}
	return nil
}

func nonNegative(param string, v float64) error {
	if !(v >= 0) || !isFinite(v) {
		return &ParamError{param, v, "finite and not negative"}
	}
	return nil
}

func finiteParam(param string, v float64) error {
	if !isFinite(v) {
		return &ParamError{param, v, "finite"}
	}
	return nil
}

// belowHalf checks the probability of a flipped label.
func belowHalf(param string, v float64) error {
	if !(v >= 0 && v < 0.5) {
		return &ParamError{param, v, "in [0, ½)"}
	}
	return nil
}

// rename gives the parameters of a composition the name under which an objective has them.
func rename(err error, name string) error {
	if p, ok := err.(*ParamError); ok { // errors.As would allocate at each call
		p.Param = name
	}
	return err
}

const (
	notLogProb = "not a log-probability"
	notFinite  = "not finite"
	badWeight  = "not finite, or negative"
	badLength  = "loss: slices of different lengths"
)

// logProbs returns an error for the first element of v that is NaN or +Inf.
func logProbs(field string, v []float64) error {
	if i := notLogProbAt(v); i >= 0 {
		return &InputError{field, i, v[i], notLogProb}
	}
	return nil
}

// finite returns an error for the first element of v that is NaN or infinite.
func finite(field string, v []float64) error {
	if i := notFiniteAt(v); i >= 0 {
		return &InputError{field, i, v[i], notFinite}
	}
	return nil
}

// notLogProbAt returns the index of the first element of v that is NaN or +Inf, or −1.
func notLogProbAt(v []float64) int {
	if _, _, ok := elem.Extent(v); ok {
		return -1
	}
	return slices.IndexFunc(v, func(x float64) bool { return !(x <= math.MaxFloat64) })
}

// notFiniteAt returns the index of the first element of v that is NaN or infinite, or −1.
func notFiniteAt(v []float64) int {
	if _, _, ok := elem.Extent(v); ok {
		return -1
	}
	return slices.IndexFunc(v, func(x float64) bool { return !isFinite(x) })
}

// badWeightAt returns the index of the first element of v that is negative or not finite, or −1.
func badWeightAt(v []float64) int {
	if least, _, ok := elem.Extent(v); ok && least >= 0 {
		return -1
	}
	return slices.IndexFunc(v, func(x float64) bool { return !(x >= 0 && isFinite(x)) })
}

// sized panics unless each slice is nil or has length n.
func sized[E any](n int, vs ...[]E) {
	for _, v := range vs {
		if v != nil && len(v) != n {
			panic(badLength)
		}
	}
}
