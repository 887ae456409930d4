package policy

import (
	"context"
	"errors"
	"slices"
)

// Sequences views a token-level model as a policy over whole replies: prompts and
// replies are token ids, and log π(y|x) = Σ_t log π(y_t | x, y_<t) over the reply's
// tokens. Generator draws the replies; where it is nil, Sample returns
// [errors.ErrUnsupported]. It is safe for concurrent use if its parts are.
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
		lo, hi := t.Reply(i)
		dst[i] = 0
		for p := lo; p < hi; p++ {
			if t.Counts(p) {
				dst[i] += v[p]
			}
		}
	}
}

// sequencePass adapts a TokenPass: sums on the way out, copies on the way back.
type sequencePass struct {
	tokens TokenPass
	batch  Tokens
	values []float64
	ready  bool
}

func (p *sequencePass) Forward(ctx context.Context, dst []float64, xs, ys [][]int32) error {
	if len(dst) != len(xs) || len(dst) != len(ys) {
		panic(badLength)
	}
	p.ready = false
	p.batch.Reset()
	for i, x := range xs {
		p.batch.Append(x, ys[i])
	}
	p.values = slices.Grow(p.values[:0], len(p.batch.IDs))[:len(p.batch.IDs)]
	err := p.tokens.Forward(ctx, TokenStats{LogProb: p.values}, p.batch)
	sumReplies(dst, p.values, p.batch)
	p.ready = err == nil
	return err
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
