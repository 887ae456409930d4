package rloo_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/rloo"
)

// exact is the policy as rloo.Exact, and its log-ratios.
func (p softmax) exact() (e rloo.Exact, logRatio []float64) {
	for y, lp := range logSoftmax(p.logits) {
		e.Prob = append(e.Prob, math.Exp(lp))
		e.Score = append(e.Score, p.scores()[y]...)
		logRatio = append(logRatio, lp-p.ref[y])
	}
	return e, logRatio
}

// brute visits all yᵏ in order and returns the mean and the variances.
func (p softmax) brute(k int, w func(ys []int) []float64) (mean, variance []float64) {
	n := len(p.logits)
	mean, variance = make([]float64, n), make([]float64, n)
	p.draws(k, func(ys []int, prob float64) { floats.AddScaled(mean, prob, estimate(w(ys), p.scores(), ys)) })
	p.draws(k, func(ys []int, prob float64) {
		for i, v := range estimate(w(ys), p.scores(), ys) {
			variance[i] += prob * (v - mean[i]) * (v - mean[i])
		}
	})
	return mean, variance
}

// Multisets with multinomial weights are all yᵏ, for estimators of every kind.
func TestExactIsEnumeration(t *testing.T) {
	for _, k := range []int{1, 2, 3, 5} {
		p := randomSoftmax(uint64(k), 5)
		e, l := p.exact()
		estimators := map[string]rloo.Weights{
			"RLOO":      rloo.Advantages(rloo.RLOO{}, l),
			"GroupMean": rloo.Advantages(rloo.GroupMean{}, p.reward),
			"raw": func(dst []float64, draws []int) error {
				for i, y := range draws {
					dst[i] = p.reward[y]
				}
				return nil
			},
			"maximum": func(dst []float64, draws []int) error {
				for i := range dst {
					dst[i] = floats.Max(gather(p.reward, draws))
				}
				return nil
			},
		}
		for name, w := range estimators {
			t.Run(fmt.Sprintf("%s/k=%d", name, k), func(t *testing.T) {
				got, err := e.Moments(k, w)
				require.NoError(t, err)
				mean, variance := p.brute(k, func(ys []int) []float64 {
					dst := make([]float64, k)
					require.NoError(t, w(dst, ys))
					return dst
				})
				assert.InDeltaSlice(t, mean, got.Mean, 1e-14)
				assert.InDeltaSlice(t, variance, got.Variance, 1e-13)
				assert.InDelta(t, floats.Sum(variance), got.Trace(), 1e-13)
				assert.InDelta(t, floats.Distance(mean, p.logits, 2), got.Bias(p.logits), 1e-13)
			})
		}
	}
}

// Properties 8 and 10, with variants that the same checks reject.
func TestTheoryLeaveOneOutIsUnbiased(t *testing.T) {
	for _, k := range []int{2, 4, 6} {
		p := randomSoftmax(uint64(k), 5)
		e, l := p.exact()
		want := gradient(p.logits, p.kl)
		ones := make([]float64, 5)
		floats.AddConst(1, ones)
		same(t, make([]float64, 5), e.Gradient(ones), want) // 8: the score has mean 0
		same(t, want, e.Gradient(l))                        // and E[ℓ·∇ log π] is the gradient

		by := func(w rloo.Weights) []float64 {
			m, err := e.Moments(k, w)
			require.NoError(t, err)
			return m.Mean
		}
		groupMean := by(rloo.Advantages(rloo.GroupMean{}, l))
		// A baseline that sees the sample: the maximum of the group.
		best := by(func(dst []float64, draws []int) error {
			copy(dst, gather(l, draws))
			floats.AddConst(-floats.Max(dst), dst)
			return nil
		})
		loo := by(rloo.Advantages(rloo.RLOO{}, l))
		same(t, want, loo, groupMean, best)

		// 10: an estimate of a constant more is the same, draw by draw; of a multiple it is not.
		shifted, scaled := append([]float64{}, l...), append([]float64{}, l...)
		floats.AddConst(7, shifted)
		floats.Scale(1.5, scaled)
		same(t, loo, by(rloo.Advantages(rloo.RLOO{}, shifted)), by(rloo.Advantages(rloo.RLOO{}, scaled)))
	}
}

// Property 10: the U-statistic, for every draw; with the wrong kernel, or the V-statistic's
// denominator k², it is another.
func TestTheoryUStatisticRejects(t *testing.T) {
	p := randomSoftmax(3, 5)
	_, l := p.exact()
	const k = 3
	worst := [3]float64{}
	p.draws(k, func(ys []int, _ float64) {
		w := make([]float64, k)
		require.NoError(t, rloo.Advantages(rloo.RLOO{}, l)(w, ys))
		got := estimate(w, p.scores(), ys)
		for v, c := range [3]struct{ kernel, pairs float64 }{{0.5, k * (k - 1)}, {0.5, k * k}, {1, k * (k - 1)}} {
			u := make([]float64, 5)
			for _, a := range ys {
				for _, b := range ys {
					floats.AddScaled(u, c.kernel*(l[a]-l[b])/c.pairs, p.scores()[a])
					floats.AddScaled(u, -c.kernel*(l[a]-l[b])/c.pairs, p.scores()[b])
				}
			}
			worst[v] = max(worst[v], floats.Distance(u, got, math.Inf(1)))
		}
	})
	assert.Less(t, worst[0], 1e-14)
	assert.Greater(t, worst[1], 0.1)
	assert.Greater(t, worst[2], 0.1)
}

// Property 11: the variance of leave-one-out by its identity, for all k; identities that leave
// a term out are rejected. Its sign against REINFORCE depends on the constant in ℓ.
func TestTheoryLeaveOneOutTrace(t *testing.T) {
	for seed := range uint64(4) {
		p := randomSoftmax(seed, 5)
		e, l := p.exact()
		g := e.Gradient(l)
		norm := floats.Dot(g, g)
		for _, k := range []int{2, 3, 4, 6} {
			m, err := e.Moments(k, rloo.Advantages(rloo.RLOO{}, l))
			require.NoError(t, err)
			got := e.LeaveOneOutTrace(l, k)
			assert.InEpsilon(t, m.Trace(), got, 1e-12)
			// Without the factor (k−2)/(k−1), and the law 1/k from k = 2.
			wrong := got - norm/float64(k*(k-1))
			assert.Greater(t, math.Abs(wrong-m.Trace()), 1e-3*m.Trace(), "the check accepts a wrong identity")
			if k > 2 {
				law := e.LeaveOneOutTrace(l, 2) * 2 / float64(k)
				assert.Greater(t, law, got*(1+1e-3), "1/k is an upper bound, and not exact")
			}
		}
		reinforce := func(f []float64) float64 {
			m, err := e.Moments(2, func(dst []float64, draws []int) error { copy(dst, gather(f, draws)); return nil })
			require.NoError(t, err)
			return m.Trace()
		}
		far := append([]float64{}, l...)
		floats.AddConst(50, far)
		assert.InEpsilon(t, e.LeaveOneOutTrace(l, 2), e.LeaveOneOutTrace(far, 2), 1e-9)
		assert.Greater(t, reinforce(far), 100*e.LeaveOneOutTrace(far, 2))

		centred := append([]float64{}, l...)
		floats.AddConst(-floats.Dot(e.Prob, l), centred)
		assert.Less(t, reinforce(centred), e.LeaveOneOutTrace(centred, 2), "with nothing to remove, a baseline only adds noise")
	}
}

// Biases of estimators that are no gradient of the mean reward, as numbers: the group mean's is
// ‖g‖/k; clipping a reward is the gradient of the clipped one.
func TestExactBias(t *testing.T) {
	p := randomSoftmax(2, 5)
	e, _ := p.exact()
	g := e.Gradient(p.reward)
	for _, k := range []int{2, 3, 6} {
		m, err := e.Moments(k, rloo.Advantages(rloo.GroupMean{}, p.reward))
		require.NoError(t, err)
		assert.InEpsilon(t, floats.Norm(g, 2)/float64(k), m.Bias(g), 1e-12)
		m, err = e.Moments(k, rloo.Advantages(rloo.RLOO{}, p.reward))
		require.NoError(t, err)
		assert.Less(t, m.Bias(g), 1e-14)
	}
}

func TestExactErrors(t *testing.T) {
	e, l := randomSoftmax(1, 5).exact()
	loo := rloo.Advantages(rloo.RLOO{}, l)
	_, err := e.Moments(100, loo)
	assert.EqualError(t, err, "rloo: 5 responses and k = 100 have 4.6e+06 multisets, more than 2000000")
	_, err = e.Moments(2, rloo.Advantages(rloo.RLOO{}, []float64{0, 0, 0, math.NaN(), 0}))
	assert.EqualError(t, err, "rloo: draws [3 4]: rloo: reward[0] = NaN, must be finite")
	broken := errors.New("broken")
	_, err = e.Moments(2, func([]float64, []int) error { return broken })
	assert.ErrorIs(t, err, broken)
	_, err = rloo.Exact{Prob: []float64{1.5, -0.5}, Score: make([]float64, 4)}.Moments(2, loo)
	assert.EqualError(t, err, "rloo: Exact.Prob[1] = -0.5, must not be negative")
	_, err = rloo.Exact{Prob: []float64{0.5, 0.4}, Score: make([]float64, 4)}.Moments(2, loo)
	assert.EqualError(t, err, "rloo: Exact.Prob sums to 0.9, must be 1")

	const lengths = "rloo: slices of different lengths"
	assert.PanicsWithValue(t, lengths, func() { _, _ = rloo.Exact{}.Moments(2, loo) })
	assert.PanicsWithValue(t, lengths, func() { _, _ = rloo.Exact{Prob: e.Prob, Score: e.Score[1:]}.Moments(2, loo) })
	assert.PanicsWithValue(t, lengths, func() { e.Gradient(l[1:]) })
	assert.PanicsWithValue(t, lengths, func() { rloo.Moments{Mean: l}.Bias(l[1:]) })
	assert.PanicsWithValue(t, "rloo: Exact.Moments of k < 1", func() { _, _ = e.Moments(0, loo) })
	assert.PanicsWithValue(t, "rloo: k < 2", func() { e.LeaveOneOutTrace(l, 1) })

	// A response of probability 0 is not visited, whatever its values are.
	with := rloo.Exact{Prob: append([]float64{0}, e.Prob...), Score: append(make([]float64, 5), e.Score...)}
	f := append([]float64{math.Inf(1)}, l...)
	want, err := e.Moments(3, loo)
	require.NoError(t, err)
	got, err := with.Moments(3, rloo.Advantages(rloo.RLOO{}, f))
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Equal(t, e.Gradient(l), with.Gradient(f))
	assert.Equal(t, e.LeaveOneOutTrace(l, 3), with.LeaveOneOutTrace(f, 3))
}
