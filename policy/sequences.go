package policy

import (
	"context"
	"errors"
	"math"
	"slices"
)

// Sequences views a token-level model as a policy over whole replies: prompts and
// replies are token ids, and log π(y|x) = Σ_t log π(y_t | x, y_<t) over the reply's
// tokens. Generator draws the replies; where it is nil, Sample returns
// [errors.ErrUnsupported]; without a Model the other methods panic. It is safe for concurrent
// use if its parts are.
type Sequences struct {
	Model     TokenPolicy
	Generator Generator
}

var _ Learner[[]int32, []int32] = Sequences{}

// LogProbs implements [Policy].
func (s Sequences) LogProbs(ctx context.Context, dst []float64, xs, ys [][]int32) error {
	return s.NewPass().Forward(ctx, dst, xs, ys)
}

// NewPass implements [Trainable].
func (s Sequences) NewPass() Pass[[]int32, []int32] {
	if s.Model == nil {
		panic("policy: Sequences without Model")
	}
	return &sequencePass{tokens: s.Model.NewTokenPass()}
}

// Sample implements [Sampler].
func (s Sequences) Sample(ctx context.Context, dst Draws[[]int32], xs [][]int32, ids []uint64, k int, key Key) error {
	if s.Generator == nil {
		return errors.ErrUnsupported
	}
	dst.check(len(xs), ids, k)
	var r Rollout
	if err := s.Generator.Generate(ctx, &r, xs, ids, k, key); err != nil {
		return err
	}
	for i := range dst.Y {
		lo, hi := r.Tokens.Reply(i)
		dst.Y[i] = slices.Clone(r.Tokens.IDs[lo:hi])
	}
	sumReplies(dst.LogProb, r.LogProb, r.Tokens)
	sumReplies(dst.Model, r.Model, r.Tokens)
	return nil
}

// check panics unless d can take k draws for each of n prompts.
func (d Draws[Y]) check(n int, ids []uint64, k int) {
	if len(ids) != n {
		panic(badLength)
	}
	if k < 1 || len(d.Y) != n*k || d.LogProb != nil && len(d.LogProb) != n*k || d.Model != nil && len(d.Model) != n*k {
		panic(badDraws)
	}
}

// sumReplies stores the sum of v over the counted reply tokens of each sequence in
// dst, unless dst is nil.
func sumReplies(dst, v []float64, t Tokens) {
	for i := range dst {
		dst[i] = sumReply(v, t, i)
	}
}

// sumReply returns the sum of v over the counted reply tokens of sequence i.
func sumReply(v []float64, t Tokens, i int) float64 {
	s := 0.0
	lo, hi := t.Reply(i)
	for p := lo; p < hi; p++ {
		if t.Counts(p) {
			s += v[p]
		}
	}
	return s
}

// sequencePass adapts a TokenPass: sums on the way out, copies on the way back.
type sequencePass struct {
	tokens TokenPass
	batch  Tokens
	items  []int // the items in the batch: all, but for those that cannot be scored
	values []float64
	ready  bool
}

func (p *sequencePass) Forward(ctx context.Context, dst []float64, xs, ys [][]int32) error {
	if len(dst) != len(xs) || len(dst) != len(ys) {
		panic(badLength)
	}
	p.ready = false
	p.items = p.items[:0]
	for i := range xs {
		p.items = append(p.items, i)
	}
	p.batch.Reset()
	if err := ctx.Err(); err != nil {
		return err
	}
	var errs []error
	for len(p.items) > 0 {
		p.batch.Reset()
		for _, i := range p.items {
			p.batch.Append(xs[i], ys[i])
		}
		p.values = resize(p.values, len(p.batch.IDs))
		err := p.tokens.Forward(ctx, TokenStats{LogProb: p.values}, p.batch)
		if err == nil {
			break
		}
		var bad *ItemError
		if !errors.As(err, &bad) {
			return err
		}
		i := p.items[bad.Index] // leave it out and score the others
		dst[i] = math.NaN()
		errs = append(errs, &ItemError{i, bad.Err})
		p.items = slices.Delete(p.items, bad.Index, bad.Index+1)
	}
	for s, i := range p.items {
		dst[i] = sumReply(p.values, p.batch, s)
	}
	p.ready = errs == nil
	return errors.Join(errs...)
}

func (p *sequencePass) Pullback(ctx context.Context, w []float64) error {
	if !p.ready || len(w) != p.batch.Len() {
		panic(badPullback)
	}
	for i, wi := range w {
		lo, hi := p.batch.Reply(i)
		for t := lo; t < hi; t++ {
			p.values[t] = wi
		}
	}
	return p.tokens.Pullback(ctx, TokenStats{LogProb: p.values})
}
