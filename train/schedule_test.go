package train_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/train"
)

func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		name  string
		s     train.Schedule
		steps int
		want  []float64 // of the steps, rounded
	}{
		{"zero value", train.Constant{}, 3, []float64{1, 1, 1}},
		{"constant", train.Constant{Warmup: 4}, 6, []float64{0.25, 0.5, 0.75, 1, 1, 1}},
		{"linear", train.Linear{}, 4, []float64{1, 0.75, 0.5, 0.25}},
		{"linear, warm-up", train.Linear{Warmup: 2}, 6, []float64{0.5, 1, 1, 0.75, 0.5, 0.25}},
		{"cosine", train.Cosine{}, 4, []float64{1, 0.85355339, 0.5, 0.14644661}},
		{"cosine, warm-up and floor", train.Cosine{Warmup: 2, Floor: 0.1}, 5, []float64{0.5, 1, 1, 0.775, 0.325}},
		{"cosine, floor 1", train.Cosine{Floor: 1}, 3, []float64{1, 1, 1}},
		{"warm-up of one step", train.Linear{Warmup: 1}, 3, []float64{1, 1, 0.5}},
		{"warm-up as long as the run", train.Linear{Warmup: 3}, 3, []float64{1. / 3, 2. / 3, 1}},
		{"warm-up longer than the run", train.Cosine{Warmup: 10}, 3, []float64{0.1, 0.2, 0.3}},
		{"one step", train.Linear{}, 1, []float64{1}},
		{"negative warm-up", train.Linear{Warmup: -1}, 1, []float64{math.NaN()}},
		{"negative floor", train.Cosine{Floor: -0.1}, 1, []float64{math.NaN()}},
		{"floor above 1", train.Cosine{Floor: 1.1}, 1, []float64{math.NaN()}},
	} {
		for step, want := range c.want {
			assert.InDelta(t, want, c.s.Factor(step, c.steps), 1e-8, "%s, step %d", c.name, step)
		}
	}
}

// TestSchedulesEnd: after the warm-up a schedule never rises, and its last step is the one
// before it would be at its end.
func TestSchedulesEnd(t *testing.T) {
	const steps, warmup = 1000, 100
	for _, s := range []train.Schedule{train.Constant{Warmup: warmup}, train.Linear{Warmup: warmup}, train.Cosine{Warmup: warmup, Floor: 0.2}} {
		t.Run(fmt.Sprintf("%T", s), func(t *testing.T) {
			for step := 1; step < steps; step++ {
				if a, b := s.Factor(step-1, steps), s.Factor(step, steps); step < warmup {
					require.Greater(t, b, a)
				} else {
					require.LessOrEqual(t, b, a)
				}
			}
			assert.Equal(t, 1.0, s.Factor(warmup, steps))
		})
	}
	assert.InDelta(t, 1./900, train.Linear{Warmup: warmup}.Factor(steps-1, steps), 1e-15)
	assert.InDelta(t, 0.2, train.Cosine{Warmup: warmup, Floor: 0.2}.Factor(steps-1, steps), 1e-5)
}

func TestParseSchedule(t *testing.T) {
	for name, want := range map[string]train.Schedule{
		"constant": train.Constant{Warmup: 5}, "linear": train.Linear{Warmup: 5}, "cosine": train.Cosine{Warmup: 5},
	} {
		s, err := train.ParseSchedule(name, 5)
		require.NoError(t, err)
		assert.Equal(t, want, s)
	}
	_, err := train.ParseSchedule("Linear", 0)
	assert.EqualError(t, err, `train: schedule "Linear", must be constant, linear or cosine`)
	_, err = train.ParseSchedule("linear", -1)
	assert.EqualError(t, err, "train: warm-up of -1 steps, must not be negative")
}

// TestLoopFollowsSchedule compares the learning rates of updates with the schedule, and stops
// at a factor that is none.
func TestLoopFollowsSchedule(t *testing.T) {
	toy := newToy(3, 12)
	l := toy.loop()
	l.Schedule, l.Steps = train.Linear{Warmup: 2}, 4
	var rates []float64
	l.Updater = watchedUpdater{Updater: l.Updater, update: func(lr float64) { rates = append(rates, lr) }}
	run(t, l)
	assert.InDeltaSlice(t, []float64{0.025, 0.05, 0.05, 0.025}, rates, 1e-15)

	l = newToy(3, 12).loop()
	l.Schedule = train.Cosine{Floor: 2}
	_, err := l.Run(ctx)
	assert.EqualError(t, err, "train: step 1: factor NaN of train.Cosine{Warmup:0, Floor:2}, must be finite and not negative")
}
