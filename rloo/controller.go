package rloo

import (
	"fmt"
	"math"
)

// Controller adapts the coefficient of a penalty or bonus from what is measured after each
// step: the KL of a KL penalty, the entropy of an entropy bonus. All state is in exported
// fields, so a checkpoint is the value itself. It is not safe for concurrent use.
type Controller interface {
	// Coefficient returns the current coefficient, finite and not negative.
	Coefficient() float64
	// Update takes in one step's measurement. After an error the coefficient is as it was.
	Update(measured float64) error
}

var (
	_ Controller = Fixed(0)
	_ Controller = (*Adaptive)(nil)
	_ Controller = (*Dual)(nil)
)

// Fixed is a coefficient that does not change.
type Fixed float64

// Coefficient implements [Controller].
func (f Fixed) Coefficient() float64 { return float64(f) }

// Update implements [Controller]: it checks that the coefficient is finite and not negative
// and that something was measured.
func (f Fixed) Update(measured float64) error {
	if !(f >= 0) || !isFinite(float64(f)) {
		return fmt.Errorf("rloo: Fixed = %v, must be finite and not negative", float64(f))
	}
	return checkMeasured("Fixed", measured)
}

// Adaptive moves a coefficient by a factor, towards the value at which what is measured
// equals Target:
//
//	log Coef ← log Coef ± Rate·clip(measured/Target − 1, −Clip, Clip)
//
// with + for a KL, which a greater penalty lowers, and − if Floor is set, for an entropy,
// which a greater bonus raises. It is the controller of Ziegler et al. 2019
// (arXiv:1909.08593, section 2.2) with e^x in the place of 1 + x: they agree to first order,
// but 1 + x turns the coefficient negative at a Rate above 1/Clip. A coefficient that starts
// at 0 could never move and is an error.
type Adaptive struct {
	Target float64 // nats, positive
	Rate   float64 // positive; samples of a step over Ziegler's horizon
	Clip   float64 // bound of the relative error, positive, +Inf for none; 0 means 0.2
	Floor  bool    // measured is to stay above Target: the coefficient falls while it does

	Coef    float64 // the current coefficient, positive
	Clipped int     // number of updates in which Clip acted
}

// Check returns an error that names a field outside its range.
func (a *Adaptive) Check() error {
	for _, f := range []struct {
		name  string
		value float64
	}{{"Target", a.Target}, {"Rate", a.Rate}, {"Coef", a.Coef}} {
		if !(f.value > 0) || !isFinite(f.value) {
			return fmt.Errorf("rloo: Adaptive.%s = %v, must be positive and finite", f.name, f.value)
		}
	}
	if !(a.Clip >= 0) {
		return fmt.Errorf("rloo: Adaptive.Clip = %v, must be positive, or 0 for 0.2", a.Clip)
	}
	return nil
}

// Coefficient implements [Controller].
func (a *Adaptive) Coefficient() float64 { return a.Coef }

// Update implements [Controller]. A coefficient that would leave the positive float64s is an
// error.
func (a *Adaptive) Update(measured float64) error {
	if err := a.Check(); err != nil {
		return err
	}
	if err := checkMeasured("Adaptive", measured); err != nil {
		return err
	}
	clip := a.Clip
	if clip == 0 {
		clip = 0.2
	}
	relative := measured/a.Target - 1
	bounded := min(max(relative, -clip), clip)
	step := a.Rate * bounded
	if a.Floor {
		step = -step
	}
	next := a.Coef * math.Exp(step)
	if !(next > 0) || !isFinite(next) {
		return fmt.Errorf("rloo: Adaptive.Update: measured = %v makes Coef %v", measured, next)
	}
	a.Coef = next
	if bounded != relative {
		a.Clipped++
	}
	return nil
}

// Coefficient implements [Controller]: it returns Lambda.
func (d *Dual) Coefficient() float64 { return d.Lambda }

func checkMeasured(what string, v float64) error {
	if !isFinite(v) {
		return fmt.Errorf("rloo: %s.Update: measured = %v, must be finite", what, v)
	}
	return nil
}
