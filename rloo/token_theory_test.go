package rloo_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/prefgrad/prefgrad/rloo"
)

// tokenRewards is the rewards of the tokens of a batch, in its layout.
func (b batch) tokenRewards(w writer, ys []int) []float64 {
	r := append([]float64(nil), b.logp...)
	for i, y := range ys {
		each, _ := tokenReward(w.replies[y])
		for p := b.layout.Begin[i]; p < b.layout.Begin[i+1]; p++ {
			if b.contexts[p] >= 0 {
				r[p], each = each[0], each[1:]
			}
		}
	}
	return r
}

// With γ = 1 the sums of what is to come are unbiased for the gradient of the sum of rewards.
// With γ < 1 a token's step is that of E[Σ γ^{u−t}·r_u], as only that token's distribution moves.
func TestTheoryRewardToGo(t *testing.T) {
	w := newWriter(4)
	truth := gradient(w.logits, func(x []float64) float64 {
		return w.expect(x, func(_ int, r reply) float64 { _, sum := tokenReward(r); return sum })
	})
	for _, gamma := range []float64{1, 0.6, 0} {
		want := gradient(w.logits, func(x []float64) float64 {
			return w.expect(w.logits, func(_ int, r reply) float64 {
				each, _ := tokenReward(r)
				old, now, sum := r.logp(w.logits), r.logp(x), 0.0
				for at := range each {
					for u := at; u < len(each); u++ {
						sum += math.Exp(now[at]-old[at]) * math.Pow(gamma, float64(u-at)) * each[u]
					}
				}
				return sum
			})
		})
		got := make([]float64, len(want))
		for y, r := range w.replies {
			b := w.batch([]int{y})
			require.NoError(t, rloo.RewardToGo{Gamma: gamma}.Eval(b.weight, b.tokenRewards(w, []int{y}), b.layout))
			floats.AddScaled(got, math.Exp(floats.Sum(r.logp(w.logits))), b.pullback(t, b.weight))
		}
		same(t, want, got)
		if off := floats.Distance(truth, got, math.Inf(1)); gamma == 1 {
			assert.Less(t, off, 1e-8)
		} else {
			assert.Greater(t, off, 1e-2, "γ = %v", gamma)
		}
	}
}

// The mean of REINFORCE++ over all pairs of replies is E[Σ_t a_t·∇ log π(y_t)], with a_t what
// the definition gives on average over the other reply; its direction is not the gradient's.
func TestTheoryReinforcePlusPlus(t *testing.T) {
	w := newWriter(4)
	truth := gradient(w.logits, func(x []float64) float64 {
		return w.expect(x, func(_ int, r reply) float64 { _, sum := tokenReward(r); return sum })
	})
	toGo := make([][]float64, len(w.replies))
	for y, r := range w.replies {
		each, _ := tokenReward(r)
		for at := range each {
			toGo[y] = append(toGo[y], floats.Sum(each[at:]))
		}
	}
	for _, std := range stds {
		want := make([]float64, len(truth))
		for y, r := range w.replies {
			effective := make([]float64, len(toGo[y]))
			for other, s := range w.replies {
				pool := append(append([]float64(nil), toGo[y]...), toGo[other]...)
				if floats.Max(pool) == floats.Min(pool) {
					continue
				}
				prob, mean, spread := math.Exp(floats.Sum(s.logp(w.logits))), stat.Mean(pool, nil), spreadOf(std, pool)
				for at, g := range toGo[y] {
					effective[at] += prob * (g - mean) / spread
				}
			}
			b := w.batch([]int{y})
			weight := append([]float64(nil), b.logp...)
			clear(weight)
			for p, c := range b.contexts {
				if c >= 0 {
					weight[p], effective = effective[0], effective[1:]
				}
			}
			floats.AddScaled(want, math.Exp(floats.Sum(r.logp(w.logits))), b.pullback(t, weight))
		}
		got := make([]float64, len(truth))
		for i, r := range w.replies {
			for j, s := range w.replies {
				b := w.batch([]int{i, j})
				e := rloo.ReinforcePlusPlus{RewardToGo: rloo.RewardToGo{Gamma: 1}, Std: std}
				require.NoError(t, e.Eval(b.weight, b.tokenRewards(w, []int{i, j}), b.layout))
				floats.AddScaled(got, math.Exp(floats.Sum(r.logp(w.logits))+floats.Sum(s.logp(w.logits))), b.pullback(t, b.weight))
			}
		}
		assert.InDeltaSlice(t, want, got, 1e-13, "%+v", std)
		assert.Less(t, cosine(truth, got), 0.99, "%+v", std)
	}
}

// The mean of GDPO is the weighted sum of the means of Standardised, reward by reward.
func TestTheoryGDPO(t *testing.T) {
	p := randomSoftmax(9, 4)
	second := []float64{0, 30, 10, 0}
	const k = 3
	for _, std := range stds {
		got := make([]float64, 4)
		dst := make([]float64, k)
		p.draws(k, func(ys []int, prob float64) {
			_, err := rloo.GDPO{Std: std, Weight: []float64{1, 0.5}}.Eval(dst, [][]float64{gather(p.reward, ys), gather(second, ys)}, rloo.Groups{K: k})
			require.NoError(t, err)
			for i, y := range ys {
				floats.AddScaled(got, prob*dst[i]/k, p.scores()[y])
			}
		})
		q := p
		q.reward = second
		want := expectation(t, []softmax{p}, []int{k}, always(rloo.Standardised{Std: std}))[0]
		floats.AddScaled(want, 0.5, expectation(t, []softmax{q}, []int{k}, always(rloo.Standardised{Std: std}))[0])
		assert.InDeltaSlice(t, want, got, 1e-14)
		assert.Greater(t, floats.Norm(got, 2), 0.05)
		sum := append([]float64(nil), p.reward...)
		floats.AddScaled(sum, 0.5, second)
		assert.Less(t, cosine(got, p.policyGradient(sum, 1)), 0.999)
	}
}
