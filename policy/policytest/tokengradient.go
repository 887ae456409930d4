package policytest

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/prefgrad/prefgrad/policy"
)

// gradient returns Σ_t w[t]·∇f[t] for the fields that are not nil in w. It returns
// false if the policy cannot.
func (s tokens) gradient(t testing.TB, b policy.Tokens, w policy.TokenStats) ([]float64, bool) {
	t.Helper()
	pass := s.policy.NewTokenPass()
	var dst policy.TokenStats
	for _, f := range fields {
		if *f.of(&w) != nil {
			*f.of(&dst) = nans(len(b.IDs))
		}
	}
	err := pass.Forward(context.Background(), dst, b)
	if err == nil {
		readGradient(t, s.Params)
		err = pass.Pullback(context.Background(), w)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, false
	}
	must(t, "Forward and Pullback", err)
	return readGradient(t, s.Params), true
}

// weigh returns weights for the positions of b: random where a token counts,
// elsewhere as given.
func (s tokens) weigh(b policy.Tokens, seed uint64, elsewhere float64) []float64 {
	w := weights(s.Seed+seed, len(b.IDs))
	for p, c := range counted(b) {
		if !c {
			w[p] = elsewhere
		}
	}
	return w
}

func (s tokens) needParams(t testing.TB) {
	t.Helper()
	if s.Params == nil {
		t.Skip("neither policy.Host nor TokenConfig.Params")
	}
}

// only returns the statistics with w for f and nothing else.
func only(f field, w []float64) policy.TokenStats {
	var s policy.TokenStats
	*f.of(&s) = w
	return s
}

// differences compares the gradient of a field with central differences.
func (s tokens) differences(t testing.TB, f field) {
	s.needParams(t)
	for _, b := range []policy.Tokens{s.batch(false), s.batch(true)} {
		w := s.weigh(b, 1, 0)
		grad, ok := s.gradient(t, b, only(f, w))
		if !ok {
			t.Skip("unsupported")
		}
		expectDifferences(t, s.Params, grad, s.Tol, s.Seed, func() float64 {
			values, _ := s.values(t, f, b)
			sum := 0.0
			for p, v := range values {
				sum += w[p] * v
			}
			return sum
		})
	}
}

// unread checks that weights where no token counts are never read.
func (s tokens) unread(t testing.TB) {
	s.needParams(t)
	b := s.batch(true)
	for _, f := range fields {
		want, ok := s.gradient(t, b, only(f, s.weigh(b, 2, 0)))
		if !ok {
			continue
		}
		got, _ := s.gradient(t, b, only(f, s.weigh(b, 2, math.NaN())))
		expectNear(t, "gradient of "+f.name+" with NaN weights at prompts and masked tokens", got, want, s.Tol.Batch)
	}
}

// adds checks that fields and pullbacks add up.
func (s tokens) adds(t testing.TB) {
	s.needParams(t)
	b := s.batch(true)
	var all policy.TokenStats
	var sum []float64
	for i, f := range fields {
		w := s.weigh(b, uint64(3+i), 0)
		g, ok := s.gradient(t, b, only(f, w))
		if !ok {
			continue
		}
		*f.of(&all) = w
		if sum == nil {
			sum = make([]float64, len(g))
		}
		for j, v := range g {
			sum[j] += v
		}
	}
	got, ok := s.gradient(t, b, all)
	if !ok {
		t.Fatalf("fields that are supported one by one are not together")
	}
	expectNear(t, "gradient of all fields together", got, sum, s.Tol.Grad)

	pass := s.policy.NewTokenPass()
	lp := fields[0]
	w := s.weigh(b, 9, 0)
	one, _ := s.gradient(t, b, only(lp, w))
	s.forward(t, pass, lp, b)
	for range 2 {
		must(t, "Pullback", pass.Pullback(context.Background(), only(lp, w)))
	}
	for j := range one {
		one[j] *= 2
	}
	expectNear(t, "gradient of two pullbacks", readGradient(t, s.Params), one, s.Tol.Grad)
}

// sequences runs the suite for policies on whole replies.
func (s tokens) sequences(t testing.TB) {
	c := Config[[]int32, []int32]{
		X: s.Prompts, Y: s.Replies, Equal: slices.Equal[[]int32],
		Params: s.Params, Tol: s.Tol, Seed: s.Seed,
	}
	for _, reply := range s.badReplies() {
		c.Bad = append(c.Bad, Item[[]int32, []int32]{s.Prompts[0], reply})
	}
	Policy(t, struct {
		policy.Trainable[[]int32, []int32]
	}{policy.Sequences{Model: s.policy}}, c) // no Sample
}
