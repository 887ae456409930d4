package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"

	"github.com/prefgrad/prefgrad/loss"
)

// minimum is the softmax policy that BFGS finds from start.
func minimum(t *testing.T, f func(logp []float64) (float64, []float64), start []float64) []float64 {
	t.Helper()
	at := func(x []float64) []float64 {
		p := append([]float64(nil), x...)
		normalize(p)
		return p
	}
	res, err := optimize.Minimize(optimize.Problem{
		Func: func(x []float64) float64 { v, _ := f(at(x)); return v },
		Grad: func(grad, x []float64) { _, g := f(at(x)); copy(grad, g) },
	}, start, &optimize.Settings{GradientThreshold: 1e-9}, &optimize.BFGS{})
	require.True(t, err == nil || res.Gradient != nil)
	_, grad := f(at(res.X))
	require.Less(t, floats.Norm(grad, inf), 1e-6)
	return at(res.X)
}

// With a likelihood beside the contrast soft labels have one minimiser, wherever a search for
// it starts, and it is not that of the contrast alone.
func TestLikelihoodsHaveMinimisers(t *testing.T) {
	starts := [][]float64{{0, 0, 0, 0}, {3, -3, 0, 1}, {-2, 0, 4, -1}}
	for _, c := range []struct {
		name        string
		with, alone loss.Pairwise
	}{
		{"CPO", loss.CPO{Beta: 0.5, Alpha: 0.3, NLLOver: loss.Sum}, loss.CPO{Beta: 0.5, NLLOver: loss.Sum}},
		{"RPO", loss.RPO{Beta: 0.5, Alpha: 0.3, NLLOver: loss.Sum}, loss.DPO{Beta: 0.5}},
		{"ORPO", loss.ORPO{Lambda: 0.5}, loss.Contrast{Score: loss.Odds{}, Link: loss.Logistic{}, Beta: 1}},
		{"MPO", loss.MPO{{1, loss.DPO{Beta: 0.5}}, {0.5, loss.BCOPair{Beta: 0.5}}}, loss.DPO{Beta: 0.5}},
	} {
		for seed := range uint64(3) {
			b := randomBandit(seed, 4)
			f := func(logp []float64) (float64, []float64) { return b.expected(t, c.with, logp, 0) }
			want := minimum(t, f, starts[0])
			for _, s := range starts[1:] {
				assert.InDeltaSlice(t, want, minimum(t, f, s), 1e-4, c.name)
			}
			_, grad := b.expected(t, c.alone, want, 0)
			assert.Greater(t, floats.Norm(grad, inf), 1e-4, c.name)
		}
	}
}

// Deterministic labels: the derivative never changes its sign, however far the pair is apart.
func TestDeterministicLabelsWithoutReference(t *testing.T) {
	for _, l := range []loss.Pairwise{
		loss.CPO{Beta: 1, Alpha: 0.5, NLLOver: loss.Sum}, loss.ORPO{Lambda: 0.5}, loss.SimPO{Beta: 1, Gamma: 0.5},
		loss.AlphaPO{Beta: 1, Alpha: 0.5}, loss.AlphaPO{Beta: 1, Alpha: -0.5},
	} {
		last := inf
		for _, p := range []float64{0.1, 0.5, 0.9, 0.999} { // of the chosen one of two replies
			out, _ := eval(t, l, loss.Pairs{
				Chosen: []float64{math.Log(p)}, Rejected: []float64{math.Log1p(-p)}, ChosenLen: []int{1}, RejectedLen: []int{1},
			})
			assert.Negative(t, out.Chosen[0], "%T", l)
			assert.Positive(t, out.Rejected[0], "%T", l)
			assert.Less(t, out.Loss[0], last, "%T", l)
			last = out.Loss[0]
		}
	}
}

// The imitated replies draw TPO's minimiser, which is unique, to them.
func TestTPOMinimiser(t *testing.T) {
	b := randomBandit(2, 4)
	share := []float64{0.1, 0.2, 0.3, 0.4} // of gold replies
	for _, alpha := range []float64{0, 0.5, 50} {
		l := loss.TPO{Beta: 0.5, Alpha: alpha, NLLOver: loss.Sum}
		f := func(logp []float64) (value float64, grad []float64) {
			pairs, index, weight := b.pairs(logp)
			grad = make([]float64, len(logp))
			for y, s := range share {
				batch := loss.Triples{Pairs: pairs, Gold: make([]float64, len(weight))}
				batch.Weight = make([]float64, len(weight))
				for k, w := range weight {
					batch.Weight[k], batch.Gold[k] = s*w, logp[y]
				}
				out := loss.TriplesOut{PairsOut: pairsOut(len(weight)), Gold: make([]float64, len(weight))}
				total, err := l.Eval(out, batch)
				require.NoError(t, err)
				value += total.Sum
				for k, p := range index {
					score(grad, logp, p[0], out.Chosen[k])
					score(grad, logp, p[1], out.Rejected[k])
					score(grad, logp, y, out.Gold[k])
				}
			}
			return value, grad
		}
		got := minimum(t, f, []float64{0, 0, 0, 0})
		assert.InDeltaSlice(t, got, minimum(t, f, []float64{2, -3, 1, 0}), 1e-4)
		distance := 0.0
		for y, s := range share {
			distance += math.Abs(math.Exp(got[y]) - s)
		}
		switch alpha {
		case 0:
			want := make([]float64, 4) // π ∝ e^{r/β}
			floats.AddScaled(want, 1/0.5, b.reward)
			normalize(want)
			assert.InDeltaSlice(t, want, got, 1e-4)
		case 50:
			assert.Less(t, distance, 0.02)
		}
	}
}

// Likelihoods end at the distribution of what they imitate, means at the one with weights 1/|y|.
func TestLikelihoodMinimisers(t *testing.T) {
	share := []float64{0.6, 0.3, 0.1}
	logp := []float64{math.Log(0.6), math.Log(0.3), math.Log(0.1)}
	slope := func(d, logp []float64) []float64 {
		grad := make([]float64, 3)
		for y, s := range share {
			score(grad, logp, y, s*d[y])
		}
		return grad
	}
	d := make([]float64, 3)
	_, err := loss.NLL{}.Eval(nil, d, logp)
	require.NoError(t, err)
	assert.InDeltaSlice(t, make([]float64, 3), slope(d, logp), 1e-15)
	_, err = loss.VPO{Alpha: 1, Beta: 1, Offline: true}.Eval(nil, d, logp, []float64{-1, -2, -3})
	require.NoError(t, err)
	assert.InDeltaSlice(t, make([]float64, 3), slope(d, logp), 1e-15)

	lens := []int{1, 2, 5} // 0.6/1 : 0.3/2 : 0.1/5 = 60 : 15 : 2
	pairs := loss.Pairs{Chosen: []float64{math.Log(60.0 / 77), math.Log(15.0 / 77), math.Log(2.0 / 77)}, Rejected: make([]float64, 3),
		ChosenLen: lens, RejectedLen: lens}
	out, _ := eval(t, loss.ChosenNLL{Over: loss.Mean}, pairs)
	assert.InDeltaSlice(t, make([]float64, 3), slope(out.Chosen, pairs.Chosen), 1e-15)
}

// The online bonus falls below every bound as its replies become impossible.
func TestBonusesAreUnbounded(t *testing.T) {
	for _, lp := range []float64{-1e2, -1e5, -1e300} {
		total, err := loss.XPO{Alpha: 0.5}.Eval(nil, nil, []float64{lp})
		require.NoError(t, err)
		assert.Equal(t, lp/2, total.Sum)
		total, err = loss.VPO{Alpha: 0.5, Beta: 1}.Eval(nil, nil, []float64{lp}, []float64{0})
		require.NoError(t, err)
		assert.Equal(t, lp/2, total.Sum)
	}
}

// Rewards are found up to a constant; a penalty on sums fixes it, at smaller rewards.
func TestBradleyTerryMinimiser(t *testing.T) {
	reward := []float64{0.3, -0.5, 1.2}
	slope := func(center float64, r []float64) []float64 {
		grad := make([]float64, 3)
		for i := range r {
			for j := range r {
				if i == j {
					continue
				}
				p := 1 / (1 + math.Exp(reward[j]-reward[i]))
				out, _ := evalRewards(t, loss.BradleyTerry{Center: center}, loss.Rewards{Chosen: r[i : i+1], Rejected: r[j : j+1]})
				grad[i] += p * out.Chosen[0]
				grad[j] += p * out.Rejected[0]
			}
		}
		return grad
	}
	for _, c := range []float64{0, 7} {
		r := []float64{reward[0] + c, reward[1] + c, reward[2] + c}
		assert.InDeltaSlice(t, make([]float64, 3), slope(0, r), 1e-14)
	}
	size := func(r []float64) float64 { return floats.Norm(r, 2) }
	var found [][]float64
	for _, start := range [][]float64{{0, 0, 0}, {5, -5, 3}} {
		r := append([]float64(nil), start...)
		for range 2000 {
			floats.AddScaled(r, -0.2, slope(0.1, r))
		}
		found = append(found, r)
	}
	assert.InDeltaSlice(t, found[0], found[1], 1e-12)
	centred := append([]float64(nil), reward...)
	floats.AddConst(-floats.Sum(reward)/3, centred)
	assert.Less(t, size(found[0]), size(centred))
}

// sg: the cross derivatives of TDPO2 differ, so that its derivatives have no integral; those
// of TDPO1 have.
func TestTDPO2HasNoIntegral(t *testing.T) {
	cross := func(l loss.TokenPairwise) (a, b float64) {
		at := func(lp, kl float64) (dLogProb, dKL float64) {
			pair := smallPair()
			pair.LogProb, pair.KL = append([]float64(nil), pair.LogProb...), append([]float64(nil), pair.KL...)
			pair.LogProb[pair.Begin[0]+pair.Prompt[0]] += lp
			pair.KL[pair.Begin[0]+pair.Prompt[0]] += kl
			out, _ := evalTokens(t, l, pair)
			return out.LogProb[pair.Begin[0]+pair.Prompt[0]], out.KL[pair.Begin[0]+pair.Prompt[0]]
		}
		const step = 1e-4
		up, _ := at(0, step)
		down, _ := at(0, -step)
		_, right := at(step, 0)
		_, left := at(-step, 0)
		return (up - down) / (2 * step), (right - left) / (2 * step)
	}
	a, b := cross(loss.TDPO1{Beta: 0.5})
	assert.InDelta(t, a, b, 1e-8)
	assert.Greater(t, math.Abs(a), 1e-3)
	a, b = cross(loss.TDPO2{Beta: 0.5, Alpha: 0.5})
	assert.Zero(t, b)
	assert.Greater(t, math.Abs(a), 1e-3)
}
