package policytest_test

import (
	"math"
	"math/rand/v2"
	"testing"

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
