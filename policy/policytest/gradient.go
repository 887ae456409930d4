package policytest

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/prefgrad/prefgrad/policy"
)

func (s suite[X, Y]) training() []check {
	p, ok := s.policy.(policy.Trainable[X, Y])
	if !ok {
		return []check{{"Pullback", func(t testing.TB) { t.Skip("not a policy.Trainable") }}}
	}
	g := training[X, Y]{s, p}
	checks := []check{
		{"Forward", g.forward},
		{"PullbackMisuse", g.misuse},
		{"PullbackContext", g.context},
	}
	if s.Params == nil {
		return append(checks, check{"Pullback", func(t testing.TB) { t.Skip("neither policy.Host nor Config.Params") }})
	}
	return append(checks, []check{
		{"PullbackDifferences", g.differences},
		{"PullbackLinear", g.linear},
		{"PullbackAccumulates", g.accumulates},
		{"PullbackBatchOfOne", g.batchOfOne},
		{"PullbackOrder", g.order},
		{"PullbackZeroWeight", g.zeroWeight},
		{"PullbackScoreMean", g.scoreMean},
		{"PullbackConcurrent", g.concurrent},
	}...)
}

// training checks a policy with a score function.
type training[X, Y any] struct {
	suite[X, Y]
	trainable policy.Trainable[X, Y]
}

// weights returns n weights between −1 and 1.
func weights(seed uint64, n int) []float64 {
	g := rand.New(rand.NewPCG(seed, 0))
	w := make([]float64, n)
	for i := range w {
		w[i] = 2*g.Float64() - 1
	}
	return w
}

// forward runs a pass forward, into memory that held NaN.
func forward[X, Y any](t testing.TB, pass policy.Pass[X, Y], xs []X, ys []Y) []float64 {
	t.Helper()
	dst := slices.Repeat([]float64{math.NaN()}, len(xs))
	must(t, "Forward", pass.Forward(context.Background(), dst, xs, ys))
	return dst
}

// readGradient returns the gradient since it was last read.
func readGradient(t testing.TB, p Params) []float64 {
	t.Helper()
	g, err := p.Gradient()
	must(t, "Config.Params.Gradient", err)
	return g
}

// gradient returns Σ w_i ∇log π(ys[i]|xs[i]).
func (s training[X, Y]) gradient(t testing.TB, xs []X, ys []Y, w []float64) []float64 {
	t.Helper()
	pass := s.trainable.NewPass()
	forward(t, pass, xs, ys)
	readGradient(t, s.Params)
	must(t, "Pullback", pass.Pullback(context.Background(), w))
	return readGradient(t, s.Params)
}

// forward checks that a pass scores as the policy does, also when it is used again
// with a batch of another size.
func (s training[X, Y]) forward(t testing.TB) {
	want, pass := s.logProbs(t, s.X, s.Y), s.trainable.NewPass()
	expectNear(t, "Forward against LogProbs", forward(t, pass, s.X, s.Y), want, s.Tol.Batch)
	expectNear(t, "Forward of one item", forward(t, pass, s.X[:1], s.Y[:1]), want[:1], s.Tol.Batch)
	expectNear(t, "Forward of all again", forward(t, pass, s.X, s.Y), want, s.Tol.Batch)
}

func (s training[X, Y]) misuse(t testing.TB) {
	ctx, n := context.Background(), len(s.X)
	dst := make([]float64, n)
	fresh := s.trainable.NewPass()
	expectPanic(t, "Pullback without Forward", func() { _ = fresh.Pullback(ctx, dst) })
	expectPanic(t, "Forward with a short dst", func() { _ = fresh.Forward(ctx, dst[1:], s.X, s.Y) })
	expectPanic(t, "Forward with few responses", func() { _ = fresh.Forward(ctx, dst, s.X, s.Y[1:]) })
	used := s.trainable.NewPass()
	forward(t, used, s.X, s.Y)
	expectPanic(t, "Pullback with few weights", func() { _ = used.Pullback(ctx, dst[1:]) })
	for _, bad := range s.Bad {
		if used.Forward(ctx, dst[:1], []X{bad.X}, []Y{bad.Y}) != nil {
			expectPanic(t, "Pullback after a Forward that failed", func() { _ = used.Pullback(ctx, dst[:1]) })
		}
	}
}

func (s training[X, Y]) context(t testing.TB) {
	n, pass := len(s.X), s.trainable.NewPass()
	forward(t, pass, s.X, s.Y)
	expectCancelled(t, "Pullback", pass.Pullback(cancelled(), make([]float64, n)))
	if s.Params != nil {
		readGradient(t, s.Params) // whatever it is now
	}
	expectCancelled(t, "Forward", pass.Forward(cancelled(), make([]float64, n), s.X, s.Y))
	expectPanic(t, "Pullback after a cancelled Forward", func() { _ = pass.Pullback(context.Background(), make([]float64, n)) })
}

// differences compares the gradient with central differences of LogProbs.
func (s training[X, Y]) differences(t testing.TB) {
	w := weights(s.Seed, len(s.X))
	grad := s.gradient(t, s.X, s.Y, w)
	expectDifferences(t, s.Params, grad, s.Tol, s.Seed, func() float64 {
		sum := 0.0
		for i, l := range s.logProbs(t, s.X, s.Y) {
			sum += w[i] * l
		}
		return sum
	})
}

// expectDifferences compares a gradient with central differences of value, for
// parameters of large gradient and for others chosen at random.
func expectDifferences(t testing.TB, p Params, grad []float64, tol Tolerance, seed uint64, value func() float64) {
	t.Helper()
	if err := finite(grad); err != nil {
		t.Fatalf("gradient: %v", err)
	}
	order := rand.New(rand.NewPCG(seed, 1)).Perm(len(grad))
	if most := tol.MaxParams; len(order) > most {
		rest := order[most/2:]
		slices.SortStableFunc(rest, func(a, b int) int { return cmp.Compare(math.Abs(grad[b]), math.Abs(grad[a])) })
		order = order[:most]
	}
	shift := func(i int, h float64) float64 {
		t.Helper()
		must(t, "Config.Params.Shift", p.Shift(i, h))
		return value()
	}
	nonzero := false
	for _, i := range order {
		want := (shift(i, tol.Step) - shift(i, -tol.Step)) / (2 * tol.Step)
		must(t, "Config.Params.Shift", p.Shift(i, 0))
		if nonzero = nonzero || math.Abs(want) > tol.Grad; !near(grad[i], want, tol.Grad) {
			t.Errorf("gradient of parameter %d is %v, central differences say %v", i, grad[i], want)
			return
		}
	}
	if !nonzero {
		t.Errorf("no parameter changes the value: nothing was compared")
	}
}

// linear checks that the gradient of a sum of weights is the sum of gradients.
func (s training[X, Y]) linear(t testing.TB) {
	n := len(s.X)
	v, w := weights(s.Seed+1, n), weights(s.Seed+2, n)
	both := make([]float64, n)
	for i := range both {
		both[i] = 2*v[i] - 3*w[i]
	}
	gv, gw := s.gradient(t, s.X, s.Y, v), s.gradient(t, s.X, s.Y, w)
	for i := range gv {
		gv[i] = 2*gv[i] - 3*gw[i]
	}
	expectNear(t, "Pullback of 2v − 3w", s.gradient(t, s.X, s.Y, both), gv, s.Tol.Grad)
}

// accumulates checks that pullbacks add, and that passes do not mix.
func (s training[X, Y]) accumulates(t testing.TB) {
	ctx := context.Background()
	wa, wb := weights(s.Seed+3, len(s.X)), weights(s.Seed+4, 1)
	ga, gb := s.gradient(t, s.X, s.Y, wa), s.gradient(t, s.X[:1], s.Y[:1], wb)
	a, b := s.trainable.NewPass(), s.trainable.NewPass()
	forward(t, a, s.X, s.Y)
	forward(t, b, s.X[:1], s.Y[:1])
	must(t, "Pullback", a.Pullback(ctx, wa))
	must(t, "Pullback of another pass", b.Pullback(ctx, wb))
	must(t, "Pullback again", a.Pullback(ctx, wa))
	for i := range ga {
		ga[i] = 2*ga[i] + gb[i]
	}
	expectNear(t, "gradient of three pullbacks", readGradient(t, s.Params), ga, s.Tol.Grad)
}

// batchOfOne checks that the gradient of a batch is the sum over its items.
func (s training[X, Y]) batchOfOne(t testing.TB) {
	w := weights(s.Seed+5, len(s.X))
	batch := s.gradient(t, s.X, s.Y, w)
	sum := make([]float64, len(batch))
	for i := range s.X {
		for j, g := range s.gradient(t, s.X[i:i+1], s.Y[i:i+1], w[i:i+1]) {
			sum[j] += g
		}
	}
	expectNear(t, "gradient of the batch", batch, sum, s.Tol.Grad)
}

func (s training[X, Y]) order(t testing.TB) {
	w := weights(s.Seed+6, len(s.X))
	expectNear(t, "gradient of the reversed batch", s.gradient(t, reversed(s.X), reversed(s.Y), reversed(w)),
		s.gradient(t, s.X, s.Y, w), s.Tol.Grad)
}

// zeroWeight checks that items of weight 0, impossible ones too, contribute nothing.
func (s training[X, Y]) zeroWeight(t testing.TB) {
	w := weights(s.Seed+7, len(s.X))
	want := s.gradient(t, s.X, s.Y, w)
	xs, ys := slices.Clone(s.X), slices.Clone(s.Y)
	zero := s.Impossible
	if len(zero) == 0 {
		zero = []Item[X, Y]{{s.X[0], s.Y[0]}}
	}
	for _, item := range zero {
		xs, ys, w = append(xs, item.X), append(ys, item.Y), append(w, 0)
	}
	expectNear(t, "gradient with items of weight 0", s.gradient(t, xs, ys, w), want, s.Tol.Grad)
	for i, g := range s.gradient(t, xs, ys, make([]float64, len(xs))) {
		if g != 0 {
			t.Errorf("weights of 0 give parameter %d the gradient %v", i, g)
			return
		}
	}
}

// scoreMean checks E_{y~π}[∇log π(y|x)] = 0.
func (s training[X, Y]) scoreMean(t testing.TB) {
	if s.All == nil {
		t.Skip("neither policy.Enumerable nor Config.All")
	}
	for _, x := range s.X {
		ys := s.All(x)
		xs := slices.Repeat([]X{x}, len(ys))
		w := s.logProbs(t, xs, ys)
		for i, l := range w {
			w[i] = math.Exp(l)
		}
		g := s.gradient(t, xs, ys, w)
		expectNear(t, "mean of the score", g, make([]float64, len(g)), s.Tol.Grad)
	}
}

// concurrent checks that passes of one policy can run at the same time.
func (s training[X, Y]) concurrent(t testing.TB) {
	w := weights(s.Seed+8, len(s.X))
	want := s.gradient(t, s.X, s.Y, w)
	const workers = 4
	var wait sync.WaitGroup
	for range workers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			pass, dst := s.trainable.NewPass(), make([]float64, len(s.X))
			if err := pass.Forward(context.Background(), dst, s.X, s.Y); err != nil {
				t.Errorf("Forward: %v", err)
				return
			}
			if err := pass.Pullback(context.Background(), w); err != nil {
				t.Errorf("Pullback: %v", err)
			}
		}()
	}
	wait.Wait()
	for i := range want {
		want[i] *= workers
	}
	expectNear(t, "gradient of passes at the same time", readGradient(t, s.Params), want, s.Tol.Grad)
}
