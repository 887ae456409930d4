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
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

// enumerated is a policy with one prompt and few responses whose draws are those of a script,
// so that all there could be can be gone through.
type enumerated struct {
	*policy.Tabular
	ref   *policy.Finite[int]
	draws *[]int // the next ones

	behaviour []float64 // the log-probabilities that they are said to have had
}

const responses = 3

func newEnumerated() *enumerated {
	p := policy.NewTabular(1, responses, []float64{-0.3, -1.2, -2})
	e := &enumerated{Tabular: p, ref: p.Freeze(), draws: new([]int)}
	copy(p.Params(), []float64{0.4, -0.5, 0.9})
	return e
}

func (e *enumerated) Sample(_ context.Context, dst policy.Draws[int], _ []int, _ []uint64, _ int, _ policy.Key) error {
	take(dst, e.draws)
	for i := range dst.LogProb {
		dst.LogProb[i] = e.behaviour[dst.Y[i]]
	}
	return nil
}

// take moves draws from the script.
func take(dst policy.Draws[int], from *[]int) {
	copy(dst.Y, (*from)[:len(dst.Y)])
	*from = (*from)[len(dst.Y):]
}

// scripted is another policy whose draws follow in the same script.
type scripted struct {
	policy.Policy[int, int]
	draws *[]int
}

func (s scripted) Sample(_ context.Context, dst policy.Draws[int], _ []int, _ []uint64, _ int, _ policy.Key) error {
	take(dst, s.draws)
	return nil
}

// probs returns a policy's distribution.
func probs(p policy.Distributor[int]) []float64 {
	v := make([]float64, responses)
	if err := p.Distribution(v, 0); err != nil {
		panic(err)
	}
	for i, l := range v {
		v[i] = math.Exp(l)
	}
	return v
}

// one is a batch of one row.
func one() *train.Batch[int, int] {
	return &train.Batch[int, int]{Data: train.Data[int, int]{X: []int{0}}, ID: []uint64{5}, Row: []int{0}, Rows: 1}
}

// each goes through all the draws that there are, from one distribution after the other.
func each(from [][]float64, visit func(draws []int, prob float64)) {
	draws := make([]int, len(from))
	var rec func(i int, p float64)
	rec = func(i int, p float64) {
		if i == len(from) {
			visit(slices.Clone(draws), p)
			return
		}
		for y, q := range from[i] {
			draws[i] = y
			rec(i+1, p*q)
		}
	}
	rec(0, 1)
}

// expectation returns the mean over all draws of the gradient and the loss of a term.
func (e *enumerated) expectation(t *testing.T, from [][]float64, term func() train.Term[int, int]) (grad []float64, value float64) {
	t.Helper()
	grad = make([]float64, responses)
	each(from, func(draws []int, prob float64) {
		*e.draws = draws
		clear(e.Grad())
		var m train.Metrics
		require.NoError(t, term().Accumulate(ctx, one(), policy.Key{}, &m))
		require.Empty(t, *e.draws, "draws that nobody took")
		for i, g := range e.Grad() {
			grad[i] += prob * g
		}
		l, ok := m.Get("loss")
		require.True(t, ok)
		value += prob * l
	})
	clear(e.Grad())
	return grad, value
}

// slope returns the gradient of an objective by central differences.
func (e *enumerated) slope(objective func() float64) []float64 {
	const h = 1e-5
	grad := make([]float64, responses)
	for i, theta := range slices.Clone(e.Params()) {
		e.Params()[i] = theta + h
		up := objective()
		e.Params()[i] = theta - h
		grad[i] = (up - objective()) / (2 * h)
		e.Params()[i] = theta
	}
	return grad
}

// agree compares the expectation of a term with an objective of the policy.
func (e *enumerated) agree(t *testing.T, from [][]float64, objective func(p, logp, ref []float64) float64, term func() train.Term[int, int]) {
	t.Helper()
	_, got := e.expectation(t, from, term)
	assert.InDelta(t, objective(probs(e), logProbs(t, e), logProbs(t, e.ref)), got, 1e-12)
	e.descends(t, from, objective, term)
}

// descends compares the expectation of a term's gradient with that of an objective.
func (e *enumerated) descends(t *testing.T, from [][]float64, objective func(p, logp, ref []float64) float64, term func() train.Term[int, int]) {
	t.Helper()
	grad, _ := e.expectation(t, from, term)
	want := e.slope(func() float64 { return objective(probs(e), logProbs(t, e), logProbs(t, e.ref)) })
	assert.InDeltaSlice(t, want, grad, 1e-8)
	assert.Greater(t, math.Abs(want[0])+math.Abs(want[1]), 1e-3, "nothing to compare")
}

// utility is the true reward of the responses, without ties.
var utility = []float64{0.2, -0.7, 1.1}

func utilityOf(_ context.Context, dst []float64, _, ys []int) error {
	for i, y := range ys {
		dst[i] = utility[y]
	}
	return nil
}

// beats is P(a ≻ b) of a judge that no reward explains: 0 beats 1 beats 2 beats 0.
func beats(a, b int) float64 {
	return [responses][responses]float64{{0.5, 0.8, 0.3}, {0.2, 0.5, 0.9}, {0.7, 0.1, 0.5}}[a][b]
}

var cycle = sampler.JudgeFunc[int, int](func(_ context.Context, dst []float64, _, as, bs []int) error {
	for i := range dst {
		dst[i] = beats(as[i], bs[i])
	}
	return nil
})

func logistic(z float64) float64 { return math.Log(1 + math.Exp(-z)) }

// TestOnlinePairsExpectation: the mean gradient is that of the expected loss with the
// distribution of the pairs held fixed.
func TestOnlinePairsExpectation(t *testing.T) {
	const beta = 0.7
	e := newEnumerated()
	p0 := probs(e)
	dpo := func(logp, ref []float64, c, r int) float64 {
		return logistic(beta * (logp[c] - ref[c] - logp[r] + ref[r]))
	}
	t.Run("hard verdicts", func(t *testing.T) {
		e.agree(t, [][]float64{p0, p0}, func(_, logp, ref []float64) float64 {
			l := 0.0
			for a, pa := range p0 {
				for b, pb := range p0 {
					if a != b { // a tie is no pair
						c, r := a, b
						if beats(a, b) < 0.5 {
							c, r = b, a
						}
						l += pa * pb * dpo(logp, ref, c, r)
					}
				}
			}
			return l
		}, func() train.Term[int, int] {
			return &train.OnlinePairs[int, int]{Policy: e, Ref: e.ref, Loss: loss.DPO{Beta: beta}, K: 2, Judge: cycle}
		})
	})
	t.Run("soft verdicts, four draws", func(t *testing.T) {
		e.agree(t, [][]float64{p0, p0, p0, p0}, func(_, logp, ref []float64) float64 {
			l := 0.0
			for a, pa := range p0 {
				for b, pb := range p0 {
					l += pa * pb * (beats(a, b)*dpo(logp, ref, a, b) + beats(b, a)*dpo(logp, ref, b, a))
				}
			}
			return l
		}, func() train.Term[int, int] {
			return &train.OnlinePairs[int, int]{Policy: e, Ref: e.ref, Loss: loss.DPO{Beta: beta}, K: 4, Judge: cycle, Soft: true}
		})
	})
	t.Run("best and worst of three, without a reference", func(t *testing.T) {
		e.agree(t, [][]float64{p0, p0, p0}, func(_, logp, _ []float64) float64 {
			l := 0.0
			each([][]float64{p0, p0, p0}, func(y []int, p float64) {
				best, worst := y[0], y[0]
				for _, v := range y {
					if utility[v] > utility[best] {
						best = v
					}
					if utility[v] < utility[worst] {
						worst = v
					}
				}
				if best != worst {
					l += p * logistic(2*(logp[best]/float64(best+2)-logp[worst]/float64(worst+2))-0.5)
				}
			})
			return l
		}, func() train.Term[int, int] {
			return &train.OnlinePairs[int, int]{Policy: e, Loss: loss.SimPO{Beta: 2, Gamma: 0.5}, K: 3, Reward: utilityOf, Len: func(y int) int { return y + 2 }}
		})
	})
}

// TestOnlinePairsTie: equal replies are no pair and no gradient.
func TestOnlinePairsTie(t *testing.T) {
	e := newEnumerated()
	for _, term := range []train.Term[int, int]{
		&train.OnlinePairs[int, int]{Policy: e, Ref: e.ref, Loss: loss.DPO{Beta: 1}, K: 2, Judge: cycle},
		&train.OnlinePairs[int, int]{Policy: e, Ref: e.ref, Loss: loss.DPO{Beta: 1}, K: 2, Reward: utilityOf},
		&train.XPO[int, int]{Policy: e, Ref: scripted{e.ref, e.draws}, Loss: loss.DPO{Beta: 1}, K: 1, Judge: cycle},
	} {
		*e.draws = []int{1, 1}
		var m train.Metrics
		require.NoError(t, term.Accumulate(ctx, one(), policy.Key{}, &m))
		ties, _ := m.Get("frac_ties")
		value, ok := m.Get("loss")
		assert.Equal(t, []float64{1, 0, 0, 0, 0}, append([]float64{ties, value}, e.Grad()...))
		assert.True(t, ok)
	}
}

// TestFreshMetrics: the KL is that of the policy's own draws; ties are counted where they are soft
// labels, too.
func TestFreshMetrics(t *testing.T) {
	e := newEnumerated()
	logp, ref := logProbs(t, e), logProbs(t, e.ref)
	*e.draws = []int{0, 2, 2, 1} // own 0 and 2, the reference's 2 and 1
	var m train.Metrics
	x := &train.XPO[int, int]{Policy: e, Ref: scripted{e.ref, e.draws}, Loss: loss.DPO{Beta: 1}, K: 2, Judge: cycle}
	require.NoError(t, x.Accumulate(ctx, one(), policy.Key{}, &m))
	kl, _ := m.Get("objective/kl")
	assert.InDelta(t, (logp[0]-ref[0]+logp[2]-ref[2])/2, kl, 1e-15)

	*e.draws = []int{1, 1, 0, 2}
	m.Reset()
	soft := &train.OnlinePairs[int, int]{Policy: e, Ref: e.ref, Loss: loss.DPO{Beta: 1}, K: 4, Judge: cycle, Soft: true}
	require.NoError(t, soft.Accumulate(ctx, one(), policy.Key{}, &m))
	ties, _ := m.Get("frac_ties")
	assert.Equal(t, 0.5, ties)
}

// TestXPOExpectation: pairs of the policy and the reference, and the optimism on the latter.
func TestXPOExpectation(t *testing.T) {
	const beta, alpha = 0.7, 0.3
	e := newEnumerated()
	p0, q := probs(e), probs(e.ref)
	e.agree(t, [][]float64{p0, p0, q, q}, func(_, logp, ref []float64) float64 {
		l := 0.0
		for a, pa := range p0 {
			for b, qb := range q {
				if a != b {
					c, r := a, b
					if beats(a, b) < 0.5 {
						c, r = b, a
					}
					l += pa * qb * logistic(beta*(logp[c]-ref[c]-logp[r]+ref[r]))
				}
			}
		}
		for b, qb := range q {
			l += qb * alpha * logp[b]
		}
		return l
	}, func() train.Term[int, int] {
		return &train.XPO[int, int]{Policy: e, Ref: scripted{e.ref, e.draws}, Judge: cycle, Loss: loss.DPO{Beta: beta}, Alpha: alpha, K: 2}
	})
}

// TestREBELExpectation: at the first update the gradient is that of the regression around π_t;
// a later one has the regression's gradient where the policy is then.
func TestREBELExpectation(t *testing.T) {
	const eta, beta = 0.8, 0.25
	e := newEnumerated()
	p0 := probs(e)
	old := make([]float64, responses)
	require.NoError(t, e.Distribution(old, 0))
	objective := func(_, logp, ref []float64) float64 {
		l := 0.0
		for a, pa := range p0 {
			for b, pb := range p0 {
				gap := utility[a] - beta*(old[a]-ref[a]) - utility[b] + beta*(old[b]-ref[b])
				d := (logp[a]-old[a]-logp[b]+old[b])/eta - gap
				l += pa * pb * d * d
			}
		}
		return l
	}
	term := func() train.Term[int, int] {
		return &train.REBEL[int, int]{Policy: e, Ref: e.ref, Reward: utilityOf, K: 2, Eta: eta, Beta: beta}
	}
	e.agree(t, [][]float64{p0, p0}, objective, term)

	theta := slices.Clone(e.Params())
	// Away from π_t, where the draws of the first update stay.
	copy(e.Params(), []float64{-0.2, 0.3, 0.5})
	e.agree(t, [][]float64{p0, p0}, objective, func() train.Term[int, int] { return e.later(t, term(), theta) })
	// The regression is realizable here: its minimiser is π_t·e^{η·r} up to normalisation.
	for y, ref := range logProbs(t, e.ref) {
		e.Params()[y] = theta[y] + eta*(utility[y]-beta*(old[y]-ref))
	}
	require.Less(t, objective(nil, logProbs(t, e), logProbs(t, e.ref)), 1e-25)
}

// later returns a term after its first update on a batch, which it made at θ.
func (e *enumerated) later(t *testing.T, first train.Term[int, int], theta []float64) train.Term[int, int] {
	now := slices.Clone(e.Params())
	copy(e.Params(), theta)
	require.NoError(t, first.Accumulate(ctx, one(), policy.Key{}, &train.Metrics{}))
	clear(e.Grad())
	copy(e.Params(), now)
	return second{first}
}

// second makes the update after the first one on a batch.
type second struct{ train.Term[int, int] }

func (s second) Accumulate(ctx context.Context, b *train.Batch[int, int], key policy.Key, m *train.Metrics) error {
	b.Repeat = 1
	return s.Term.Accumulate(ctx, b, key, m)
}

func logProbs(t *testing.T, p policy.Distributor[int]) []float64 {
	v := make([]float64, responses)
	require.NoError(t, p.Distribution(v, 0))
	return v
}

// TestSPPOExpectation: the regression on win rates among the draws, each of which is a draw with
// itself.
func TestSPPOExpectation(t *testing.T) {
	const beta = 0.6
	e := newEnumerated()
	p0, old := probs(e), logProbs(t, e)
	objective := func(_, logp, _ []float64) float64 {
		l := 0.0
		each([][]float64{p0, p0, p0}, func(y []int, p float64) {
			for _, a := range y {
				win := 0.0
				for _, b := range y {
					win += beats(a, b) / 3
				}
				d := logp[a] - old[a] - (win-0.5)/beta
				l += p * d * d / 3
			}
		})
		return l
	}
	term := func() train.Term[int, int] { return &train.SPPO[int, int]{Policy: e, Judge: cycle, K: 3, Beta: beta} }
	e.agree(t, [][]float64{p0, p0, p0}, objective, term)
	theta := slices.Clone(e.Params())
	copy(e.Params(), []float64{-0.2, 0.3, 0.5})
	e.agree(t, [][]float64{p0, p0, p0}, objective, func() train.Term[int, int] { return e.later(t, term(), theta) })
}

// TestNashMDExpectation: the gradient of the win rate against a fixed opponent, less that of
// the KL.
func TestNashMDExpectation(t *testing.T) {
	const beta = 0.4
	e := newEnumerated()
	p0 := probs(e)
	mixture, err := policy.GeometricMixture[int](e.Tabular, e.ref, 0.25)
	require.NoError(t, err)
	mu := probs(mixture)
	e.agree(t, [][]float64{p0, p0, mu, mu}, func(p, logp, ref []float64) float64 {
		l := 0.0
		for a, pa := range p {
			l += pa * beta * (logp[a] - ref[a])
			for b, q := range mu {
				l -= pa * q * beats(a, b)
			}
		}
		return l
	}, func() train.Term[int, int] {
		return &train.NashMD[int, int]{Policy: e, Ref: e.ref, Opponent: scripted{mixture, e.draws}, Judge: cycle, K: 2, Beta: beta}
	})
}

// TestBestOfNExpectation: the likelihood of the best of n draws from another policy.
func TestBestOfNExpectation(t *testing.T) {
	e := newEnumerated()
	q := probs(e.ref)
	// P(best of 3 = y) = F(y)³ − F(y−)³ for rewards without ties.
	best := make([]float64, responses)
	for y, r := range utility {
		below, at := 0.0, 0.0
		for v, p := range q {
			if utility[v] < r {
				below += p
			}
			if utility[v] <= r {
				at += p
			}
		}
		best[y] = at*at*at - below*below*below
	}
	e.agree(t, [][]float64{q, q, q}, func(_, logp, _ []float64) float64 {
		l := 0.0
		for y, p := range best {
			l -= p * logp[y]
		}
		return l
	}, func() train.Term[int, int] {
		return &train.BestOfN[int, int]{Policy: e, From: scripted{e.ref, e.draws}, Reward: utilityOf, N: 3}
	})
}
