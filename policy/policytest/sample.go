package policytest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/prefgrad/prefgrad/policy"
)

// few is a number of draws for checks that compare them one by one.
const few = 5

func (s suite[X, Y]) sampling() []check {
	p, ok := s.policy.(policy.Sampler[X, Y])
	if !ok {
		return []check{{"Sample", func(t testing.TB) { t.Skip("not a policy.Sampler") }}}
	}
	d := sampling[X, Y]{s, p}
	return []check{
		{"SampleFrequencies", d.frequencies},
		{"SampleIndependent", d.independent},
		{"SampleLogProbs", d.logProbs},
		{"SampleBatchOfOne", d.batchOfOne},
		{"SampleKeys", d.keys},
		{"SampleLengths", d.lengths},
		{"SampleContext", d.context},
		{"SampleConcurrent", d.concurrent},
	}
}

// sampling checks a policy that draws.
type sampling[X, Y any] struct {
	suite[X, Y]
	sampler policy.Sampler[X, Y]
}

// ids returns different ids for n prompts.
func promptIDs(n int) []uint64 {
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = uint64(1000 + 7*i)
	}
	return ids
}

// draw makes k draws for each prompt, into memory that held NaN.
func (s sampling[X, Y]) draw(t testing.TB, xs []X, ids []uint64, k int, key policy.Key) policy.Draws[Y] {
	t.Helper()
	n := len(xs) * k
	d := policy.Draws[Y]{
		Y:       make([]Y, n),
		LogProb: slices.Repeat([]float64{math.NaN()}, n),
		Model:   slices.Repeat([]float64{math.NaN()}, n),
	}
	must(t, "Sample", s.sampler.Sample(context.Background(), d, xs, ids, k, key))
	return d
}

// key names the draws of the suite.
func (s sampling[X, Y]) key() policy.Key { return policy.Key{Seed: s.Seed, Step: 3} }

// category is a response with its number of draws.
type category[Y any] struct {
	y       Y
	logProb float64
	hits    int
}

// find returns the index of y, or −1.
func (s sampling[X, Y]) find(in []category[Y], y Y) int {
	return slices.IndexFunc(in, func(c category[Y]) bool { return s.Equal(c.y, y) })
}

// common returns the most frequent responses among draws, at most 20.
func (s sampling[X, Y]) common(ys []Y, logProb []float64) []category[Y] {
	var seen []category[Y]
	for d, y := range ys {
		i := s.find(seen, y)
		if i < 0 && len(seen) < 1000 { // what comes later than that is not common
			i, seen = len(seen), append(seen, category[Y]{y: y, logProb: logProb[d]})
		}
		if i >= 0 {
			seen[i].hits++
		}
	}
	slices.SortStableFunc(seen, func(a, b category[Y]) int { return b.hits - a.hits })
	return seen[:min(len(seen), 20)]
}

// frequencies compares how often responses are drawn with the probabilities that
// the sampler reports. One half of the draws chooses the responses to look at, the
// other is counted.
func (s sampling[X, Y]) frequencies(t testing.TB) {
	half, ids := max(1, s.Draws/2), promptIDs(len(s.X))
	for i := range s.X {
		d := s.draw(t, s.X[i:i+1], ids[i:i+1], 2*half, s.key())
		look := s.common(d.Y[:half], d.LogProb[:half])
		rest, restProb := half, 1.0
		for l := range look {
			look[l].hits = 0
		}
		for _, y := range d.Y[half:] {
			if l := s.find(look, y); l >= 0 {
				look[l].hits++
			}
		}
		allowed := falseAlarm / float64(len(s.X)*(len(look)+1))
		for _, l := range look {
			q := math.Exp(l.logProb)
			rest, restProb = rest-l.hits, restProb-q
			if !(frequencyBound(l.hits, half, q) >= allowed) {
				t.Errorf("prompt %d: response %v drawn %d times of %d, its reported probability is %.4g", i, l.y, l.hits, half, q)
			}
		}
		if restProb < -s.Tol.LogProb {
			t.Errorf("prompt %d: reported probabilities of %d responses add up to %v", i, len(look), 1-restProb)
		} else if restProb = max(restProb, s.Tol.LogProb); !(frequencyBound(rest, half, restProb) >= allowed) {
			t.Errorf("prompt %d: other responses drawn %d times of %d, their probability is %.4g", i, rest, half, restProb)
		}
	}
}

// independent checks on pairs of neighbouring draws that one says nothing about the
// next.
func (s sampling[X, Y]) independent(t testing.TB) {
	ids := promptIDs(len(s.X))
	for i := range s.X {
		d := s.draw(t, s.X[i:i+1], ids[i:i+1], 2*max(1, s.Draws/2), s.key())
		half := len(d.Y) / 2
		top := s.common(d.Y[:half], d.LogProb[:half])[0]
		pairs, both := 0, 0
		for j := half; j+1 < len(d.Y); j += 2 {
			pairs++
			if s.Equal(d.Y[j], top.y) && s.Equal(d.Y[j+1], top.y) {
				both++
			}
		}
		q := math.Exp(2 * top.logProb)
		if pairs > 0 && !(frequencyBound(both, pairs, q) >= falseAlarm/float64(len(s.X))) {
			t.Errorf("prompt %d: response %v drawn twice in a row %d times of %d, want a share of %.4g", i, top.y, both, pairs, q)
		}
	}
}

// logProbs compares the reported log-probabilities with LogProbs.
func (s sampling[X, Y]) logProbs(t testing.TB) {
	const k = 20
	d := s.draw(t, s.X, promptIDs(len(s.X)), k, s.key())
	var xs []X
	for _, x := range s.X {
		xs = append(xs, slices.Repeat([]X{x}, k)...)
	}
	want := s.suite.logProbs(t, xs, d.Y)
	expectNear(t, "Draws.Model against LogProbs", d.Model, want, s.Tol.LogProb)
	if !s.Transformed {
		expectNear(t, "Draws.LogProb against LogProbs", d.LogProb, want, s.Tol.LogProb)
	}
	only := policy.Draws[Y]{Y: make([]Y, len(d.Y))}
	must(t, "Sample without log-probabilities", s.sampler.Sample(context.Background(), only, s.X, promptIDs(len(s.X)), k, s.key()))
	s.expectSame(t, "draws without log-probabilities", only.Y, d.Y)
}

// expectSame fails t unless the draws are the same responses.
func (s sampling[X, Y]) expectSame(t testing.TB, what string, got, want []Y) {
	t.Helper()
	for i := range want {
		if !s.Equal(got[i], want[i]) {
			t.Errorf("%s: draw %d is %v, want %v", what, i, got[i], want[i])
			return
		}
	}
}

// batchOfOne checks that a draw depends on its id and index alone: not on the
// batch, its order, the number of draws, or the call.
func (s sampling[X, Y]) batchOfOne(t testing.TB) {
	ids := promptIDs(len(s.X))
	batch := s.draw(t, s.X, ids, few, s.key())
	same := func(what string, got policy.Draws[Y], prompt, k int) {
		t.Helper()
		lo := prompt * few
		s.expectSame(t, what, got.Y, batch.Y[lo:lo+k])
		expectNear(t, what+", LogProb", got.LogProb, batch.LogProb[lo:lo+k], s.Tol.Batch)
		expectNear(t, what+", Model", got.Model, batch.Model[lo:lo+k], s.Tol.Batch)
	}
	back := s.draw(t, reversed(s.X), reversed(ids), few, s.key())
	for i := range s.X {
		same(fmt.Sprintf("prompt %d alone", i), s.draw(t, s.X[i:i+1], ids[i:i+1], few, s.key()), i, few)
		same(fmt.Sprintf("fewer draws of prompt %d", i), s.draw(t, s.X[i:i+1], ids[i:i+1], 2, s.key()), i, 2)
		lo := (len(s.X) - 1 - i) * few
		same(fmt.Sprintf("prompt %d in the reversed batch", i), policy.Draws[Y]{
			Y: back.Y[lo : lo+few], LogProb: back.LogProb[lo : lo+few], Model: back.Model[lo : lo+few],
		}, i, few)
	}
}

// keys checks that seed, step and id each name other draws.
func (s sampling[X, Y]) keys(t testing.TB) {
	key, ids := s.key(), promptIDs(len(s.X))
	base := s.draw(t, s.X, ids, s.Draws, key)
	surprise := 0.0 // −log P(the same draws again)
	for _, l := range base.LogProb {
		surprise -= l
	}
	if surprise < -math.Log(falseAlarm) {
		t.Skip("the draws are all but certain")
	}
	other := promptIDs(len(s.X) + 1)[1:]
	for what, d := range map[string]policy.Draws[Y]{
		"seed":      s.draw(t, s.X, ids, s.Draws, policy.Key{Seed: key.Seed + 1, Step: key.Step}),
		"step":      s.draw(t, s.X, ids, s.Draws, policy.Key{Seed: key.Seed, Step: key.Step + 1}),
		"prompt id": s.draw(t, s.X, other, s.Draws, key),
	} {
		if slices.EqualFunc(base.Y, d.Y, s.Equal) {
			t.Errorf("another %s gives the same draws", what)
		}
	}
}

func (s sampling[X, Y]) lengths(t testing.TB) {
	n, ids := len(s.X), promptIDs(len(s.X))
	y, l := make([]Y, n*few), make([]float64, n*few)
	for what, f := range map[string]func() error{
		"a short Y": func() error {
			return s.sampler.Sample(context.Background(), policy.Draws[Y]{Y: y[1:]}, s.X, ids, few, s.key())
		},
		"a short LogProb": func() error {
			return s.sampler.Sample(context.Background(), policy.Draws[Y]{Y: y, LogProb: l[1:]}, s.X, ids, few, s.key())
		},
		"a short Model": func() error {
			return s.sampler.Sample(context.Background(), policy.Draws[Y]{Y: y, Model: l[1:]}, s.X, ids, few, s.key())
		},
		"few ids": func() error {
			return s.sampler.Sample(context.Background(), policy.Draws[Y]{Y: y}, s.X, ids[1:], few, s.key())
		},
		"k = 0": func() error {
			return s.sampler.Sample(context.Background(), policy.Draws[Y]{}, s.X, ids, 0, s.key())
		},
	} {
		expectPanic(t, "Sample with "+what, func() { _ = f() })
	}
}

func (s sampling[X, Y]) context(t testing.TB) {
	d := policy.Draws[Y]{Y: make([]Y, len(s.X))}
	expectCancelled(t, "Sample", s.sampler.Sample(cancelled(), d, s.X, promptIDs(len(s.X)), 1, s.key()))
}

// concurrent checks that several goroutines draw what one draws.
func (s sampling[X, Y]) concurrent(t testing.TB) {
	ids := promptIDs(len(s.X))
	want := s.draw(t, s.X, ids, few, s.key())
	var wait sync.WaitGroup
	for range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			got := policy.Draws[Y]{Y: make([]Y, len(want.Y))}
			if err := s.sampler.Sample(context.Background(), got, s.X, ids, few, s.key()); err != nil {
				t.Errorf("Sample: %v", err)
				return
			}
			s.expectSame(t, "draws from several goroutines", got.Y, want.Y)
		}()
	}
	wait.Wait()
}
