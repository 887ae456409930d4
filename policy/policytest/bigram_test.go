package policytest_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/prefgrad/prefgrad/policy"
)

const (
	vocab     = 4
	eos       = 3
	maxTokens = 5
)

// bigram is a language model whose next token depends on the last one: a table of
// logits, row by last token and a row for no token. It writes what the contracts of
// the token level say in the plainest way.
type bigram struct {
	theta, grad []float64
	ref         *bigram // of the KL; nil: no KL
	mu          sync.Mutex
}

func newBigram(seed uint64, ref *bigram) *bigram {
	m := &bigram{theta: make([]float64, (vocab+1)*vocab), grad: make([]float64, (vocab+1)*vocab), ref: ref}
	g := rand.New(rand.NewPCG(seed, 0))
	for i := range m.theta {
		m.theta[i] = g.NormFloat64()
	}
	return m
}

func (m *bigram) Params() []float64              { return m.theta }
func (m *bigram) Grad() []float64                { return m.grad }
func (m *bigram) NewTokenPass() policy.TokenPass { return &bigramPass{m: m} }

// row returns where the logits after the given tokens begin.
func row(before []int32) int {
	if len(before) == 0 {
		return vocab * vocab
	}
	return vocab * int(before[len(before)-1])
}

// next returns the probabilities after the given tokens.
func (m *bigram) next(before []int32) [vocab]float64 {
	var p [vocab]float64
	z, at := 0.0, row(before)
	for v := range p {
		p[v] = math.Exp(m.theta[at+v])
		z += p[v]
	}
	for v := range p {
		p[v] /= z
	}
	return p
}

type bigramPass struct {
	m     *bigram
	batch policy.Tokens
	ready bool
}

func (p *bigramPass) Forward(ctx context.Context, dst policy.TokenStats, b policy.Tokens) error {
	p.ready = false
	for _, f := range [][]float64{dst.LogProb, dst.Entropy, dst.KL, dst.SumSq} {
		if f != nil && len(f) != len(b.IDs) {
			panic("lengths")
		}
		clear(f)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if dst.KL != nil && p.m.ref == nil {
		return errors.ErrUnsupported
	}
	if err := b.Check(vocab); err != nil {
		return err
	}
	eachToken(b, func(t int, before []int32) {
		q := p.m.next(before)
		set := func(dst []float64, f func(v int) float64) {
			if dst != nil {
				for v := range q {
					dst[t] += q[v] * f(v)
				}
			}
		}
		if dst.LogProb != nil {
			dst.LogProb[t] = math.Log(q[b.IDs[t]])
		}
		set(dst.Entropy, func(v int) float64 { return -math.Log(q[v]) })
		set(dst.SumSq, func(v int) float64 { return q[v] })
		if dst.SumSq != nil {
			dst.SumSq[t] = math.Log(dst.SumSq[t])
		}
		if dst.KL != nil {
			r := p.m.ref.next(before)
			set(dst.KL, func(v int) float64 { return math.Log(q[v] / r[v]) })
		}
	})
	p.batch, p.ready = b, true
	return nil
}

// eachToken calls f with every reply token that counts and what stands before it.
func eachToken(b policy.Tokens, f func(t int, before []int32)) {
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		for t := lo; t < hi; t++ {
			if b.Counts(t) {
				f(t, b.IDs[b.Begin[i]:t])
			}
		}
	}
}

func (p *bigramPass) Pullback(ctx context.Context, w policy.TokenStats) error {
	if !p.ready {
		panic("no Forward")
	}
	for _, f := range [][]float64{w.LogProb, w.Entropy, w.KL, w.SumSq} {
		if f != nil && len(f) != len(p.batch.IDs) {
			panic("lengths")
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	eachToken(p.batch, func(t int, before []int32) {
		q := p.m.next(before)
		at := row(before)
		// a field Σ_v f(q_v) has the derivative q_v·(f'(q_v) − Σ_u q_u f'(q_u)) to logit v
		add := func(w []float64, derivative func(v int) float64) {
			if w == nil || w[t] == 0 {
				return
			}
			mean := 0.0
			for v := range q {
				mean += q[v] * derivative(v)
			}
			for v := range q {
				p.m.grad[at+v] += w[t] * q[v] * (derivative(v) - mean)
			}
		}
		add(w.LogProb, func(v int) float64 {
			if v == int(p.batch.IDs[t]) {
				return 1 / q[v]
			}
			return 0
		})
		add(w.Entropy, func(v int) float64 { return -math.Log(q[v]) })
		if w.KL != nil {
			r := p.m.ref.next(before)
			add(w.KL, func(v int) float64 { return math.Log(q[v] / r[v]) })
		}
		sumSq := 0.0
		for _, v := range q {
			sumSq += v * v
		}
		add(w.SumSq, func(v int) float64 { return 2 * q[v] / sumSq })
	})
	return nil
}

// Generate implements policy.Generator.
func (m *bigram) Generate(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dst.Tokens.Reset()
	dst.LogProb, dst.Model, dst.Finish = dst.LogProb[:0], dst.Model[:0], dst.Finish[:0]
	var g rand.PCG
	for i, x := range prompts {
		for j := range k {
			key.Stream(&g, ids[i], j)
			var reply []int32
			dst.LogProb = append(dst.LogProb, make([]float64, len(x))...)
			finish := policy.FinishLength
			for len(reply) < maxTokens && finish == policy.FinishLength {
				q := m.next(append(x[:len(x):len(x)], reply...))
				u, id := float64(g.Uint64()>>11)/(1<<53), int32(0)
				for ; id < vocab-1 && u >= q[id]; id++ {
					u -= q[id]
				}
				reply = append(reply, id)
				dst.LogProb = append(dst.LogProb, math.Log(q[id]))
				if id == eos {
					finish = policy.FinishEOS
				}
			}
			dst.Tokens.Append(x, reply)
			dst.Finish = append(dst.Finish, finish)
		}
	}
	dst.Model = append(dst.Model, dst.LogProb...)
	return nil
}

// Vocab and Open implement policy.Decoder.
func (m *bigram) Vocab() int { return vocab }

func (m *bigram) Open(ctx context.Context, prompts [][]int32, k int) (policy.Decode, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := &bigramDecode{m: m}
	for _, x := range prompts {
		for range k {
			d.seqs = append(d.seqs, slices.Clone(x))
		}
	}
	return d, nil
}

type bigramDecode struct {
	m    *bigram
	seqs [][]int32
}

func (d *bigramDecode) Logits(ctx context.Context, dst []float32, rows []int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, r := range rows {
		at := row(d.seqs[r])
		for v := range vocab {
			dst[i*vocab+v] = float32(d.m.theta[at+v])
		}
	}
	return nil
}

func (d *bigramDecode) Append(ctx context.Context, rows []int, ids []int32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, r := range rows {
		d.seqs[r] = append(d.seqs[r], ids[i])
	}
	return nil
}

func (d *bigramDecode) Close() error { return nil }
