package train

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/rloo"
)

// klControl lets a controller move the coefficient of a KL by what the replies of a step show.
type klControl struct {
	measured coverage.KLEstimator // of the step so far
	any      bool
}

func (c *klControl) measure(kl coverage.KLEstimator) {
	c.measured.Merge(kl)
	c.any = true
}

// endStep moves the coefficient, if the step has drawn anything.
func (c *klControl) endStep(a rloo.Controller) error {
	kl, drawn := c.measured.Result().Value, c.any
	*c = klControl{}
	if a == nil || !drawn {
		return nil
	}
	return a.Update(kl)
}

// coefficient returns β: that of the controller, if there is one.
func coefficient(beta float64, a rloo.Controller) float64 {
	if a == nil {
		return beta
	}
	return a.Coefficient()
}

// checkControl returns an error for a controller whose state cannot be kept, or that has a rival.
func checkControl(term string, a rloo.Controller, beta float64) error {
	switch {
	case a == nil:
		return nil
	case beta != 0:
		return fmt.Errorf("train: %s has Beta and Control: which one?", term)
	}
	if _, err := controlState(a); err != nil {
		return fmt.Errorf("train: %s.Control: %w", term, err)
	}
	return nil
}

// controlState returns what a controller changes, to the bit.
func controlState(a rloo.Controller) ([]byte, error) {
	switch a := a.(type) {
	case nil, rloo.Fixed:
		return nil, nil
	case *rloo.Dual:
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(a.Lambda)), nil
	case *rloo.Adaptive:
		b := binary.LittleEndian.AppendUint64(nil, math.Float64bits(a.Coef))
		return binary.LittleEndian.AppendUint64(b, uint64(a.Clipped)), nil
	case encoding.BinaryMarshaler:
		if _, ok := a.(encoding.BinaryUnmarshaler); ok {
			return a.MarshalBinary()
		}
	}
	return nil, fmt.Errorf("%T has no state for a checkpoint: it is neither of package rloo nor a BinaryMarshaler and BinaryUnmarshaler", a)
}

// restoreControl takes what controlState returned; after an error the controller is as it was.
func restoreControl(a rloo.Controller, state []byte) error {
	number := func(i int) uint64 { return binary.LittleEndian.Uint64(state[8*i:]) }
	wrong := fmt.Errorf("train: state of %T has %d bytes", a, len(state))
	switch a := a.(type) {
	case nil, rloo.Fixed:
		if len(state) != 0 {
			return wrong
		}
		return nil
	case *rloo.Dual:
		if len(state) != 8 {
			return wrong
		}
		next := *a
		next.Lambda = math.Float64frombits(number(0))
		if err := next.Check(); err != nil {
			return err
		}
		*a = next
		return nil
	case *rloo.Adaptive:
		if len(state) != 16 {
			return wrong
		}
		next := *a
		next.Coef, next.Clipped = math.Float64frombits(number(0)), int(number(1))
		if err := next.Check(); err != nil {
			return err
		}
		*a = next
		return nil
	case encoding.BinaryUnmarshaler:
		return a.UnmarshalBinary(state)
	}
	return errors.New("train: a controller without a state")
}
