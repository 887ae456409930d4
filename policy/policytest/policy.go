package policytest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/prefgrad/prefgrad/policy"
)

// Policy checks p against the contracts of policy.Policy and of those of
// policy.Enumerable, policy.Sampler and policy.Trainable that it implements. Run it
// with the race detector on: it uses p from several goroutines.
func Policy[X, Y any](t testing.TB, p policy.Policy[X, Y], c Config[X, Y]) {
	t.Helper()
	s := suite[X, Y]{p, c.withDefaults(p)}
	run(t, slices.Concat(s.scoring(), s.sampling(), s.training()))
}

// suite is a policy with the configuration of its checks.
type suite[X, Y any] struct {
	policy policy.Policy[X, Y]
	Config[X, Y]
}

func (s suite[X, Y]) scoring() []check {
	return []check{
		{"Normalized", s.normalized},
		{"Enumeration", s.enumeration},
		{"BatchOfOne", s.batchOfOne},
		{"Order", s.order},
		{"Lengths", s.lengths},
		{"Context", s.context},
		{"Bad", s.bad},
		{"Impossible", s.impossible},
		{"Concurrent", s.concurrent},
	}
}

// logProbs scores items into memory that held NaN.
func (s suite[X, Y]) logProbs(t testing.TB, xs []X, ys []Y) []float64 {
	t.Helper()
	dst := slices.Repeat([]float64{math.NaN()}, len(xs))
	must(t, "LogProbs", s.policy.LogProbs(context.Background(), dst, xs, ys))
	return dst
}

// normalized checks Σ_y π(y|x) = 1.
func (s suite[X, Y]) normalized(t testing.TB) {
	if s.All == nil {
		t.Skip("neither policy.Enumerable nor Config.All")
	}
	for i, x := range s.X {
		ys := s.All(x)
		logp := s.logProbs(t, slices.Repeat([]X{x}, len(ys)), ys)
		sum := 0.0
		for y, l := range logp {
			if !(l <= s.Tol.LogProb) {
				t.Errorf("prompt %d: log-probability %v of response %d", i, l, y)
			}
			sum += math.Exp(l)
		}
		if !near(sum, 1, s.Tol.LogProb) {
			t.Errorf("prompt %d: the %d responses have probability %v in all", i, len(ys), sum)
		}
	}
}

// enumeration checks that Distribution is LogProbs of all responses.
func (s suite[X, Y]) enumeration(t testing.TB) {
	e, ok := s.policy.(policy.Enumerable[X])
	if !ok {
		t.Skip("not a policy.Enumerable")
	}
	for i, x := range s.X {
		dst := slices.Repeat([]float64{math.NaN()}, e.Responses(x))
		must(t, "Distribution", e.Distribution(dst, x))
		ys := s.All(x)
		expectNear(t, fmt.Sprintf("Distribution of prompt %d against LogProbs", i),
			dst, s.logProbs(t, slices.Repeat([]X{x}, len(ys)), ys), s.Tol.LogProb)
	}
}

// batchOfOne checks that the other items of a batch change nothing.
func (s suite[X, Y]) batchOfOne(t testing.TB) {
	batch := s.logProbs(t, s.X, s.Y)
	if err := finite(batch); err != nil {
		t.Errorf("log-probabilities of Config.X and Y: %v", err)
	}
	var single []float64
	for i := range s.X {
		single = append(single, s.logProbs(t, s.X[i:i+1], s.Y[i:i+1])...)
	}
	expectNear(t, "LogProbs of the batch against one by one", batch, single, s.Tol.Batch)
	s.logProbs(t, nil, nil)
}

// order checks that a batch in another order has its results in that order.
func (s suite[X, Y]) order(t testing.TB) {
	expectNear(t, "LogProbs of the reversed batch",
		s.logProbs(t, reversed(s.X), reversed(s.Y)), reversed(s.logProbs(t, s.X, s.Y)), s.Tol.Batch)
}

func (s suite[X, Y]) lengths(t testing.TB) {
	n, ctx := len(s.X), context.Background()
	dst := make([]float64, n)
	expectPanic(t, "LogProbs with a short dst", func() { _ = s.policy.LogProbs(ctx, dst[1:], s.X, s.Y) })
	expectPanic(t, "LogProbs with few prompts", func() { _ = s.policy.LogProbs(ctx, dst, s.X[1:], s.Y) })
	expectPanic(t, "LogProbs with few responses", func() { _ = s.policy.LogProbs(ctx, dst, s.X, s.Y[1:]) })
}

func (s suite[X, Y]) context(t testing.TB) {
	expectCancelled(t, "LogProbs", s.policy.LogProbs(cancelled(), make([]float64, len(s.X)), s.X, s.Y))
}

// bad checks that each bad item has an error and NaN, and that the good ones around
// them are scored.
func (s suite[X, Y]) bad(t testing.TB) {
	if len(s.Bad) == 0 {
		t.Skip("no Config.Bad")
	}
	good := s.logProbs(t, s.X, s.Y)
	score := map[string]func(dst []float64, xs []X, ys []Y) error{
		"LogProbs": func(dst []float64, xs []X, ys []Y) error {
			return s.policy.LogProbs(context.Background(), dst, xs, ys)
		},
	}
	if p, ok := s.policy.(policy.Trainable[X, Y]); ok {
		score["Forward"] = func(dst []float64, xs []X, ys []Y) error {
			return p.NewPass().Forward(context.Background(), dst, xs, ys)
		}
	}
	var xs []X
	var ys []Y
	var want []float64
	wrong := map[int]bool{}
	for i, b := range s.Bad { // good, bad, good, bad, … good
		g := i % len(s.X)
		xs, ys = append(xs, s.X[g], b.X), append(ys, s.Y[g], b.Y)
		want = append(want, good[g], math.NaN())
		wrong[2*i+1] = true
	}
	xs, ys, want = append(xs, s.X[1]), append(ys, s.Y[1]), append(want, good[1])
	for name, f := range score {
		dst := make([]float64, len(xs))
		err := f(dst, xs, ys)
		for i, l := range dst {
			switch {
			case wrong[i] && !math.IsNaN(l):
				t.Errorf("%s: bad item %d is scored %v, want NaN", name, i, l)
			case !wrong[i] && !near(l, want[i], s.Tol.Batch):
				t.Errorf("%s: good item %d among bad ones is scored %v, want %v", name, i, l, want[i])
			}
		}
		got := map[int]bool{}
		failedItems(err, got)
		for i := range xs {
			if wrong[i] != got[i] {
				t.Errorf("%s: a policy.ItemError for item %d: %v, want %v (error: %v)", name, i, got[i], wrong[i], err)
			}
		}
	}
}

// failedItems collects the indices of all item errors in the tree of err.
func failedItems(err error, into map[int]bool) {
	if err == nil {
		return
	}
	if item, ok := err.(*policy.ItemError); ok {
		into[item.Index] = true
		return
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			failedItems(err, into)
		}
	default:
		failedItems(errors.Unwrap(err), into)
	}
}

// impossible checks that probability 0 is −Inf and no error.
func (s suite[X, Y]) impossible(t testing.TB) {
	if len(s.Impossible) == 0 {
		t.Skip("no Config.Impossible")
	}
	for i, item := range s.Impossible {
		if got := s.logProbs(t, []X{item.X}, []Y{item.Y})[0]; !math.IsInf(got, -1) {
			t.Errorf("impossible item %d has log-probability %v, want −Inf", i, got)
		}
	}
}

// concurrent checks that several goroutines get what one gets.
func (s suite[X, Y]) concurrent(t testing.TB) {
	want := s.logProbs(t, s.X, s.Y)
	var wait sync.WaitGroup
	for range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for range 4 {
				got := make([]float64, len(s.X))
				if err := s.policy.LogProbs(context.Background(), got, s.X, s.Y); err != nil {
					t.Errorf("LogProbs: %v", err)
				}
				expectNear(t, "LogProbs from several goroutines", got, want, s.Tol.Batch)
			}
		}()
	}
	wait.Wait()
}
