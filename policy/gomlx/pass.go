package gomlx

import (
	"context"
	"errors"
	"fmt"
	"math"

	g "github.com/gomlx/gomlx/core/graph"

	"github.com/prefgrad/prefgrad/policy"
)

// NewTokenPass implements [policy.TokenPolicy]. The pass provides LogProb, Entropy and
// SumSq; KL needs a reference, see [Model.Against].
//
// Forward is one execution and Pullback another, which does the forward computation
// again; a batch of more than 16384 tokens, padding included, or of more than 2²⁶ logits
// of reply tokens is cut into several of each. Sequences are padded to one of a few lengths, so that a graph is compiled once
// and not for each batch.
//
// Forward returns, for each sequence with an id outside the vocabulary, with an empty
// prompt or reply, or longer than Config.MaxLen, a [*policy.ItemError]; the statistics
// of its reply are NaN, those of the other sequences are as without it. An error without
// an item (a parameter that is not finite, the backend, ctx) leaves dst unspecified. An
// error of Pullback leaves the gradient unspecified. ctx is looked at between executions.
func (m *Model) NewTokenPass() policy.TokenPass { return &pass{sides: sides{s: &m.scorer}, train: m} }

// NewTokenPass implements [policy.TokenPolicy], as [Model.NewTokenPass] does.
func (f *Frozen) NewTokenPass() policy.TokenPass { return &pass{sides: sides{s: &f.scorer}} }

// pass implements policy.TokenPass.
type pass struct {
	sides
	train *Model // whose gradient Pullback adds to; nil: none
	view  *View  // nil: the model as it is

	batch  policy.Tokens
	failed []error // for each sequence of the batch
	chunks []chunk
	seeds  []seed // of the dropout of each chunk
	ready  bool
}

// Forward implements policy.TokenPass.
func (p *pass) Forward(ctx context.Context, dst policy.TokenStats, b policy.Tokens) error {
	p.ready = false
	want, err := p.fields(dst, len(b.IDs))
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p.batch = b
	p.failed = p.s.check(b)
	for _, f := range slices4(dst) {
		clear(f)
	}
	p.chunks = p.s.limits.split(b, p.failed, p.s.cfg.Vocab)
	p.seeds = p.view.draw(len(p.chunks))
	for i := range p.chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if want == 0 {
			break
		}
		if err := p.score(i, want, dst); err != nil {
			return err
		}
	}
	for i, err := range p.failed {
		if err == nil {
			continue
		}
		lo, hi := b.Reply(i)
		for _, f := range slices4(dst) {
			for at := lo; at < hi && f != nil; at++ {
				f[at] = math.NaN()
			}
		}
	}
	err = errors.Join(p.failed...)
	p.ready = err == nil
	return err
}

// slices4 returns the slices of s in the order of the bits of fields.
func slices4(s policy.TokenStats) [numFields][]float64 {
	return [numFields][]float64{s.LogProb, s.Entropy, s.KL, s.SumSq}
}

// fields returns which of n numbers each s has. It panics on another number.
func (p *pass) fields(s policy.TokenStats, n int) (fields, error) {
	var have fields
	for i, f := range slices4(s) {
		if f == nil {
			continue
		}
		if len(f) != n {
			panic("gomlx: statistics or weights not as long as the tokens")
		}
		have |= 1 << i
	}
	if have&klDiv != 0 && p.ref == nil {
		return 0, fmt.Errorf("gomlx: KL without a reference: %w", errors.ErrUnsupported)
	}
	return have, nil
}

// check returns what is wrong with each sequence.
func (s *scorer) check(b policy.Tokens) []error {
	failed := make([]error, b.Len())
	_ = b.Check(s.cfg.Vocab) // panics if b does not fit together
	for i := range failed {
		lo, hi := b.Begin[i], b.Begin[i+1]
		one := policy.Tokens{IDs: b.IDs[lo:hi], Begin: []int{0, hi - lo}, Prompt: b.Prompt[i : i+1]}
		var item *policy.ItemError
		switch err := one.Check(s.cfg.Vocab); {
		case errors.As(err, &item):
			failed[i] = &policy.ItemError{Index: i, Err: item.Err}
		case b.Prompt[i] == 0:
			failed[i] = &policy.ItemError{Index: i, Err: fmt.Errorf("empty: the first token has no distribution: %w", policy.ErrPrompt)}
		case hi-lo > s.cfg.MaxLen:
			failed[i] = &policy.ItemError{Index: i, Err: fmt.Errorf("%d tokens, the model reads at most %d: %w", hi-lo, s.cfg.MaxLen, policy.ErrResponse)}
		}
	}
	return failed
}

// score executes the forward pass of chunk i and stores what is wanted of it.
func (p *pass) score(i int, want fields, dst policy.TokenStats) error {
	c := &p.chunks[i]
	if len(c.at) == 0 {
		return nil
	}
	defer p.lock()()
	args, err := p.args(want, c, p.seed(i))
	if err != nil {
		return err
	}
	x, key := p.sides, program{kind: scoring, fields: want, dropout: p.seeds != nil}
	out, err := p.programs().run(p.s.backend, key, args, func(in []*g.Node) []*g.Node {
		return stats(want, x.build(in, key))
	})
	if err != nil {
		return err
	}
	values := make([]float32, len(c.from))
	for f, v := range slices4(dst) {
		if v == nil {
			continue
		}
		if err := download(values, out[0]); err != nil {
			return err
		}
		if err := release(out[:1]); err != nil {
			return fmt.Errorf("gomlx: %w", err)
		}
		out = out[1:]
		for row, at := range c.at {
			x := float64(values[row])
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("gomlx: %s of token %d of the batch is %v", fieldNames[f], at, x)
			}
			v[at] = x
		}
	}
	return nil
}

// seed returns the seed of chunk i's dropout, or nil.
func (p *pass) seed(i int) *seed {
	if p.seeds == nil {
		return nil
	}
	return &p.seeds[i]
}

// programs returns the programs of p's view of the model.
func (p *pass) programs() *programs {
	if p.view == nil {
		return &p.s.programs
	}
	return &p.view.programs
}
