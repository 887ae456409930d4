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

// TokenConfig says what to try on a token-level policy and how exact it has to be.
type TokenConfig struct {
	// Prompts and Replies are the sequences to score, at least two, with replies of
	// at least two tokens.
	Prompts, Replies [][]int32

	Vocab int // number of token ids

	// Ref is the reference of the KL; nil: its value is not checked exactly.
	Ref policy.TokenPolicy

	// Params reaches the parameters. Default: through policy.Host.
	Params Params

	Tol  Tolerance
	Seed uint64 // of weights
}

// TokenPolicy checks p against the contract of policy.TokenPolicy, and what
// policy.Sequences makes of it with [Policy].
func TokenPolicy(t testing.TB, p policy.TokenPolicy, c TokenConfig) {
	t.Helper()
	if len(c.Prompts) < 2 || len(c.Prompts) != len(c.Replies) || c.Vocab < 2 ||
		slices.ContainsFunc(c.Replies, func(r []int32) bool { return len(r) < 2 }) {
		panic("policytest: fewer than two sequences, replies of fewer than two tokens, or no vocabulary")
	}
	c.Tol, c.Params = c.Tol.withDefaults(), orHost(c.Params, p)
	s := tokens{p, c}
	checks := []check{
		{"TokenZeros", s.zeros},
		{"TokenMask", s.mask},
		{"TokenBatchOfOne", s.batchOfOne},
		{"TokenBad", s.bad},
		{"TokenMisuse", s.misuse},
		{"TokenContext", s.context},
		{"TokenConcurrent", s.concurrent},
		{"TokenSums", s.sums},
	}
	for _, f := range fields {
		checks = append(checks,
			check{"Token" + f.name, func(t testing.TB) { s.exact(t, f) }},
			check{"TokenPullback" + f.name, func(t testing.TB) { s.differences(t, f) }})
	}
	run(t, append(checks,
		check{"TokenPullbackUnread", s.unread},
		check{"TokenPullbackAdds", s.adds},
		check{"Sequences", s.sequences}))
}

// tokens checks a token-level policy.
type tokens struct {
	policy policy.TokenPolicy
	TokenConfig
}

// field is one of the statistics.
type field struct {
	name string
	of   func(*policy.TokenStats) *[]float64
	// exact is its value from the log-probabilities of all tokens, under the policy
	// and under the reference, and the token that came.
	exact func(logp, ref []float64, id int32) float64
}

var fields = []field{
	{"LogProb", func(s *policy.TokenStats) *[]float64 { return &s.LogProb },
		func(logp, _ []float64, id int32) float64 { return logp[id] }},
	{"Entropy", func(s *policy.TokenStats) *[]float64 { return &s.Entropy },
		func(logp, _ []float64, _ int32) float64 {
			return -expectation(logp, func(v int) float64 { return logp[v] })
		}},
	{"KL", func(s *policy.TokenStats) *[]float64 { return &s.KL },
		func(logp, ref []float64, _ int32) float64 {
			return expectation(logp, func(v int) float64 { return logp[v] - ref[v] })
		}},
	{"SumSq", func(s *policy.TokenStats) *[]float64 { return &s.SumSq },
		func(logp, _ []float64, _ int32) float64 {
			return math.Log(expectation(logp, func(v int) float64 { return math.Exp(logp[v]) }))
		}},
}

// expectation returns E f, where a probability of 0 counts as 0.
func expectation(logp []float64, f func(v int) float64) float64 {
	sum := 0.0
	for v, l := range logp {
		if p := math.Exp(l); p > 0 {
			sum += p * f(v)
		}
	}
	return sum
}

// batch returns the sequences; masked leaves every other reply token out, but never
// the last.
func (s tokens) batch(masked bool) policy.Tokens {
	var b policy.Tokens
	for i, x := range s.Prompts {
		b.Append(x, s.Replies[i])
	}
	if masked {
		b.Mask = slices.Repeat([]bool{true}, len(b.IDs))
		for i := range b.Len() {
			lo, hi := b.Reply(i)
			for p := hi - 2; p >= lo; p -= 2 {
				b.Mask[p] = false
			}
		}
	}
	return b
}

// counted reports for each position whether it is a reply token that counts.
func counted(b policy.Tokens) []bool {
	c := make([]bool, len(b.IDs))
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		for p := lo; p < hi; p++ {
			c[p] = b.Counts(p)
		}
	}
	return c
}

// nans returns n NaNs.
func nans(n int) []float64 { return slices.Repeat([]float64{math.NaN()}, n) }

// forward runs pass on b for the field f, into memory that held NaN. It returns
// false if the policy does not have the field.
func (s tokens) forward(t testing.TB, pass policy.TokenPass, f field, b policy.Tokens) ([]float64, bool) {
	t.Helper()
	var dst policy.TokenStats
	*f.of(&dst) = nans(len(b.IDs))
	err := pass.Forward(context.Background(), dst, b)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, false
	}
	must(t, "Forward for "+f.name, err)
	return *f.of(&dst), true
}

// values scores b anew.
func (s tokens) values(t testing.TB, f field, b policy.Tokens) ([]float64, bool) {
	t.Helper()
	return s.forward(t, s.policy.NewTokenPass(), f, b)
}

// eachField calls f with the values of every field that the policy has.
func (s tokens) eachField(t testing.TB, b policy.Tokens, f func(fd field, values []float64)) {
	t.Helper()
	for i, fd := range fields {
		if v, ok := s.values(t, fd, b); ok {
			f(fd, v)
		} else if i == 0 {
			t.Fatalf("LogProb is unsupported")
		}
	}
}

// zeros checks that prompt and masked positions are 0 and the others are finite.
func (s tokens) zeros(t testing.TB) {
	for _, b := range []policy.Tokens{s.batch(false), s.batch(true)} {
		counts := counted(b)
		s.eachField(t, b, func(f field, values []float64) {
			for p, v := range values {
				switch {
				case !counts[p] && v != 0:
					t.Errorf("%s at position %d, which does not count, is %v", f.name, p, v)
				case counts[p] && (math.IsNaN(v) || math.IsInf(v, 0)):
					t.Errorf("%s at position %d is %v", f.name, p, v)
				}
			}
		})
	}
}

// mask checks that a mask leaves the values of the other tokens alone.
func (s tokens) mask(t testing.TB) {
	b := s.batch(true)
	counts := counted(b)
	s.eachField(t, b, func(f field, got []float64) {
		want, _ := s.values(t, f, s.batch(false))
		for p := range want {
			if !counts[p] {
				want[p] = 0
			}
		}
		expectNear(t, f.name+" with a mask", got, want, s.Tol.Batch)
	})
}

// batchOfOne checks that sequences do not depend on each other, nor on their order.
func (s tokens) batchOfOne(t testing.TB) {
	b := s.batch(false)
	var back policy.Tokens
	for i := b.Len() - 1; i >= 0; i-- {
		back.Append(s.Prompts[i], s.Replies[i])
	}
	s.eachField(t, b, func(f field, values []float64) {
		pass := s.policy.NewTokenPass()
		reverse, _ := s.forward(t, pass, f, back)
		for i := range b.Len() {
			var one policy.Tokens
			one.Append(s.Prompts[i], s.Replies[i])
			got, _ := s.forward(t, pass, f, one)
			want := values[b.Begin[i]:b.Begin[i+1]]
			expectNear(t, fmt.Sprintf("%s of sequence %d alone", f.name, i), got, want, s.Tol.Batch)
			r := b.Len() - 1 - i
			expectNear(t, fmt.Sprintf("%s of sequence %d in the reversed batch", f.name, i),
				reverse[back.Begin[r]:back.Begin[r+1]], want, s.Tol.Batch)
		}
	})
}

// next returns the log-probabilities of all tokens after a prompt and the beginning of
// a reply. The two are kept apart: a model may treat them differently.
func next(t testing.TB, p policy.TokenPolicy, vocab int, prompt, begun []int32) []float64 {
	t.Helper()
	var b policy.Tokens
	for v := range vocab {
		b.Append(prompt, append(begun[:len(begun):len(begun)], int32(v)))
	}
	values, _ := tokens{policy: p}.values(t, fields[0], b)
	logp := make([]float64, vocab)
	for v := range logp {
		logp[v] = values[b.Begin[v+1]-1]
	}
	return logp
}

// exact compares a field with its definition, and checks that the probabilities of
// all next tokens add up to 1. Large vocabularies are too slow for that.
func (s tokens) exact(t testing.TB, f field) {
	switch {
	case s.Vocab > 4096:
		t.Skip("vocabulary of more than 4096 tokens")
	case f.name == "KL" && s.Ref == nil:
		t.Skip("no TokenConfig.Ref")
	}
	for i, x := range s.Prompts {
		var b policy.Tokens
		b.Append(x, s.Replies[i])
		got, ok := s.values(t, f, b)
		if !ok {
			t.Skip("unsupported")
		}
		for p := len(x); p < len(b.IDs); p++ {
			logp := next(t, s.policy, s.Vocab, x, b.IDs[len(x):p])
			if sum := expectation(logp, func(int) float64 { return 1 }); !near(sum, 1, s.Tol.LogProb) {
				t.Errorf("sequence %d: all tokens at position %d have probability %v", i, p, sum)
			}
			var ref []float64
			if f.name == "KL" {
				ref = next(t, s.Ref, s.Vocab, x, b.IDs[len(x):p])
			}
			if want := f.exact(logp, ref, b.IDs[p]); !near(got[p], want, s.Tol.LogProb) {
				t.Errorf("sequence %d: %s at position %d is %v, by its definition %v", i, f.name, p, got[p], want)
			}
		}
	}
}

// sums checks that a sequence has the sum of its tokens.
func (s tokens) sums(t testing.TB) {
	b := s.batch(false)
	values, _ := s.values(t, fields[0], b)
	got, want := nans(b.Len()), make([]float64, b.Len())
	must(t, "LogProbs", policy.Sequences{Model: s.policy}.LogProbs(context.Background(), got, s.Prompts, s.Replies))
	for i := range want {
		for p := b.Begin[i]; p < b.Begin[i+1]; p++ {
			want[i] += values[p]
		}
	}
	expectNear(t, "log-probability of the sequences", got, want, s.Tol.LogProb)
}

// badReplies are replies that no policy can score.
func (s tokens) badReplies() map[string][]int32 {
	return map[string][]int32{"a token beyond the vocabulary": {0, int32(s.Vocab)}, "a negative token": {-1, 0}, "no tokens": {}}
}

func (s tokens) bad(t testing.TB) {
	for what, reply := range s.badReplies() {
		var b policy.Tokens
		b.Append(s.Prompts[0], s.Replies[0])
		b.Append(s.Prompts[1], reply)
		err := s.policy.NewTokenPass().Forward(context.Background(), policy.TokenStats{LogProb: nans(len(b.IDs))}, b)
		got := map[int]bool{}
		failedItems(err, got)
		if !got[1] || len(got) != 1 {
			t.Errorf("Forward of sequence 1 with %s: %v, want a policy.ItemError for it alone", what, err)
		}
	}
}

func (s tokens) misuse(t testing.TB) {
	ctx, b := context.Background(), s.batch(true)
	n := len(b.IDs)
	pass := s.policy.NewTokenPass()
	expectPanic(t, "Forward with a short dst", func() { _ = pass.Forward(ctx, policy.TokenStats{LogProb: make([]float64, n-1)}, b) })
	short := b
	short.Mask = b.Mask[1:]
	expectPanic(t, "Forward with a short mask", func() { _ = pass.Forward(ctx, policy.TokenStats{LogProb: make([]float64, n)}, short) })
	if s.Params == nil {
		return
	}
	fresh := s.policy.NewTokenPass()
	expectPanic(t, "Pullback without Forward", func() { _ = fresh.Pullback(ctx, policy.TokenStats{LogProb: make([]float64, n)}) })
	s.forward(t, pass, fields[0], b)
	expectPanic(t, "Pullback with few weights", func() { _ = pass.Pullback(ctx, policy.TokenStats{LogProb: make([]float64, n-1)}) })
}

func (s tokens) context(t testing.TB) {
	b, pass := s.batch(false), s.policy.NewTokenPass()
	stats := policy.TokenStats{LogProb: make([]float64, len(b.IDs))}
	expectCancelled(t, "Forward", pass.Forward(cancelled(), stats, b))
	s.forward(t, pass, fields[0], b)
	if s.Params != nil {
		expectCancelled(t, "Pullback", pass.Pullback(cancelled(), stats))
		readGradient(t, s.Params) // whatever it is now
	}
}

// concurrent checks that several goroutines get what one gets.
func (s tokens) concurrent(t testing.TB) {
	b := s.batch(false)
	want, _ := s.values(t, fields[0], b)
	var wait sync.WaitGroup
	for range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			got := make([]float64, len(b.IDs))
			if err := s.policy.NewTokenPass().Forward(context.Background(), policy.TokenStats{LogProb: got}, b); err != nil {
				t.Errorf("Forward: %v", err)
			}
			expectNear(t, "Forward from several goroutines", got, want, s.Tol.Batch)
		}()
	}
	wait.Wait()
}
