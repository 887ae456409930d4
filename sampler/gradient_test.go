package sampler_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
)

const replyCount = 3

// beats is the probability that one of three replies is preferred to another, with a cycle.
var beats = [replyCount][replyCount]float64{{0.5, 0.9, 0.2}, {0.1, 0.5, 0.7}, {0.8, 0.3, 0.5}}

var byTable = sampler.JudgeFunc[int, int](func(_ context.Context, dst []float64, _, as, bs []int) error {
	for i := range dst {
		dst[i] = beats[as[i]][bs[i]]
	}
	return nil
})

// newTable returns a policy over three replies.
func newTable(theta ...float64) *policy.Tabular {
	p := policy.NewTabular(1, replyCount, nil)
	copy(p.Params(), theta)
	return p
}

func logProbs(t *testing.T, p policy.Policy[int, int]) []float64 {
	l := make([]float64, replyCount)
	require.NoError(t, p.LogProbs(ctx, l, make([]int, replyCount), []int{0, 1, 2}))
	return l
}

// everySample visits all ways of drawing n replies, as the digits of a number.
func everySample(n int, visit func(ys []int)) {
	ys := make([]int, n)
	for code := range int(math.Pow(replyCount, float64(n))) {
		for i := range ys {
			ys[i] = code % replyCount
			code /= replyCount
		}
		visit(ys)
	}
}

// differences returns the gradient of f at theta by central differences.
func differences(theta []float64, f func(theta []float64) float64) []float64 {
	const h = 1e-5
	g := make([]float64, len(theta))
	for i := range theta {
		up, down := append([]float64{}, theta...), append([]float64{}, theta...)
		up[i], down[i] = up[i]+h, down[i]-h
		g[i] = (f(up) - f(down)) / (2 * h)
	}
	return g
}

// Nash-MD's batch, over all draws of policy and mixture, gives the gradient of the reply's
// preference over the mixture, which stands still, and of the KL to the reference, in which
// nothing is dropped (defect 40).
func TestNashMDIsUnbiased(t *testing.T) {
	const k, beta, a = 2, 0.3, 0.4
	theta := []float64{0.4, -0.2, 0.1}
	pi, ref := newTable(theta...), newTable(-0.5, 0.3, 0)
	mix, err := policy.GeometricMixture[int](pi.Freeze(), ref, a)
	require.NoError(t, err)
	lp, lr, lm := logProbs(t, pi), logProbs(t, ref), logProbs(t, mix)
	pass := pi.NewPass()
	logp := make([]float64, k)
	everySample(2*k, func(ys []int) {
		own, opponent, xs := ys[:k], ys[k:], make([]int, k)
		prob := 1.0
		for i := range k {
			prob *= math.Exp(lp[own[i]] + lm[opponent[i]])
		}
		win, logr, w := make([]float64, k), make([]float64, k), make([]float64, k)
		require.NoError(t, sampler.Compare(ctx, byTable, win, xs, own, opponent))
		require.NoError(t, pass.Forward(ctx, logp, xs, own))
		for i, y := range own {
			logr[i] = lr[y]
		}
		var g sampler.Groups
		g.Complete(win, k, k)
		var batch loss.Samples
		g.Samples(&batch, logp, logr, win, k)
		_, err := loss.RLHF{Beta: beta}.Eval(loss.SamplesOut{LogProb: w}, batch)
		require.NoError(t, err)
		for i := range w {
			w[i] *= prob / k
		}
		require.NoError(t, pass.Pullback(ctx, w))
	})
	want := differences(theta, func(theta []float64) float64 {
		l, sum := logProbs(t, newTable(theta...)), 0.0
		for y := range l {
			p := math.Exp(l[y])
			sum += beta * p * (l[y] - lr[y])
			for o := range lm {
				sum -= p * math.Exp(lm[o]) * beats[y][o]
			}
		}
		return sum
	})
	assert.InDeltaSlice(t, want, pi.Grad(), 1e-9)
}

// XPO's batch, over all draws of policy and reference: DPO on the judged pair, and the
// optimism on the reference's reply, against the objective written out.
func TestXPOBatch(t *testing.T) {
	const beta, alpha = 0.7, 0.2
	theta := []float64{0.4, -0.2, 0.1}
	pi, ref := newTable(theta...), newTable(-0.5, 0.3, 0)
	lp, lr := logProbs(t, pi), logProbs(t, ref)
	judge := sampler.Scored[int, int]{Hard: true, Scorer: sampler.ScorerFunc[int, int](func(_ context.Context, dst []float64, _, ys []int) error {
		for i, y := range ys {
			dst[i] = float64(y)
		}
		return nil
	})}
	pass := pi.NewPass()
	var c sampler.Choice
	everySample(2, func(ys []int) { // the first from the policy, the second from the reference
		win, logp, w := make([]float64, 1), make([]float64, 2), make([]float64, 2)
		require.NoError(t, sampler.Compare(ctx, judge, win, []int{0}, ys[:1], ys[1:]))
		c.Reset()
		c.Judged([]int{0}, []int{1}, win)
		require.NoError(t, pass.Forward(ctx, logp, []int{0, 0}, ys))
		var pairs loss.Pairs
		c.Pairs(&pairs, logp, []float64{lr[ys[0]], lr[ys[1]]}, nil)
		out := loss.PairsOut{Chosen: make([]float64, len(c.Chosen)), Rejected: make([]float64, len(c.Chosen))}
		_, err := loss.DPO{Beta: beta}.Eval(out, pairs)
		require.NoError(t, err)
		_, err = loss.XPO{Alpha: alpha}.Eval(nil, w[1:], logp[1:])
		require.NoError(t, err)
		for i := range c.Chosen {
			w[c.Chosen[i]] += out.Chosen[i]
			w[c.Rejected[i]] += out.Rejected[i]
		}
		prob := math.Exp(lp[ys[0]] + lr[ys[1]])
		for i := range w {
			w[i] *= prob
		}
		require.NoError(t, pass.Pullback(ctx, w))
	})
	want := differences(theta, func(theta []float64) float64 {
		l, sum := logProbs(t, newTable(theta...)), 0.0
		for y := range l {
			for o := range l {
				best, worst := max(y, o), min(y, o)
				value := alpha * l[o]
				if y != o {
					value += math.Log1p(math.Exp(-beta * (l[best] - lr[best] - l[worst] + lr[worst])))
				}
				sum += math.Exp(lp[y]+lr[o]) * value // drawn from the policy as it was
			}
		}
		return sum
	})
	assert.InDeltaSlice(t, want, pi.Grad(), 1e-9)
}
