package rloo_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/rloo"
)

// softmax is a policy over few responses, with its reference and a reward.
type softmax struct{ logits, ref, reward []float64 }

func randomSoftmax(seed uint64, n int) softmax {
	rng := rand.New(rand.NewPCG(seed, 5))
	p := softmax{make([]float64, n), make([]float64, n), make([]float64, n)}
	for i := range n {
		p.logits[i], p.ref[i], p.reward[i] = rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()
	}
	p.ref = logSoftmax(p.ref)
	return p
}

func logSoftmax(logits []float64) []float64 {
	p := append([]float64(nil), logits...)
	floats.AddConst(-floats.LogSumExp(p), p)
	return p
}

// value is E[r] − β·KL at some logits.
func (p softmax) value(logits []float64, beta float64) float64 {
	sum := 0.0
	for i, lp := range logSoftmax(logits) {
		sum += math.Exp(lp) * (p.reward[i] - beta*(lp-p.ref[i]))
	}
	return sum
}

// scores is ∇ log π(y) for each y, with respect to the logits: e_y − π.
func (p softmax) scores() [][]float64 {
	s := make([][]float64, len(p.logits))
	for y := range s {
		s[y] = make([]float64, len(s))
		for j, lp := range logSoftmax(p.logits) {
			s[y][j] = -math.Exp(lp)
		}
		s[y][y]++
	}
	return s
}

// draws visits all yᵏ with their probabilities.
func (p softmax) draws(k int, visit func(ys []int, prob float64)) {
	logp := logSoftmax(p.logits)
	ys := make([]int, k)
	var rec func(i int, l float64)
	rec = func(i int, l float64) {
		if i == k {
			visit(ys, math.Exp(l))
			return
		}
		for y, lp := range logp {
			ys[i] = y
			rec(i+1, l+lp)
		}
	}
	rec(0, 0)
}

// gather is v at each of ys.
func gather(v []float64, ys []int) []float64 {
	out := make([]float64, len(ys))
	for i, y := range ys {
		out[i] = v[y]
	}
	return out
}

// estimate is (1/k)·Σ wᵢ·∇ log π(yᵢ).
func estimate(w []float64, scores [][]float64, ys []int) []float64 {
	g := make([]float64, len(scores))
	for i, y := range ys {
		floats.AddScaled(g, w[i]/float64(len(ys)), scores[y])
	}
	return g
}

// klWeights are the weights of rloo.KL for one group of draws.
func (p softmax) klWeights(t *testing.T, ys []int) []float64 {
	w := make([]float64, len(ys))
	require.NoError(t, rloo.KL(w, gather(logSoftmax(p.logits), ys), gather(p.ref, ys), len(ys)))
	return w
}

var small = []struct{ n, k int }{{5, 2}, {4, 3}, {3, 5}, {2, 8}}

// The score has mean 0, and E[ℓ·∇ log π] = ∇ KL(π‖π_ref): the derivative of ℓ itself drops out.
func TestTheoryScoreFunction(t *testing.T) {
	p := randomSoftmax(1, 6)
	mean, grad := make([]float64, 6), make([]float64, 6)
	for y, lp := range logSoftmax(p.logits) {
		floats.AddScaled(mean, math.Exp(lp), p.scores()[y])
		floats.AddScaled(grad, math.Exp(lp)*(lp-p.ref[y]), p.scores()[y])
	}
	assert.InDeltaSlice(t, make([]float64, 6), mean, 1e-16)
	kl := func(x []float64) float64 { return -softmax{nil, p.ref, make([]float64, 6)}.value(x, 1) }
	want := fd.Gradient(nil, kl, p.logits, &fd.Settings{Formula: fd.Central})
	assert.InDeltaSlice(t, want, grad, 1e-8)
}

// Over all yᵏ the mean of the estimators is the gradient: exactly, and by finite differences
// of the enumerated objective.
func TestTheoryUnbiased(t *testing.T) {
	const beta = 0.4
	for _, c := range small {
		t.Run(fmt.Sprintf("n=%d/k=%d", c.n, c.k), func(t *testing.T) {
			p := randomSoftmax(uint64(c.n), c.n)
			logp, scores := logSoftmax(p.logits), p.scores()
			kl, reward := make([]float64, c.n), make([]float64, c.n)
			w := make([]float64, c.k)
			p.draws(c.k, func(ys []int, prob float64) {
				floats.AddScaled(kl, prob, estimate(p.klWeights(t, ys), scores, ys))
				require.NoError(t, rloo.Reward(w, gather(p.reward, ys), gather(logp, ys), gather(p.ref, ys), beta, c.k))
				floats.AddScaled(reward, prob, estimate(w, scores, ys))
			})
			exactKL, exactReward := make([]float64, c.n), make([]float64, c.n)
			for y, lp := range logp {
				floats.AddScaled(exactKL, math.Exp(lp)*(lp-p.ref[y]), scores[y])
				floats.AddScaled(exactReward, math.Exp(lp)*(p.reward[y]-beta*(lp-p.ref[y])), scores[y])
			}
			assert.InDeltaSlice(t, exactKL, kl, 1e-14)
			assert.InDeltaSlice(t, exactReward, reward, 1e-14)

			zero := softmax{p.logits, p.ref, make([]float64, c.n)}
			central := &fd.Settings{Formula: fd.Central}
			assert.InDeltaSlice(t, fd.Gradient(nil, func(x []float64) float64 { return -zero.value(x, 1) }, p.logits, central), kl, 1e-8)
			assert.InDeltaSlice(t, fd.Gradient(nil, func(x []float64) float64 { return p.value(x, beta) }, p.logits, central), reward, 1e-8)
		})
	}
}

// For every draw the estimate is the U-statistic with kernel ½(s_i − s_j)(ℓ_i − ℓ_j).
func TestTheoryUStatistic(t *testing.T) {
	for _, c := range small {
		p := randomSoftmax(uint64(c.k), c.n)
		scores, logp := p.scores(), logSoftmax(p.logits)
		p.draws(c.k, func(ys []int, _ float64) {
			u := make([]float64, c.n)
			for i, a := range ys {
				for _, b := range ys[:i] {
					kernel := 0.5 * (logp[a] - p.ref[a] - logp[b] + p.ref[b])
					floats.AddScaled(u, kernel, scores[a])
					floats.AddScaled(u, -kernel, scores[b])
				}
			}
			floats.Scale(2/float64(c.k*(c.k-1)), u)
			assert.InDeltaSlice(t, u, estimate(p.klWeights(t, ys), scores, ys), 1e-14)
		})
	}
}

// variances returns, for coordinate 0, the variance of the leave-one-out estimate by
// enumeration, what the identity in the package comment says, and the variance of REINFORCE
// without a baseline.
func (p softmax) variances(t *testing.T, k int) (enumerated, identity, reinforce float64) {
	scores, logp := p.scores(), logSoftmax(p.logits)
	var sc, s2, c2, s2c2, kl, raw float64
	for y, lp := range logp {
		kl += math.Exp(lp) * (lp - p.ref[y])
	}
	for y, lp := range logp {
		q, s, l := math.Exp(lp), scores[y][0], lp-p.ref[y]
		c := l - kl
		sc += q * s * c
		s2 += q * s * s
		c2 += q * c * c
		s2c2 += q * s * s * c * c
		raw += q * s * s * l * l
	}
	m := float64(k)
	identity = (s2c2 - (m-2)/(m-1)*sc*sc + s2*c2/(m-1)) / m
	reinforce = (raw - sc*sc) / m
	p.draws(k, func(ys []int, prob float64) {
		d := estimate(p.klWeights(t, ys), scores, ys)[0] - sc
		enumerated += prob * d * d
	})
	return enumerated, identity, reinforce
}

func TestTheoryVarianceIdentity(t *testing.T) {
	for _, c := range small {
		for seed := range uint64(5) {
			enumerated, identity, _ := randomSoftmax(seed, c.n).variances(t, c.k)
			require.Greater(t, identity, 1e-4)
			assert.InEpsilon(t, identity, enumerated, 1e-12, "%+v", c)
		}
	}
}

// Leave-one-out has not always less variance than REINFORCE. Near the reference, where the
// mean of ℓ is about 0, a baseline has nothing to remove and adds its own noise; with a
// large constant on ℓ, as from a reference that is not normalised, it removes almost all.
func TestTheoryVarianceSign(t *testing.T) {
	for seed := range uint64(5) {
		p := randomSoftmax(seed, 4)
		copy(p.logits, p.ref)
		floats.AddScaled(p.logits, 0.05, p.reward)
		loo, _, reinforce := p.variances(t, 2)
		assert.Greater(t, loo, reinforce)

		floats.AddConst(-10, p.ref)
		shifted, _, worse := p.variances(t, 2)
		assert.InEpsilon(t, loo, shifted, 1e-9)
		assert.Less(t, shifted, worse/100)
	}
}
