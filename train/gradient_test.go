package train_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// score returns log π(y|x) and its gradient by definition, for a policy of this package's
// tests at θ.
func score(theta []float64, c x, y int) (logp float64, grad []float64) {
	phi := make([][]float64, toyResponses)
	logit, z := make([]float64, toyResponses), 0.0
	for v := range phi {
		phi[v] = make([]float64, toyDim)
		one := make([]float64, toyResponses)
		one[v] = 1
		c.Features.AddMulT(phi[v], one)
		logit[v] = c.Ref[v]
		for i, f := range phi[v] {
			logit[v] += f * theta[i]
		}
		z += math.Exp(logit[v])
	}
	grad = slices.Clone(phi[y])
	for v := range phi {
		for i, f := range phi[v] {
			grad[i] -= math.Exp(logit[v]) / z * f
		}
	}
	return logit[y] - math.Log(z), grad
}

// TestGradientOfObjective recomputes the gradient of a step, and what it reports, from rows and
// draws by the formulas.
func TestGradientOfObjective(t *testing.T) {
	const beta, lambda, rlhfBeta, k, tokens = 0.7, 0.4, 0.25, 3, 2.5
	toy := newToy(3, 10)
	copy(toy.Params(), []float64{0.5, -1, 0.3})
	theta := slices.Clone(toy.Params())
	w := &watched{learner: toy.LogLinear}
	var draws [][]int
	w.drawn = func(ys []int) { draws = append(draws, slices.Clone(ys)) }
	reward := func(_ context.Context, dst []float64, _ []x, ys []int) error {
		for i, y := range ys {
			dst[i] = math.Sin(float64(y))
		}
		return nil
	}
	var rows []int
	var got []float64
	metrics := map[string]float64{}
	l := toy.loop(
		&sft{Policy: w, TokensPerRow: tokens},
		&offline{Policy: w, Loss: loss.DPO{Beta: beta}},
		&penalty{Policy: w, Ref: toy.ref, K: k, Lambda: lambda},
		&onlineRL{Policy: w, Ref: toy.ref, Reward: reward, K: k, Beta: rlhfBeta},
		probe{func(b *batch, _ policy.Key, m *train.Metrics) error {
			rows = slices.Clone(b.Row)
			for k, v := range m.All() {
				metrics[k] = v
			}
			return nil
		}},
	)
	l.Steps = 1
	l.Updater = watchedUpdater{Updater: l.Updater, update: func(float64) { got = slices.Clone(toy.Grad()) }}
	run(t, l)
	require.Len(t, draws, 2)

	want, total, n := make([]float64, toyDim), 0.0, float64(l.Batch)
	zero := make([]float64, toyDim)
	add := func(a float64, g []float64) {
		for i := range want {
			want[i] += a * g[i]
		}
	}
	// group returns the log-ratios and scores of the draws of a row.
	group := func(term, i int) (ell []float64, grads [][]float64) {
		for _, y := range draws[term][i*k : (i+1)*k] {
			lp, g := score(theta, l.Data.X[rows[i]], y)
			ref, _ := score(zero, l.Data.X[rows[i]], y)
			ell, grads = append(ell, lp-ref), append(grads, g)
		}
		return ell, grads
	}
	// others is the mean of all but one.
	others := func(v []float64, j int) float64 {
		s := -v[j]
		for _, x := range v {
			s += x
		}
		return s / (k - 1)
	}
	var rewards, prices []float64
	for i, r := range rows {
		c, rej := l.Data.Chosen[r], l.Data.Rejected[r]
		lc, gc := score(theta, l.Data.X[r], c)
		lr, gr := score(theta, l.Data.X[r], rej)
		rc, _ := score(zero, l.Data.X[r], c)
		rr, _ := score(zero, l.Data.X[r], rej)

		total -= lc / tokens / n
		add(-1/tokens/n, gc)

		z := beta * (lc - rc - lr + rr)
		total += math.Log(1+math.Exp(-z)) / n
		add(-beta/(1+math.Exp(z))/n, gc)
		add(beta/(1+math.Exp(z))/n, gr)

		ell, g := group(0, i)
		for j := range ell {
			total += lambda * ell[j] / n / k
			add(lambda*(ell[j]-others(ell, j))/n/k, g[j])
		}
		ell, g = group(1, i)
		price := make([]float64, k) // r − β·ℓ
		for j, y := range draws[1][i*k : (i+1)*k] {
			price[j] = math.Sin(float64(y)) - rlhfBeta*ell[j]
			rewards = append(rewards, math.Sin(float64(y)))
		}
		for j := range price {
			total -= price[j] / n / k
			add(-(price[j]-others(price, j))/n/k, g[j])
		}
		prices = append(prices, price...)
	}
	assert.InDeltaSlice(t, want, got, 1e-14)
	assert.InDelta(t, total, metrics["loss"], 1e-13)
	assert.InDelta(t, average(rewards), metrics["objective/scores"], 1e-14)
	assert.InDelta(t, average(prices), metrics["objective/rlhf_reward"], 1e-14)
}

func average(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s / float64(len(v))
}
