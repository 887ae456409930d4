package rloo_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/rloo"
)

// onPolicy is E_π[w(ℓ)·∇ log π] of a policy that chooses once.
func (p softmax) onPolicy(w func(l float64) float64) []float64 {
	g, scores := make([]float64, len(p.logits)), p.scores()
	for y, lp := range logSoftmax(p.logits) {
		floats.AddScaled(g, math.Exp(lp)*w(lp-p.ref[y]), scores[y])
	}
	return g
}

func (p softmax) forwardKL(logits []float64) float64 {
	sum := 0.0
	for y, lp := range logSoftmax(logits) {
		sum += math.Exp(p.ref[y]) * (p.ref[y] - lp)
	}
	return sum
}

// weights calls a weight function on single samples of every response.
func (p softmax) weights(t *testing.T, f func(dst, logp, ref []float64) error) func(l float64) float64 {
	logp := logSoftmax(p.logits)
	dst := make([]float64, len(logp))
	require.NoError(t, f(dst, logp, p.ref))
	return func(l float64) float64 {
		for y, lp := range logp {
			if lp-p.ref[y] == l {
				return dst[y]
			}
		}
		t.Fatal("no such log-ratio")
		return 0
	}
}

// Property 9: what k1, k2 and k3 do to a gradient, in the loss and in the reward. Every claim
// is a finite difference of a divergence, and every neighbouring claim is rejected by it.
func TestTheoryGradientTrap(t *testing.T) {
	for seed := range uint64(4) {
		p := randomSoftmax(seed, 5)
		reverse := gradient(p.logits, p.kl)
		forward := gradient(p.logits, p.forwardKL)
		zero := make([]float64, 5)

		k1 := p.onPolicy(func(float64) float64 { return 1 })
		k2 := p.onPolicy(p.weights(t, func(dst, logp, ref []float64) error {
			return rloo.ReverseKLInLoss(dst, logp, ref, nil, rloo.Layout{})
		}))
		k3 := p.onPolicy(p.weights(t, func(dst, logp, ref []float64) error { return rloo.ForwardKLInLoss(dst, logp, ref, rloo.Layout{}) }))
		same(t, zero, k1, k2, k3)
		same(t, reverse, k2, k1, k3)
		same(t, forward, k3, k1, k2)

		// In the reward: minus the derivative of the penalty, by all pairs of draws.
		inReward := func(v rloo.KLValue) []float64 {
			out := make([]float64, 5)
			e := rloo.RegularisedReward{Advantage: rloo.RLOO{}, Beta: 1, Penalty: v}
			p.draws(2, func(ys []int, prob float64) {
				w := make([]float64, 2)
				_, err := e.Eval(w, zero[:2], gather(logSoftmax(p.logits), ys), gather(p.ref, ys), rloo.Groups{K: 2})
				require.NoError(t, err)
				floats.AddScaled(out, -prob, estimate(w, p.scores(), ys))
			})
			return out
		}
		difference := append([]float64{}, reverse...)
		floats.Sub(difference, forward)
		r1, r2, r3 := inReward(rloo.K1), inReward(rloo.K2), inReward(rloo.K3)
		same(t, reverse, r1, r2, r3)
		same(t, difference, r3, r1, r2)
		same(t, p.onPolicy(func(l float64) float64 { return l * l / 2 }), r2, reverse, forward, difference)
		same(t, r1, inReward(0)) // K1 is the default
	}
}

// k3 in the reward hardly resists: near π_ref its gradient is of second order, k1's of first.
func TestTheoryK3InRewardIsNoRegulariser(t *testing.T) {
	p := randomSoftmax(1, 5)
	norm := func(step float64) (reverse, difference float64) {
		for i, r := range p.reward {
			p.logits[i] = p.ref[i] + step*r
		}
		k1 := p.onPolicy(func(l float64) float64 { return l })
		k3 := p.onPolicy(func(l float64) float64 { return math.Exp(-l) - 1 + l })
		return floats.Norm(k1, 2), floats.Norm(k3, 2)
	}
	a1, a3 := norm(0.02)
	b1, b3 := norm(0.01)
	assert.InDelta(t, 2, a1/b1, 0.05)
	assert.InDelta(t, 4, a3/b3, 0.1)
	assert.Less(t, b3, b1/50)
}

// ρ·k3, with the ratio differentiated too, has the gradient of the reverse KL from samples of
// another policy; ρ held fixed gives the forward one's.
func TestTheoryRatioTimesK3(t *testing.T) {
	for seed := range uint64(4) {
		p := randomSoftmax(seed, 5)
		mu, logp := randomSoftmax(seed+10, 5).ref, logSoftmax(p.logits)
		w := make([]float64, 5)
		require.NoError(t, rloo.ReverseKLInLoss(w, logp, p.ref, mu, rloo.Layout{}))
		got, fixed := make([]float64, 5), make([]float64, 5)
		for y, s := range p.scores() {
			floats.AddScaled(got, math.Exp(mu[y])*w[y], s)
			floats.AddScaled(fixed, math.Exp(logp[y])*(1-math.Exp(p.ref[y]-logp[y])), s)
		}
		same(t, gradient(p.logits, p.kl), got, fixed)
		same(t, gradient(p.logits, p.forwardKL), fixed, got)

		// The weights are the derivatives of e^{log π − log μ}·k3(log π − log π_ref).
		term := func(x []float64) float64 {
			sum := 0.0
			for y, lp := range x {
				sum += math.Exp(lp-mu[y]) * (math.Exp(p.ref[y]-lp) - 1 + lp - p.ref[y])
			}
			return sum
		}
		same(t, gradient(logp, term), w)
	}
}

// Sequences: the exact gradients of both KLs by tokens, and what the short forms that leave
// out the future, or the prefix, are instead.
func TestTheorySequenceKL(t *testing.T) {
	for seed := range uint64(3) {
		w := newWriter(seed)
		reverse := gradient(w.logits, func(x []float64) float64 { return w.kl(x, w.ref) })
		forward := gradient(w.logits, func(x []float64) float64 { return w.kl(w.ref, x) })

		// Σ_t KL_t over prefixes of a policy that does not move.
		short := gradient(w.logits, func(x []float64) float64 {
			return w.expect(w.logits, func(_ int, r reply) float64 { return rowKLs(r, x, w.ref) })
		})
		shortForward := gradient(w.logits, func(x []float64) float64 {
			return w.expect(w.logits, func(_ int, r reply) float64 { return rowKLs(r, w.ref, x) })
		})
		by := func(k int, f func(b batch) error) []float64 {
			return w.mean(t, k, nil, func(b batch) []float64 { require.NoError(t, f(b)); return b.pullback(t, b.weight) })
		}
		noFuture := by(1, func(b batch) error { return rloo.ReverseKLInLoss(b.weight, b.logp, b.ref, nil, b.layout) })
		noRatio := by(1, func(b batch) error { return rloo.ForwardKLInLoss(b.weight, b.logp, b.ref, b.layout) })
		for _, k := range []int{1, 2, 3} {
			same(t, reverse, by(k, func(b batch) error { return rloo.ReverseKL(b.weight, b.logp, b.ref, b.layout, rloo.Groups{K: k}) }), noFuture)
		}
		same(t, forward, by(1, func(b batch) error { return rloo.ForwardKL(b.weight, b.logp, b.ref, b.layout) }), noRatio)
		same(t, short, noFuture, reverse)
		same(t, shortForward, noRatio, forward)

		// From samples of the reference: the weight −1 on every token.
		fromRef := w.mean(t, 1, w.ref, func(b batch) []float64 {
			rloo.Spread(b.weight, []float64{-1}, b.layout)
			return b.pullback(t, b.weight)
		})
		same(t, forward, fromRef, reverse)
	}
}

// rowKLs is Σ_t KL(a(·|y_<t)‖b(·|y_<t)) along a reply.
func rowKLs(r reply, a, b []float64) float64 {
	sum := 0.0
	for _, c := range r.contexts {
		q := row(b, c)
		for v, lp := range row(a, c) {
			sum += math.Exp(lp) * (lp - q[v])
		}
	}
	return sum
}

// The Rao–Blackwellised KL and the entropy of sequences: their own derivatives drop that the
// prefixes move, and the weights on log π put it back.
func TestTheoryRaoBlackwell(t *testing.T) {
	w := newWriter(5)
	entropy := func(x []float64) float64 {
		return w.expect(x, func(_ int, r reply) float64 { return -floats.Sum(r.logp(x)) })
	}
	kl := func(x []float64) float64 { return w.kl(x, w.ref) }
	for _, c := range []struct {
		name      string
		objective func([]float64) float64
		stat      func(b batch) []float64
		slope     func(p, q []float64, v int) float64 // ∂f/∂z_v
	}{
		{"KL", kl, func(b batch) []float64 { return b.kl }, func(p, q []float64, v int) float64 {
			return math.Exp(p[v]) * (p[v] - q[v] - mean(p, func(u int) float64 { return p[u] - q[u] }))
		}},
		{"entropy", entropy, func(b batch) []float64 { return b.entropy }, func(p, _ []float64, v int) float64 {
			return -math.Exp(p[v]) * (p[v] - mean(p, func(u int) float64 { return p[u] }))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := gradient(w.logits, c.objective)
			for _, k := range []int{1, 2, 3} {
				var own, value []float64
				estimate := func(b batch) []float64 {
					f := make([]float64, len(b.logp))
					require.NoError(t, rloo.SequenceSum(b.weight, f, c.stat(b), b.layout, rloo.Groups{K: k}))
					own, value = make([]float64, len(w.logits)), []float64{0}
					for p, x := range b.contexts {
						if x < 0 {
							require.Zero(t, f[p])
							continue
						}
						value[0] += c.stat(b)[p] / float64(k)
						for v := range 3 {
							own[3*x+v] += f[p] / float64(k) * c.slope(row(w.logits, x), row(w.ref, x), v)
						}
					}
					return b.pullback(t, b.weight)
				}
				full := w.mean(t, k, nil, func(b batch) []float64 {
					g := estimate(b)
					floats.Add(g, own)
					return g
				})
				dropped := w.mean(t, k, nil, func(b batch) []float64 { estimate(b); return own })
				same(t, want, full, dropped)
			}
		})
	}
	same(t, gradient(w.logits, entropy), w.mean(t, 2, nil, func(b batch) []float64 {
		require.NoError(t, rloo.Entropy(b.weight, b.logp, b.layout, rloo.Groups{K: 2}))
		return b.pullback(t, b.weight)
	}))
}

// mean is E_p[f] for log-probabilities p.
func mean(p []float64, f func(v int) float64) float64 {
	sum := 0.0
	for v, lp := range p {
		sum += math.Exp(lp) * f(v)
	}
	return sum
}
