package policytest

import (
	"bytes"
	"context"
	"math"
	"slices"
	"testing"

	"github.com/prefgrad/prefgrad/policy"
)

// UpdaterConfig says what to try on an optimizer.
type UpdaterConfig[X, Y any] struct {
	// New returns a policy and the optimizer of its parameters, each time in the
	// same state.
	New func() (policy.Trainable[X, Y], policy.Updater)

	// X and Y are items of finite log-probability whose gradient is not 0.
	X []X
	Y []Y

	LR   float64   // learning rate, small enough for a step to lead downhill. Default: 1e-3
	Tol  Tolerance // Batch: between the log-probabilities of runs that should agree
	Seed uint64    // of weights
}

// Updater checks an optimizer against the contract of policy.Updater.
func Updater[X, Y any](t testing.TB, c UpdaterConfig[X, Y]) {
	t.Helper()
	if len(c.X) == 0 || len(c.X) != len(c.Y) || c.New == nil {
		panic("policytest: no items, X and Y of different lengths, or New is nil")
	}
	setDefault(&c.LR, 1e-3)
	c.Tol = c.Tol.withDefaults()
	u := updating[X, Y]{c}
	run(t, []check{
		{"UpdateDownhill", u.downhill},
		{"UpdateZeroesGradient", u.zeroes},
		{"UpdateScale", u.scale},
		{"UpdateNormBeforeClipping", u.norm},
		{"UpdateClips", u.clips},
		{"UpdateNotFinite", u.notFinite},
		{"UpdateContext", u.context},
		{"UpdateSaveLoad", u.saveLoad},
		{"UpdateLoadDamaged", u.damaged},
	})
}

type updating[X, Y any] struct{ UpdaterConfig[X, Y] }

// trainee is a policy with its optimizer.
type trainee[X, Y any] struct {
	policy policy.Trainable[X, Y]
	policy.Updater
	pass policy.Pass[X, Y]
	c    UpdaterConfig[X, Y]
}

func (u updating[X, Y]) fresh() trainee[X, Y] {
	p, updater := u.New()
	return trainee[X, Y]{p, updater, p.NewPass(), u.UpdaterConfig}
}

func (r trainee[X, Y]) logProbs(t testing.TB) []float64 {
	t.Helper()
	dst := make([]float64, len(r.c.X))
	must(t, "LogProbs", r.policy.LogProbs(context.Background(), dst, r.c.X, r.c.Y))
	return dst
}

// pull adds the gradient with the given weights.
func (r trainee[X, Y]) pull(t testing.TB, w []float64) {
	t.Helper()
	forward(t, r.pass, r.c.X, r.c.Y)
	must(t, "Pullback", r.pass.Pullback(context.Background(), w))
}

func (r trainee[X, Y]) update(t testing.TB, scale, maxNorm float64) float64 {
	t.Helper()
	norm, err := r.Update(context.Background(), r.c.LR, scale, maxNorm)
	must(t, "Update", err)
	return norm
}

// down returns the weights of L = −Σ log π.
func (u updating[X, Y]) down() []float64 { return slices.Repeat([]float64{-1}, len(u.X)) }

// downhill checks that a small step lowers L.
func (u updating[X, Y]) downhill(t testing.TB) {
	r := u.fresh()
	before := r.logProbs(t)
	r.pull(t, u.down())
	if norm := r.update(t, 1, math.Inf(1)); !(norm > 0) {
		t.Fatalf("gradient norm %v: nothing to try", norm)
	}
	change := 0.0
	for i, l := range r.logProbs(t) {
		change += l - before[i]
	}
	if !(change > 0) {
		t.Errorf("a step on L = −Σ log π changed L by %v", -change)
	}
}

// zeroes checks that no gradient is left over.
func (u updating[X, Y]) zeroes(t testing.TB) {
	r := u.fresh()
	r.pull(t, u.down())
	r.update(t, 1, math.Inf(1))
	if norm := r.update(t, 1, math.Inf(1)); norm != 0 {
		t.Errorf("the second of two updates found a gradient of norm %v", norm)
	}
}

// scale checks that the gradient is multiplied: two pullbacks scaled by ½ are one.
func (u updating[X, Y]) scale(t testing.TB) {
	one, two := u.fresh(), u.fresh()
	one.pull(t, u.down())
	two.pull(t, u.down())
	two.pull(t, u.down())
	a, b := one.update(t, 1, math.Inf(1)), two.update(t, 0.5, math.Inf(1))
	expectNear(t, "norm of two pullbacks scaled by ½", []float64{b}, []float64{a}, u.Tol.Grad)
	expectNear(t, "log-probabilities after it", two.logProbs(t), one.logProbs(t), u.Tol.LogProb)
}

// norm checks that the norm returned is the one before clipping.
func (u updating[X, Y]) norm(t testing.TB) {
	free, clipped := u.fresh(), u.fresh()
	free.pull(t, u.down())
	clipped.pull(t, u.down())
	a := free.update(t, 1, math.Inf(1))
	b := clipped.update(t, 1, a/10)
	expectNear(t, "norm returned with clipping", []float64{b}, []float64{a}, u.Tol.Grad)
}

// clips checks that a gradient clipped to half its norm is half the gradient, and
// that a bound above the norm does nothing.
func (u updating[X, Y]) clips(t testing.TB) {
	probe := u.fresh()
	probe.pull(t, u.down())
	norm := probe.update(t, 1, math.Inf(1))
	step := func(scale, maxNorm float64) []float64 {
		t.Helper()
		r := u.fresh()
		r.pull(t, u.down())
		r.update(t, scale, maxNorm)
		r.pull(t, weights(u.Seed, len(u.X))) // optimizers that normalise show it in the second step
		r.update(t, 1, math.Inf(1))
		return r.logProbs(t)
	}
	free, half := step(1, math.Inf(1)), step(0.5, math.Inf(1))
	if slices.Equal(free, half) {
		t.Skip("the size of the gradient does not matter to this optimizer")
	}
	expectNear(t, "clipping to half the norm", step(1, norm/2), half, u.Tol.LogProb)
	expectNear(t, "clipping to twice the norm", step(1, 2*norm), free, u.Tol.Batch)
}

// notFinite checks that a gradient that is not finite leaves the parameters alone.
func (u updating[X, Y]) notFinite(t testing.TB) {
	for _, scale := range []float64{math.NaN(), math.Inf(1)} {
		r := u.fresh()
		before := r.logProbs(t)
		r.pull(t, u.down())
		if _, err := r.Update(context.Background(), u.LR, scale, 1); err == nil {
			t.Errorf("Update of a gradient times %v returned no error", scale)
		}
		expectNear(t, "log-probabilities after an update that failed", r.logProbs(t), before, 0)
	}
	r := u.fresh()
	before := r.logProbs(t)
	forward(t, r.pass, u.X, u.Y)
	if r.pass.Pullback(context.Background(), slices.Repeat([]float64{math.NaN()}, len(u.X))) != nil {
		return // refused earlier still
	}
	if _, err := r.Update(context.Background(), u.LR, 1, 1); err == nil {
		t.Errorf("Update of a gradient of NaN returned no error")
	}
	expectNear(t, "log-probabilities after an update with NaN", r.logProbs(t), before, 0)
}

func (u updating[X, Y]) context(t testing.TB) {
	r := u.fresh()
	before := r.logProbs(t)
	r.pull(t, u.down())
	_, err := r.Update(cancelled(), u.LR, 1, math.Inf(1))
	expectCancelled(t, "Update", err)
	expectNear(t, "log-probabilities after a cancelled update", r.logProbs(t), before, 0)
}

// steps trains a little, with different weights each time.
func (u updating[X, Y]) steps(t testing.TB, r trainee[X, Y], from, to int) {
	t.Helper()
	for s := from; s < to; s++ {
		r.pull(t, weights(u.Seed+uint64(s), len(u.X)))
		r.update(t, 1, 1)
	}
}

// saveLoad checks that a run that is saved and restored goes on as it would have.
func (u updating[X, Y]) saveLoad(t testing.TB) {
	r := u.fresh()
	u.steps(t, r, 0, 3)
	var b bytes.Buffer
	must(t, "Save", r.Save(&b))
	saved := r.logProbs(t)
	u.steps(t, r, 3, 6)

	other := u.fresh()
	u.steps(t, other, 10, 11)
	must(t, "Load", other.Load(bytes.NewReader(b.Bytes())))
	expectNear(t, "log-probabilities after Load", other.logProbs(t), saved, 0)
	u.steps(t, other, 3, 6)
	expectNear(t, "log-probabilities of the resumed run", other.logProbs(t), r.logProbs(t), u.Tol.Batch)
}

// damaged checks that a record cut short or changed is refused, and changes nothing.
func (u updating[X, Y]) damaged(t testing.TB) {
	r := u.fresh()
	u.steps(t, r, 0, 1)
	var b bytes.Buffer
	must(t, "Save", r.Save(&b))
	other := u.fresh()
	before := other.logProbs(t)
	flipped := bytes.Clone(b.Bytes())
	flipped[len(flipped)/2] ^= 0x10
	for what, data := range map[string][]byte{
		"an empty record": nil, "half a record": b.Bytes()[:b.Len()/2],
		"a record without its last byte": b.Bytes()[:b.Len()-1], "a record with a bit flipped": flipped,
	} {
		if other.Load(bytes.NewReader(data)) == nil {
			t.Errorf("Load of %s returned no error", what)
		}
		expectNear(t, "log-probabilities after Load of "+what, other.logProbs(t), before, 0)
	}
}
