package train

import (
	"fmt"
	"math"
)

// Schedule gives the factor on the learning rate at a step of a run. With a warm-up as long
// as the run the factor only rises. Those of this package are values without state, safe for
// concurrent use; a field outside its range makes the factor NaN, at which a [Loop] stops.
type Schedule interface {
	// Factor returns the factor of step = 0 … steps−1.
	Factor(step, steps int) float64
}

// Constant keeps the rate, after Warmup steps in which it rises linearly. The zero value
// is a constant rate.
type Constant struct{ Warmup int }

// Factor implements [Schedule].
func (s Constant) Factor(step, _ int) float64 { return warmup(step, s.Warmup) }

// Linear falls linearly to 0 at the end of the run (where there is no further step), after
// Warmup steps in which it rises linearly.
type Linear struct{ Warmup int }

// Factor implements [Schedule].
func (s Linear) Factor(step, steps int) float64 {
	return warmup(step, s.Warmup) * (1 - progress(step, s.Warmup, steps))
}

// Cosine falls along half a cosine from 1 to Floor at the end of the run, after Warmup
// steps in which it rises linearly.
type Cosine struct {
	Warmup int
	Floor  float64 // in [0, 1]
}

// Factor implements [Schedule].
func (s Cosine) Factor(step, steps int) float64 {
	if !(s.Floor >= 0 && s.Floor <= 1) {
		return math.NaN()
	}
	return warmup(step, s.Warmup) * (s.Floor + (1-s.Floor)*(1+math.Cos(math.Pi*progress(step, s.Warmup, steps)))/2)
}

// warmup rises from 1/n at step 0 to 1 at step n−1.
func warmup(step, n int) float64 {
	if n < 0 {
		return math.NaN()
	}
	if step < n {
		return float64(step+1) / float64(n)
	}
	return 1
}

// progress is the share of the steps after the warm-up that are done: 0 during it, and
// below 1 at the last step.
func progress(step, warmup, steps int) float64 {
	return float64(max(0, step-warmup)) / float64(max(1, steps-warmup))
}

// ParseSchedule returns the schedule called "constant", "linear" or "cosine", the latter
// with Floor 0. Another name or a negative warm-up is an error.
func ParseSchedule(name string, warmup int) (Schedule, error) {
	if warmup < 0 {
		return nil, fmt.Errorf("train: warm-up of %d steps, must not be negative", warmup)
	}
	switch name {
	case "constant":
		return Constant{warmup}, nil
	case "linear":
		return Linear{warmup}, nil
	case "cosine":
		return Cosine{Warmup: warmup}, nil
	}
	return nil, fmt.Errorf("train: schedule %q, must be constant, linear or cosine", name)
}
