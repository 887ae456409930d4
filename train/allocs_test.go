package train_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/train"
)

// raceDetector says that sync.Pool forgets at random, to provoke races.
var raceDetector bool

// TestStepAllocations: a step allocates nothing, after the first.
func TestStepAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("a sync.Pool allocates under the race detector")
	}
	toy := newToy(3, 12)
	for name, terms := range map[string]func() []term{
		"DPO":        func() []term { return []term{toy.dpo()} },
		"supervised": func() []term { return []term{&sft{Policy: toy.LogLinear}} },
		"HyPO":       func() []term { return toy.budgeted(toy.LogLinear) },
		"RLHF": func() []term {
			return []term{&onlineRL{Policy: toy.LogLinear, Ref: toy.ref, Reward: zeroReward, K: 4, Beta: 0.1}}
		},
	} {
		allocs := func(steps int) float64 {
			return testing.AllocsPerRun(5, func() {
				l := toy.loop(terms()...)
				l.Micro, l.Steps, l.Progress = 3, steps, train.NewProgress(io.Discard, "", steps)
				run(t, l)
			})
		}
		assert.InDelta(t, allocs(10), allocs(200), 3, name) // a collection may empty a pool
	}
}
