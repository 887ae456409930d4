package policytest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/prefgrad/prefgrad/policy"
)

// DecoderConfig says what to try on a decoder and how exact it has to be.
type DecoderConfig struct {
	Prompts [][]int32 // at least two different ones

	// Model scores the same tokens, for comparison with the logits; nil: not checked.
	Model policy.TokenPolicy

	Tol  Tolerance // LogProb: against Model; Batch: between ways to the same logits
	Seed uint64    // of the tokens appended
}

// Decoder checks d against the contracts of policy.Decoder and policy.Decode.
func Decoder(t testing.TB, d policy.Decoder, c DecoderConfig) {
	t.Helper()
	if len(c.Prompts) < 2 {
		panic("policytest: fewer than two prompts")
	}
	c.Tol = c.Tol.withDefaults()
	s := decoding{d, c}
	run(t, []check{
		{"DecodeModel", s.model},
		{"DecodeCopies", s.copies},
		{"DecodeRows", s.rows},
		{"DecodeAppend", s.appends},
		{"DecodeAgain", s.again},
		{"DecodeContext", s.context},
		{"DecodeConcurrent", s.concurrent},
	})
}

// decoding checks a decoder.
type decoding struct {
	decoder policy.Decoder
	DecoderConfig
}

// open starts k sequences for each prompt; the test closes them.
func (s decoding) open(t testing.TB, prompts [][]int32, k int) policy.Decode {
	t.Helper()
	d, err := s.decoder.Open(context.Background(), prompts, k)
	must(t, "Open", err)
	return d
}

func (s decoding) close(t testing.TB, d policy.Decode) {
	t.Helper()
	must(t, "Close", d.Close())
}

// logits returns the logits of the rows as numbers that expectNear takes, from
// memory that held NaN. −Inf is a logit; NaN and +Inf are not.
func (s decoding) logits(t testing.TB, d policy.Decode, rows ...int) []float64 {
	t.Helper()
	dst := slices.Repeat([]float32{float32(math.NaN())}, len(rows)*s.decoder.Vocab())
	must(t, "Logits", d.Logits(context.Background(), dst, rows))
	out := make([]float64, len(dst))
	for i, l := range dst {
		if out[i] = float64(l); !(out[i] < math.Inf(1)) {
			t.Fatalf("logit %d is %v", i, l)
		}
	}
	return out
}

// tokens returns n tokens to append.
func (s decoding) tokens(n int) []int32 {
	g := rand.New(rand.NewPCG(s.Seed, 2))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(g.IntN(s.decoder.Vocab()))
	}
	return ids
}

// model compares the softmax of the logits with the model's probabilities, of which
// those of a large vocabulary are too many to look at, after the prompts and after
// each of some appended tokens.
func (s decoding) model(t testing.TB) {
	vocab := s.decoder.Vocab()
	if s.Model == nil || vocab > 4096 {
		t.Skip("no DecoderConfig.Model, or more than 4096 tokens")
	}
	d := s.open(t, s.Prompts, 1)
	defer s.close(t, d)
	ids := s.tokens(2 * len(s.Prompts))
	for i, x := range s.Prompts {
		reply := ids[2*i : 2*i+2]
		for n := range len(reply) + 1 {
			if n > 0 {
				must(t, "Append", d.Append(context.Background(), []int{i}, reply[n-1:n]))
			}
			l := s.logits(t, d, i)
			sum, top := 0.0, slices.Max(l)
			for _, v := range l {
				sum += math.Exp(v - top)
			}
			for v := range l {
				l[v] -= top + math.Log(sum)
			}
			expectNear(t, fmt.Sprintf("log-softmax of the logits after prompt %d and %d tokens", i, n),
				l, next(t, s.Model, vocab, x, reply[:n]), s.Tol.LogProb)
		}
	}
}

// copies checks that the k sequences of a prompt start alike and then part.
func (s decoding) copies(t testing.TB) {
	const k = 3
	d := s.open(t, s.Prompts, k)
	defer s.close(t, d)
	for i := range s.Prompts {
		one := s.open(t, s.Prompts[i:i+1], 1)
		want := s.logits(t, one, 0)
		for j := range k {
			expectNear(t, fmt.Sprintf("logits of copy %d of prompt %d", j, i), s.logits(t, d, i*k+j), want, s.Tol.Batch)
		}
		s.close(t, one)
	}
	before := s.logits(t, d, 0, 2, k)
	must(t, "Append", d.Append(context.Background(), []int{1}, s.tokens(1)))
	expectNear(t, "logits of sequences to which nothing was appended", s.logits(t, d, 0, 2, k), before, s.Tol.Batch)
}

// rows checks that rows can be had in any order and number.
func (s decoding) rows(t testing.TB) {
	d := s.open(t, s.Prompts, 2)
	defer s.close(t, d)
	n, vocab := 2*len(s.Prompts), s.decoder.Vocab()
	ids := s.tokens(n)
	for i := range n {
		must(t, "Append", d.Append(context.Background(), []int{i}, ids[i:i+1]))
	}
	var order []int
	for i := n - 1; i >= 0; i-- {
		order = append(order, i)
	}
	all := s.logits(t, d, order...)
	for at, i := range order {
		expectNear(t, fmt.Sprintf("logits of row %d alone", i), s.logits(t, d, i), all[at*vocab:(at+1)*vocab], s.Tol.Batch)
	}
}

// appends checks that it does not matter whether tokens are appended to one sequence
// after the other or to all together.
func (s decoding) appends(t testing.TB) {
	one, all := s.open(t, s.Prompts, 1), s.open(t, s.Prompts, 1)
	defer s.close(t, one)
	defer s.close(t, all)
	const steps = 3
	n := len(s.Prompts)
	ids := s.tokens(steps * n)
	var rows []int
	for i := n - 1; i >= 0; i-- {
		rows = append(rows, i)
		for step := range steps {
			must(t, "Append", one.Append(context.Background(), []int{i}, ids[step*n+i:step*n+i+1]))
		}
	}
	for step := range steps {
		must(t, "Append", all.Append(context.Background(), rows, reversed(ids[step*n:(step+1)*n])))
	}
	got := s.logits(t, all, rows...)
	expectNear(t, "logits after appending to all sequences together", got, s.logits(t, one, rows...), s.Tol.Batch)
	fresh := s.open(t, s.Prompts, 1)
	defer s.close(t, fresh)
	if slices.Equal(got, s.logits(t, fresh, rows...)) {
		t.Errorf("appending %d tokens changed no logit", steps)
	}
}

// again checks that asking twice gives the same, and that closing one set of
// sequences leaves another alone.
func (s decoding) again(t testing.TB) {
	a, b := s.open(t, s.Prompts, 1), s.open(t, s.Prompts, 1)
	first := s.logits(t, a, 0, 1)
	expectNear(t, "logits asked for twice", s.logits(t, a, 0, 1), first, s.Tol.Batch)
	s.close(t, a)
	expectNear(t, "logits after closing other sequences", s.logits(t, b, 0, 1), first, s.Tol.Batch)
	s.close(t, b)
}

func (s decoding) context(t testing.TB) {
	_, err := s.decoder.Open(cancelled(), s.Prompts, 1)
	expectCancelled(t, "Open", err)
	d := s.open(t, s.Prompts, 1)
	defer s.close(t, d)
	expectCancelled(t, "Logits", d.Logits(cancelled(), make([]float32, s.decoder.Vocab()), []int{0}))
}

// concurrent checks that several sets of sequences can be written at the same time.
func (s decoding) concurrent(t testing.TB) {
	d := s.open(t, s.Prompts, 1)
	want := s.logits(t, d, 0, 1)
	s.close(t, d)
	var wait sync.WaitGroup
	for range 4 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			d, err := s.decoder.Open(context.Background(), s.Prompts, 1)
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			got := make([]float32, 2*s.decoder.Vocab())
			if err := d.Logits(context.Background(), got, []int{0, 1}); err != nil {
				t.Errorf("Logits: %v", err)
			}
			for i, l := range got {
				if !near(float64(l), want[i], s.Tol.Batch) {
					t.Errorf("logits from several goroutines: element %d is %v, want %v", i, l, want[i])
					break
				}
			}
			if err := d.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}()
	}
	wait.Wait()
}
