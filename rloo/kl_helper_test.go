package rloo_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/rloo"
)

// writer is an autoregressive policy of 3 tokens and at most 3 steps, where token 0 ends a
// reply: 15 replies of 1 to 3 tokens. Its parameters are the logits of 7 prefixes.
type writer struct {
	logits, ref []float64 // 7 × 3
	reward      []float64 // of each reply
	replies     []reply
}

type reply struct{ ids, contexts []int }

func newWriter(seed uint64) writer {
	rng := rand.New(rand.NewPCG(seed, 9))
	w := writer{logits: make([]float64, 21), ref: make([]float64, 21)}
	for i := range w.logits {
		w.logits[i], w.ref[i] = 0.8*rng.NormFloat64(), 0.8*rng.NormFloat64()
	}
	next := 0 // contexts in the order in which they are met
	var grow func(r reply)
	grow = func(r reply) {
		if n := len(r.ids); n == 3 || n > 0 && r.ids[n-1] == 0 {
			w.replies = append(w.replies, r)
			w.reward = append(w.reward, rng.NormFloat64())
			return
		}
		c := next
		next++
		for id := range 3 {
			grow(reply{append(append([]int{}, r.ids...), id), append(append([]int{}, r.contexts...), c)})
		}
	}
	grow(reply{})
	return w
}

// row is the log-probabilities after a prefix.
func row(logits []float64, context int) []float64 { return logSoftmax(logits[3*context : 3*context+3]) }

// logp are the log-probabilities of the tokens of a reply.
func (r reply) logp(logits []float64) []float64 {
	out := make([]float64, len(r.ids))
	for t, id := range r.ids {
		out[t] = row(logits, r.contexts[t])[id]
	}
	return out
}

// expect is E_π[f] for a policy given by logits.
func (w writer) expect(logits []float64, f func(i int, r reply) float64) float64 {
	sum := 0.0
	for i, r := range w.replies {
		sum += math.Exp(floats.Sum(r.logp(logits))) * f(i, r)
	}
	return sum
}

// kl is KL(a‖b) of sequences.
func (w writer) kl(a, b []float64) float64 {
	return w.expect(a, func(_ int, r reply) float64 { return floats.Sum(r.logp(a)) - floats.Sum(r.logp(b)) })
}

// gradient is the central difference of an objective of the logits.
func gradient(at []float64, f func(logits []float64) float64) []float64 {
	return fd.Gradient(nil, f, at, &fd.Settings{Formula: fd.Central})
}

// batch is k replies in flat slices, each after a prompt of two, with a masked position before
// the last token of every reply: what must not be read is NaN.
type batch struct {
	layout         rloo.Layout
	logp, ref      []float64
	kl, entropy    []float64 // of the next-token distribution
	reward         []float64
	ids, contexts  []int // −1 where nothing counts
	policy, weight []float64
}

func (w writer) batch(ys []int) batch {
	b := batch{layout: rloo.Layout{Begin: []int{0}}, policy: w.logits}
	add := func(counts bool, id, c int, lp, ref, kl, h float64) {
		b.layout.Mask = append(b.layout.Mask, counts)
		b.ids, b.contexts = append(b.ids, id), append(b.contexts, c)
		b.logp, b.ref, b.kl, b.entropy = append(b.logp, lp), append(b.ref, ref), append(b.kl, kl), append(b.entropy, h)
	}
	nan := math.NaN()
	for _, y := range ys {
		r := w.replies[y]
		add(true, -1, -1, nan, nan, nan, nan)
		add(true, -1, -1, nan, nan, nan, nan)
		logp, ref := r.logp(w.logits), r.logp(w.ref)
		for t, id := range r.ids {
			if t == len(r.ids)-1 {
				add(false, -1, -1, nan, nan, nan, nan)
			}
			p, q := row(w.logits, r.contexts[t]), row(w.ref, r.contexts[t])
			kl, h := 0.0, 0.0
			for v, lp := range p {
				kl += math.Exp(lp) * (lp - q[v])
				h -= math.Exp(lp) * lp
			}
			add(true, id, r.contexts[t], logp[t], ref[t], kl, h)
		}
		b.layout.Begin = append(b.layout.Begin, len(b.logp))
		b.layout.Prompt = append(b.layout.Prompt, 2)
		b.reward = append(b.reward, w.reward[y])
	}
	b.weight = make([]float64, len(b.logp))
	floats.AddConst(nan, b.weight)
	return b
}

// pullback is (1/k)·Σ w_t·∇ log π(y_t); weights where nothing counts must be 0.
func (b batch) pullback(t *testing.T, w []float64) []float64 {
	g := make([]float64, len(b.policy))
	for p, c := range b.contexts {
		if c < 0 {
			require.Zero(t, w[p])
			continue
		}
		for v, lp := range row(b.policy, c) {
			g[3*c+v] -= w[p] * math.Exp(lp)
		}
		g[3*c+b.ids[p]] += w[p]
	}
	floats.Scale(1/float64(len(b.reward)), g)
	return g
}

// mean is the expectation of an estimator over all k replies of π, or of behaviour.
func (w writer) mean(t *testing.T, k int, behaviour []float64, estimate func(b batch) []float64) []float64 {
	if behaviour == nil {
		behaviour = w.logits
	}
	out, ys := make([]float64, len(w.logits)), make([]int, k)
	var rec func(i int, l float64)
	rec = func(i int, l float64) {
		if i == k {
			floats.AddScaled(out, math.Exp(l), estimate(w.batch(ys)))
			return
		}
		for y, r := range w.replies {
			ys[i] = y
			rec(i+1, l+floats.Sum(r.logp(behaviour)))
		}
	}
	rec(0, 0)
	return out
}

// same asserts that a mean is the finite difference, and that each wrong variant is rejected
// by the same comparison, with a margin of a thousand times the tolerance.
func same(t *testing.T, want, got []float64, wrong ...[]float64) {
	t.Helper()
	const tolerance = 2e-8
	assert.LessOrEqual(t, floats.Distance(want, got, math.Inf(1)), tolerance)
	for i, g := range wrong {
		assert.Greater(t, floats.Distance(want, g, math.Inf(1)), 1000*tolerance, "the check accepts wrong variant %d", i)
	}
}
