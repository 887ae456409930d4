package policytest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/prefgrad/prefgrad/policy"
)

// Config says what to try on a policy and how exact it has to be.
type Config[X, Y any] struct {
	// X and Y are the items to score, (X[i], Y[i]), at least two and of finite
	// log-probability. The prompts in X are also drawn from.
	X []X
	Y []Y

	Impossible []Item[X, Y] // items of probability 0; none: not checked
	Bad        []Item[X, Y] // items that must give a policy.ItemError; none: not checked

	// All lists all responses to a prompt, where that is possible. It may be nil
	// for a policy.Enumerable, and otherwise normalisation and the mean of the
	// score are not checked.
	All func(x X) []Y

	// Equal compares two responses. Default: reflect.DeepEqual.
	Equal func(a, b Y) bool

	// Params reaches the parameters. Default: through policy.Host.
	Params Params

	// Transformed says that Sample draws from another distribution than π (a
	// temperature, say), so that Draws.LogProb and Draws.Model differ.
	Transformed bool

	Tol   Tolerance // how exact the policy has to be
	Draws int       // for each prompt, to compare frequencies. Default: 5000
	Seed  uint64    // of draws and weights
}

// Tolerance says how exact a backend has to be.
type Tolerance struct {
	LogProb   float64 // rounding of log-probabilities and their sums. Default: 1e-9
	Grad      float64 // rounding of gradients and of differences. Default: 1e-6
	Batch     float64 // between a batch and its items one by one. Default: 0, equal bits
	Step      float64 // of central differences. Default: 1e-5
	MaxParams int     // parameters to take differences of. Default: 64
}

// Float32 returns tolerances for a backend that computes in float32 with parameters
// and inputs of order 1.
func Float32() Tolerance {
	return Tolerance{LogProb: 1e-4, Grad: 1e-2, Batch: 1e-5, Step: 1e-2}
}

func (t Tolerance) withDefaults() Tolerance {
	setDefault(&t.LogProb, 1e-9)
	setDefault(&t.Grad, 1e-6)
	setDefault(&t.Step, 1e-5)
	setDefault(&t.MaxParams, 64)
	return t
}

// Item is a prompt and a response.
type Item[X, Y any] struct {
	X X
	Y Y
}

// Params reaches parameters and gradient wherever they are, for central differences.
type Params interface {
	// Gradient returns a copy of the gradient accumulated since the last call, and
	// zeroes it.
	Gradient() ([]float64, error)
	// Shift sets parameter i to h more than it was before any Shift. Shift(i, 0)
	// restores it to the bit.
	Shift(i int, h float64) error
}

// withDefaults returns c with the defaults for the policy p filled in.
func (c Config[X, Y]) withDefaults(p any) Config[X, Y] {
	if len(c.X) < 2 || len(c.X) != len(c.Y) {
		panic("policytest: fewer than two items, or X and Y of different lengths")
	}
	c.Tol = c.Tol.withDefaults()
	setDefault(&c.Draws, 5000)
	if c.Equal == nil {
		c.Equal = func(a, b Y) bool { return reflect.DeepEqual(a, b) }
	}
	c.Params = orHost(c.Params, p)
	if e, ok := p.(policy.Enumerable[X]); ok && c.All == nil {
		c.All = func(x X) []Y {
			ys := make([]int, e.Responses(x))
			for y := range ys {
				ys[y] = y
			}
			return any(ys).([]Y) // an Enumerable is a Policy[X, int]
		}
	}
	return c
}

func setDefault[T comparable](field *T, v T) {
	var zero T
	if *field == zero {
		*field = v
	}
}

// orHost returns params, or the parameters of p if it is a host and params is nil.
func orHost(params Params, p any) Params {
	if h, ok := p.(policy.Host); ok && params == nil {
		return HostParams(h)
	}
	return params
}

// HostParams reaches the parameters of h, as they are now: for a policy that is not
// a policy.Host itself but has its parameters in one.
func HostParams(h policy.Host) Params {
	return &hostParams{host: h, start: slices.Clone(h.Params())}
}

// hostParams is Params for parameters in a Go slice.
type hostParams struct {
	host  policy.Host
	start []float64
}

func (p *hostParams) Gradient() ([]float64, error) {
	g := slices.Clone(p.host.Grad())
	clear(p.host.Grad())
	return g, nil
}

func (p *hostParams) Shift(i int, h float64) error {
	p.host.Params()[i] = p.start[i]
	if h != 0 { // −0 + 0 is another number
		p.host.Params()[i] += h
	}
	return nil
}

// check is one contract: the name of its subtest and what tries it.
type check struct {
	name string
	try  func(t testing.TB)
}

// runner is a test that can run subtests; *testing.T has its own signature.
type runner interface {
	Run(name string, f func(t testing.TB)) bool
}

// run runs the checks as subtests of t, or in a row where t has none.
func run(t testing.TB, checks []check) {
	t.Helper()
	for _, c := range checks {
		switch t := t.(type) {
		case *testing.T:
			t.Run(c.name, func(t *testing.T) { c.try(t) })
		case runner:
			t.Run(c.name, c.try)
		default:
			c.try(t)
		}
	}
}

// near reports whether a and b agree: equal, including infinities, or within
// tol·max(1, |a|, |b|).
func near(a, b, tol float64) bool {
	return a == b || math.Abs(a-b) <= tol*max(1, math.Abs(a), math.Abs(b)) && !math.IsInf(a-b, 0)
}

// expectNear fails t for the first element in which got and want disagree.
func expectNear(t testing.TB, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if !near(got[i], want[i], tol) {
			t.Errorf("%s: element %d is %v, want %v within %g", what, i, got[i], want[i], tol)
			return
		}
	}
}

// expectPanic fails t if f returns.
func expectPanic(t testing.TB, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}

// must stops the check if err is not nil.
func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// cancelled returns a context that is over already.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// expectCancelled fails t unless err is the error of a cancelled context.
func expectCancelled(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%s with a cancelled context returned %v, want %v", what, err, context.Canceled)
	}
}

// reversed returns the elements of s in reverse order.
func reversed[T any](s []T) []T {
	r := slices.Clone(s)
	slices.Reverse(r)
	return r
}

// finite returns an error that names the first element that is NaN or infinite.
func finite(x []float64) error {
	for i, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("element %d is %v", i, v)
		}
	}
	return nil
}
