package policytest_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/policytest"
)

type (
	config = policytest.Config[int, int]
	item   = policytest.Item[int, int]
	draws  = policy.Draws[int]
)

// table returns a small policy: three prompts, four responses, one of them impossible.
func table() *policy.Tabular {
	p := policy.NewTabular(3, 4, []float64{0, 0, 0, math.Inf(-1), 0, 0, 0, 0, 0, 0, 0, 0})
	g := rand.New(rand.NewPCG(5, 6))
	for i := range p.Params() {
		p.Params()[i] = g.NormFloat64()
	}
	return p
}

func tableConfig() config {
	return config{
		X: []int{0, 0, 1, 2, 2}, Y: []int{0, 2, 3, 1, 1},
		Impossible: []item{{0, 3}},
		Bad:        []item{{0, 4}, {0, -1}, {3, 0}, {-1, 0}},
		Equal:      func(a, b int) bool { return a == b },
		Draws:      2000,
		Seed:       11,
	}
}

func TestPolicy(t *testing.T) {
	policytest.Policy(t, table(), tableConfig())
}

// A suite that skips everything finds nothing.
func TestNothingIsSkipped(t *testing.T) {
	r := newRecorder()
	policytest.Policy(r, table(), tableConfig())
	if len(r.failed)+len(r.skipped) > 0 || len(r.passed) < 24 {
		t.Errorf("failed %v, skipped %v, passed %v", r.failed, r.skipped, r.passed)
	}
}

// A backend in float32 passes with tolerances for float32 and fails without.
func TestFloat32(t *testing.T) {
	rounded := func() *defect {
		return &defect{Tabular: table(), logProbs: func(right scoreFunc, ctx context.Context, dst []float64, xs, ys []int) error {
			err := right(ctx, dst, xs, ys)
			for i, l := range dst {
				dst[i] = float64(float32(l))
			}
			return err
		}}
	}
	c := tableConfig()
	c.Tol = policytest.Float32()
	policytest.Policy[int, int](t, rounded(), c)

	r := newRecorder()
	policytest.Policy[int, int](r, rounded(), tableConfig())
	assert.Contains(t, r.failures(), "PullbackDifferences")
}

// What a policy does not implement is skipped, not failed and not passed.
func TestWhatIsMissingIsSkipped(t *testing.T) {
	r := newRecorder()
	policytest.Policy[int, int](r, struct{ policy.Policy[int, int] }{table()}, config{X: []int{0, 1}, Y: []int{0, 1}})
	assert.Empty(t, r.failed)
	for _, name := range []string{"Normalized", "Enumeration", "Bad", "Impossible", "Sample", "Pullback"} {
		assert.True(t, r.skipped[name], name)
	}

	r = newRecorder()
	policytest.Policy[int, int](r, struct{ policy.Trainable[int, int] }{table()}, config{X: []int{0, 1}, Y: []int{0, 1}})
	assert.Empty(t, r.failed)
	assert.True(t, r.skipped["Pullback"] && r.passed["Forward"] && r.passed["PullbackMisuse"])
}
