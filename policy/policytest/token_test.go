package policytest_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/policytest"
)

func tokenConfig(p policy.Host, ref policy.TokenPolicy) policytest.TokenConfig {
	return policytest.TokenConfig{
		Prompts: [][]int32{{0, 1}, {}, {2}, {1, 1, 0}},
		Replies: [][]int32{{1, 2, 3}, {0, 3}, {2, 2, 0, 1, 3}, {1, 0, 2, 2}},
		Vocab:   vocab, Ref: ref, Params: policytest.HostParams(p),
		Seed: 3,
	}
}

func TestTokenPolicy(t *testing.T) {
	ref := newBigram(2, nil)
	m := newBigram(1, ref)
	policytest.TokenPolicy(t, m, tokenConfig(m, ref))

	r := newRecorder()
	policytest.TokenPolicy(r, m, tokenConfig(m, ref))
	delete(r.skipped, "Sequences/Normalized") // replies are too many to list
	delete(r.skipped, "Sequences/Enumeration")
	delete(r.skipped, "Sequences/Impossible")
	delete(r.skipped, "Sequences/Sample")
	delete(r.skipped, "Sequences/PullbackScoreMean")
	assert.Empty(t, r.skipped)
	assert.Empty(t, r.failed)
}

// A policy without a reference has no KL: that is skipped, and nothing else.
func TestTokenPolicyUnsupported(t *testing.T) {
	m, r := newBigram(1, nil), newRecorder()
	policytest.TokenPolicy(r, m, tokenConfig(m, m))
	assert.Empty(t, r.failed)
	assert.True(t, r.skipped["TokenKL"] && r.skipped["TokenPullbackKL"])
	assert.False(t, r.skipped["TokenEntropy"])
}

// tokenDefect is a bigram with wrong passes.
type tokenDefect struct {
	*bigram
	forward  func(right policy.TokenPass, ctx context.Context, dst policy.TokenStats, b policy.Tokens) error
	pullback func(right policy.TokenPass, b policy.Tokens, ctx context.Context, w policy.TokenStats) error
}

func (d tokenDefect) NewTokenPass() policy.TokenPass {
	return &tokenDefectPass{TokenPass: d.bigram.NewTokenPass(), d: d}
}

type tokenDefectPass struct {
	policy.TokenPass
	d     tokenDefect
	batch policy.Tokens
}

func (p *tokenDefectPass) Forward(ctx context.Context, dst policy.TokenStats, b policy.Tokens) error {
	p.batch = b
	if p.d.forward != nil {
		return p.d.forward(p.TokenPass, ctx, dst, b)
	}
	return p.TokenPass.Forward(ctx, dst, b)
}

func (p *tokenDefectPass) Pullback(ctx context.Context, w policy.TokenStats) error {
	if p.d.pullback != nil {
		return p.d.pullback(p.TokenPass, p.batch, ctx, w)
	}
	return p.TokenPass.Pullback(ctx, w)
}

func TestBrokenTokenPolicies(t *testing.T) {
	ref := newBigram(2, nil)
	entry := func(name, check string, only bool, d tokenDefect) broken {
		return broken{name, check, only, func(t testing.TB) {
			d := d
			d.bigram = newBigram(1, ref)
			policytest.TokenPolicy(t, d, tokenConfig(d.bigram, ref))
		}}
	}
	// after changes what a right Forward stored
	after := func(name, check string, only bool, f func(dst policy.TokenStats, b policy.Tokens)) broken {
		return entry(name, check, only, tokenDefect{forward: func(right policy.TokenPass, ctx context.Context, dst policy.TokenStats, b policy.Tokens) error {
			err := right.Forward(ctx, dst, b)
			if err == nil {
				f(dst, b)
			}
			return err
		}})
	}
	pull := func(name, check string, only bool, f func(right policy.TokenPass, b policy.Tokens, ctx context.Context, w policy.TokenStats) error) broken {
		return entry(name, check, only, tokenDefect{pullback: f})
	}
	runBroken(t, []broken{
		after("prompt positions left as they were", "TokenZeros", false, func(dst policy.TokenStats, b policy.Tokens) {
			if dst.LogProb != nil && b.Prompt[0] > 0 {
				dst.LogProb[0] = math.NaN()
			}
		}),
		after("masked tokens are scored", "TokenZeros", false, func(dst policy.TokenStats, b policy.Tokens) {
			for p := range dst.LogProb {
				if b.Mask != nil && !b.Mask[p] {
					dst.LogProb[p] = -1
				}
			}
		}),
		after("a mask changes the scores", "TokenMask", false, func(dst policy.TokenStats, b policy.Tokens) {
			if b.Mask != nil && dst.Entropy != nil {
				dst.Entropy[len(dst.Entropy)-1] *= 1.001
			}
		}),
		after("sequences leak into each other", "TokenBatchOfOne", false, func(dst policy.TokenStats, b policy.Tokens) {
			if n := len(b.IDs); dst.LogProb != nil {
				dst.LogProb[n-1] += 1e-12 * float64(n)
			}
		}),
		after("log-probabilities of logits", "TokenLogProb", false, func(dst policy.TokenStats, b policy.Tokens) {
			for p, l := range dst.LogProb {
				if l != 0 {
					dst.LogProb[p] += 0.1
				}
			}
		}),
		after("entropy in bits", "TokenEntropy", false, func(dst policy.TokenStats, b policy.Tokens) {
			for p := range dst.Entropy {
				dst.Entropy[p] /= math.Ln2
			}
		}),
		after("KL to the policy from the reference", "TokenKL", false, func(dst policy.TokenStats, b policy.Tokens) {
			if dst.KL == nil {
				return
			}
			model := newBigram(1, nil)
			eachToken(b, func(t int, before []int32) {
				dst.KL[t] = 0
				q, r := model.next(before), ref.next(before)
				for v := range q {
					dst.KL[t] += r[v] * math.Log(r[v]/q[v])
				}
			})
		}),
		after("sum of squares without the logarithm", "TokenSumSq", false, func(dst policy.TokenStats, b policy.Tokens) {
			for p, v := range dst.SumSq {
				if v != 0 {
					dst.SumSq[p] = math.Exp(v)
				}
			}
		}),
		entry("tokens beyond the vocabulary wrap around", "TokenBad", false, tokenDefect{forward: func(right policy.TokenPass, ctx context.Context, dst policy.TokenStats, b policy.Tokens) error {
			b.IDs = slices.Clone(b.IDs)
			for p := range b.IDs {
				b.IDs[p] = (b.IDs[p] + vocab) % vocab
			}
			return right.Forward(ctx, dst, b)
		}}),
		entry("slices unchecked", "TokenMisuse", false, tokenDefect{forward: func(right policy.TokenPass, ctx context.Context, dst policy.TokenStats, b policy.Tokens) error {
			if dst.LogProb != nil && len(dst.LogProb) != len(b.IDs) {
				return errors.New("lengths")
			}
			return right.Forward(ctx, dst, b)
		}}),
		entry("Forward ignores the context", "TokenContext", false, tokenDefect{forward: func(right policy.TokenPass, _ context.Context, dst policy.TokenStats, b policy.Tokens) error {
			return right.Forward(context.Background(), dst, b)
		}}),
		pull("Pullback ignores the context", "TokenContext", false, func(right policy.TokenPass, _ policy.Tokens, _ context.Context, w policy.TokenStats) error {
			return right.Pullback(context.Background(), w)
		}),
		pull("masked weights are read", "TokenPullbackUnread", true, func(right policy.TokenPass, b policy.Tokens, ctx context.Context, w policy.TokenStats) error {
			for p, v := range w.LogProb {
				if b.Mask != nil && !b.Mask[p] && v != 0 {
					w.LogProb = slices.Clone(w.LogProb)
					w.LogProb[len(w.LogProb)-1] += v
				}
			}
			return right.Pullback(ctx, w)
		}),
		pull("entropy's gradient has the wrong sign", "TokenPullbackEntropy", true, func(right policy.TokenPass, _ policy.Tokens, ctx context.Context, w policy.TokenStats) error {
			if w.Entropy != nil {
				w.Entropy = scaled(w.Entropy, -1)
			}
			return right.Pullback(ctx, w)
		}),
		pull("KL's gradient is forgotten", "TokenPullbackKL", true, func(right policy.TokenPass, _ policy.Tokens, ctx context.Context, w policy.TokenStats) error {
			w.KL = nil
			return right.Pullback(ctx, w)
		}),
		pull("one field at a time", "TokenPullbackAdds", true, func(right policy.TokenPass, _ policy.Tokens, ctx context.Context, w policy.TokenStats) error {
			if w.LogProb != nil {
				w.Entropy = nil
			}
			return right.Pullback(ctx, w)
		}),
		pull("twice the gradient", "Sequences/PullbackDifferences", false, func(right policy.TokenPass, _ policy.Tokens, ctx context.Context, w policy.TokenStats) error {
			w.LogProb = scaled(w.LogProb, 2)
			return right.Pullback(ctx, w)
		}),
	})
}

// Whole replies, all of which can be listed: what is cut at the maximum length has no
// end of sequence, so the probabilities add up to 1.
func TestSequences(t *testing.T) {
	var replies [][]int32
	var extend func(begun []int32)
	extend = func(begun []int32) {
		for v := range int32(vocab) {
			reply := append(slices.Clone(begun), v)
			if v == eos || len(reply) == maxTokens {
				replies = append(replies, reply)
			} else {
				extend(reply)
			}
		}
	}
	extend(nil)
	m := newBigram(1, nil)
	policytest.Policy(t, policy.Sequences{Model: m, Generator: m}, policytest.Config[[]int32, []int32]{
		X: [][]int32{{0, 1}, {2}, {}}, Y: [][]int32{{1, eos}, {0, 0, 0, 0, 0}, {eos}},
		Bad:    []policytest.Item[[]int32, []int32]{{X: []int32{0}, Y: nil}, {X: []int32{0}, Y: []int32{vocab}}, {X: []int32{-1}, Y: []int32{0}}},
		All:    func([]int32) [][]int32 { return replies },
		Equal:  slices.Equal[[]int32],
		Params: policytest.HostParams(m),
		Draws:  1500,
	})
}

func TestSequencesWithoutGenerator(t *testing.T) {
	s := policy.Sequences{Model: newBigram(1, nil)}
	err := s.Sample(context.Background(), policy.Draws[[]int32]{Y: make([][]int32, 1)}, [][]int32{{}}, []uint64{1}, 1, policy.Key{})
	assert.ErrorIs(t, err, errors.ErrUnsupported)
}
