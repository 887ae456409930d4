package rloo_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/rloo"
)

// With leave-one-out advantages and k1 it is Reward, to the bit.
func TestRegularisedRewardIsReward(t *testing.T) {
	reward, logp, ref := randomSamples(24)
	want, got := make([]float64, 24), make([]float64, 24)
	for _, beta := range []float64{0, 0.3} {
		for _, k := range []int{2, 3, 8} {
			require.NoError(t, rloo.Reward(want, reward, logp, ref, beta, k))
			s, err := rloo.RegularisedReward{Advantage: rloo.RLOO{}, Beta: beta, Penalty: rloo.K1}.Eval(got, reward, logp, ref, rloo.Groups{K: k})
			require.NoError(t, err)
			assert.Equal(t, want, got)
			assert.Equal(t, rloo.Signal{Groups: 24 / k}, s)
		}
	}
	_, err := rloo.RegularisedReward{Advantage: rloo.RLOO{}}.Eval(got, reward, nil, nil, rloo.Groups{K: 2})
	require.NoError(t, err, "β = 0 reads no log-probabilities")
}

// Defect 13: the KL is inside the baseline. A reference that is off by a constant factor, as
// one that is not normalised is, then changes nothing.
func TestKLBeforeTheBaseline(t *testing.T) {
	reward, logp, ref := randomSamples(12)
	g := rloo.Groups{K: 3}
	e := rloo.RegularisedReward{Advantage: rloo.RLOO{}, Beta: 0.5}
	inside, after := make([]float64, 12), make([]float64, 12)
	weights := func(ref []float64) {
		_, err := e.Eval(inside, reward, logp, ref, g)
		require.NoError(t, err)
		rloo.LeaveOneOut(after, reward, 3) // the defect: the baseline first, the KL after it
		for i := range after {
			after[i] -= e.Beta * (logp[i] - ref[i])
		}
	}
	weights(ref)
	a, b := append([]float64{}, inside...), append([]float64{}, after...)
	shifted := append([]float64{}, ref...)
	floats.AddConst(-64, shifted)
	weights(shifted)
	assert.InDeltaSlice(t, a, inside, 1e-12)
	assert.Greater(t, floats.Distance(b, after, math.Inf(1)), 31.0, "the check accepts the defect")
}

// ∇(E r − β·KL) by all draws of five responses: unbiased with leave-one-out, by (k−1)/k with
// the group mean.
func TestTheoryRegularisedReward(t *testing.T) {
	const beta = 0.4
	for _, c := range []struct{ n, k int }{{5, 2}, {5, 3}, {4, 4}} {
		t.Run(fmt.Sprintf("n=%d/k=%d", c.n, c.k), func(t *testing.T) {
			p := randomSoftmax(uint64(c.k), c.n)
			want := gradient(p.logits, func(x []float64) float64 { return p.value(x, beta) })
			by := func(a rloo.Advantage, beta float64) []float64 {
				out, w := make([]float64, c.n), make([]float64, c.k)
				p.draws(c.k, func(ys []int, prob float64) {
					_, err := rloo.RegularisedReward{Advantage: a, Beta: beta}.Eval(w, gather(p.reward, ys), gather(logSoftmax(p.logits), ys), gather(p.ref, ys), rloo.Groups{K: c.k})
					require.NoError(t, err)
					floats.AddScaled(out, prob, estimate(w, p.scores(), ys))
				})
				return out
			}
			biased := by(rloo.GroupMean{}, beta)
			same(t, want, by(rloo.RLOO{}, beta), biased, by(rloo.RLOO{}, 0), by(rloo.RLOO{}, beta/2))
			floats.Scale(float64(c.k)/float64(c.k-1), biased)
			same(t, want, biased)
		})
	}
}

// The same by tokens of sequences. Defect 40: the KL of the token alone drops the future.
func TestTheoryRegularisedRewardOfTokens(t *testing.T) {
	const beta = 0.4
	for _, k := range []int{2, 3} {
		w := newWriter(uint64(k))
		want := gradient(w.logits, func(x []float64) float64 {
			return w.expect(x, func(i int, r reply) float64 {
				return w.reward[i] - beta*(floats.Sum(r.logp(x))-floats.Sum(r.logp(w.ref)))
			})
		})
		g, seq := rloo.Groups{K: k}, make([]float64, k)
		e := rloo.RegularisedReward{Advantage: rloo.RLOO{}, Beta: beta}
		whole := w.mean(t, k, nil, func(b batch) []float64 {
			s, err := e.Tokens(b.weight, seq, b.reward, b.logp, b.ref, b.layout, g)
			require.NoError(t, err)
			require.Equal(t, 1, s.Groups)
			return b.pullback(t, b.weight)
		})
		noFuture := w.mean(t, k, nil, func(b batch) []float64 {
			_, err := rloo.RLOO{}.Eval(seq, b.reward, g)
			require.NoError(t, err)
			rloo.Spread(b.weight, seq, b.layout)
			short := make([]float64, len(b.weight))
			require.NoError(t, rloo.ReverseKLInLoss(short, b.logp, b.ref, nil, b.layout))
			floats.AddScaled(b.weight, -beta, short)
			return b.pullback(t, b.weight)
		})
		noKL := w.mean(t, k, nil, func(b batch) []float64 {
			_, err := rloo.RegularisedReward{Advantage: rloo.RLOO{}}.Tokens(b.weight, seq, b.reward, nil, nil, b.layout, g)
			require.NoError(t, err)
			return b.pullback(t, b.weight)
		})
		same(t, want, whole, noFuture, noKL)
		same(t, gradient(w.logits, func(x []float64) float64 {
			return w.expect(x, func(i int, _ reply) float64 { return w.reward[i] })
		}), noKL)
	}
}

func TestRegularisedRewardErrors(t *testing.T) {
	nan := math.NaN()
	g, zero, dst := rloo.Groups{K: 2}, make([]float64, 2), make([]float64, 2)
	eval := func(e rloo.RegularisedReward, reward, logp, ref []float64) error {
		_, err := e.Eval(dst, reward, logp, ref, g)
		return err
	}
	a := rloo.RLOO{}
	assert.EqualError(t, eval(rloo.RegularisedReward{Advantage: a, Beta: -1}, zero, zero, zero), "rloo: RegularisedReward.Beta = -1, must be finite and not negative")
	assert.EqualError(t, eval(rloo.RegularisedReward{Advantage: a, Beta: nan}, zero, zero, zero), "rloo: RegularisedReward.Beta = NaN, must be finite and not negative")
	assert.EqualError(t, eval(rloo.RegularisedReward{Advantage: a, Penalty: 4}, zero, zero, zero), "rloo: RegularisedReward.Penalty = KLValue(4), must be k1, k2 or k3")
	one := rloo.RegularisedReward{Advantage: a, Beta: 1}
	assert.EqualError(t, eval(one, []float64{0, nan}, zero, zero), "rloo: reward[1] = NaN, must be finite")
	assert.EqualError(t, eval(one, zero, []float64{nan, 0}, zero), "rloo: logp[0] = NaN, must be finite")
	assert.EqualError(t, eval(rloo.RegularisedReward{Advantage: a, Beta: 1, Penalty: rloo.K3}, zero, []float64{0, -800}, zero), "rloo: k3[1] overflows at a log-ratio of -800")
	_, err := one.Eval(dst, zero, zero, zero, rloo.Groups{K: 2, Dependent: true})
	assert.ErrorIs(t, err, rloo.ErrDependent)
	_, err = one.Tokens(dst, dst, zero, zero, zero, rloo.Layout{}, rloo.Groups{K: 2, Dependent: true})
	assert.ErrorIs(t, err, rloo.ErrDependent)
	_, err = rloo.RegularisedReward{Advantage: a, Beta: 1, Penalty: rloo.K3}.Tokens(dst, zero, zero, zero, zero, rloo.Layout{}, g)
	assert.EqualError(t, err, "rloo: RegularisedReward.Penalty = k3, must be k1 for tokens")
	_, err = one.Tokens(dst, make([]float64, 2), zero, []float64{0, nan}, zero, rloo.Layout{}, g)
	assert.EqualError(t, err, "rloo: logp[1] = NaN, must be finite")

	const lengths = "rloo: slices of different lengths"
	assert.PanicsWithValue(t, "rloo: RegularisedReward without Advantage", func() { _ = eval(rloo.RegularisedReward{}, zero, zero, zero) })
	assert.PanicsWithValue(t, lengths, func() { _ = eval(one, zero[:1], zero, zero) })
	assert.PanicsWithValue(t, lengths, func() { _ = eval(one, zero, nil, nil) })
	assert.PanicsWithValue(t, lengths, func() { _, _ = one.Tokens(dst, dst[:1], zero, zero, zero, rloo.Layout{}, g) })
	assert.PanicsWithValue(t, lengths, func() { _, _ = one.Tokens(dst, dst, zero[:1], zero, zero, rloo.Layout{}, g) })
	assert.PanicsWithValue(t, lengths, func() { _, _ = one.Tokens(dst, make([]float64, 2), zero, zero[:1], zero, rloo.Layout{}, g) })
	assert.PanicsWithValue(t, lengths, func() { rloo.Spread(dst, zero[:1], rloo.Layout{}) })
}

// A group whose rewards are alike has no signal but that of its KL; it is counted.
func TestRegularisedRewardSignal(t *testing.T) {
	dst := make([]float64, 4)
	s, err := rloo.RegularisedReward{Advantage: rloo.RLOO{}}.Eval(dst, []float64{1, 1, 0, 1}, nil, nil, rloo.Groups{K: 2})
	require.NoError(t, err)
	assert.Equal(t, rloo.Signal{Groups: 2, Flat: 1}, s)
	assert.Equal(t, []float64{0, 0, -1, 1}, dst)
	seq := make([]float64, 2)
	s, err = rloo.RegularisedReward{Advantage: rloo.RLOO{}, Beta: 1}.Tokens(dst, seq, []float64{5, 5}, []float64{-1, -2, -3, -1}, []float64{-1, -1, -1, -1}, rloo.Layout{Begin: []int{0, 2, 4}}, rloo.Groups{K: 2})
	require.NoError(t, err)
	assert.Equal(t, rloo.Signal{Groups: 1, Flat: 1}, s)
	assert.Equal(t, []float64{-1, 1, 1, -1}, dst) // to go: (−1, −1) and (−2, 0)
}
