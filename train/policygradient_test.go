package train_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

// regularised is −E_π[r] + β·KL(π‖π_ref) of the enumerated policy.
func regularised(beta float64) func(p, logp, ref []float64) float64 {
	return func(p, logp, ref []float64) float64 {
		l := 0.0
		for y, q := range p {
			l += q * (beta*(logp[y]-ref[y]) - utility[y])
		}
		return l
	}
}

func (e *enumerated) gradient(k int, a rloo.Advantage, beta float64) *train.PolicyGradient[int, int] {
	return &train.PolicyGradient[int, int]{
		Policy: e, Ref: e.ref, Reward: utilityOf, K: k, Advantage: a, Beta: beta, Loss: loss.Reinforce{By: loss.SumTokens},
	}
}

// TestPolicyGradientExpectation: with leave-one-out advantages the mean gradient is that of the
// regularised reward; with the group's mean for a baseline (k−1)/k of it.
func TestPolicyGradientExpectation(t *testing.T) {
	const beta = 0.4
	e := newEnumerated()
	p := probs(e)
	for name, c := range map[string]struct {
		k int
		a rloo.Advantage
		l loss.PolicyGradient
		f float64
	}{
		"RLOO":                 {2, rloo.RLOO{}, loss.Reinforce{By: loss.SumTokens}, 1},
		"three draws":          {3, rloo.RLOO{}, loss.Reinforce{By: loss.SumTokens}, 1},
		"PPO's first step":     {2, rloo.RLOO{}, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.MeanTokens}, 1},
		"group mean":           {3, rloo.GroupMean{}, loss.Reinforce{By: loss.SumTokens}, 2. / 3},
		"GRPO without its std": {2, rloo.GroupMean{}, loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2}, 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			from := slices.Repeat([][]float64{p}, c.k)
			e.descends(t, from, func(p, logp, ref []float64) float64 { return c.f * regularised(beta)(p, logp, ref) }, func() train.Term[int, int] {
				g := e.gradient(c.k, c.a, beta)
				g.Loss = c.l
				return g
			})
		})
	}
}

// TestPolicyGradientImportance: draws from another distribution, corrected, have the same mean
// gradient; without the correction they have not.
func TestPolicyGradientImportance(t *testing.T) {
	const beta = 0.4
	e := newEnumerated()
	mu := []float64{0.2, 0.5, 0.3}
	for _, p := range mu {
		e.behaviour = append(e.behaviour, math.Log(p))
	}
	from := [][]float64{mu, mu}
	e.descends(t, from, regularised(beta), func() train.Term[int, int] {
		g := e.gradient(2, rloo.RLOO{}, beta)
		g.Importance = &sampler.Importance{}
		return g
	})
	want, _ := e.expectation(t, [][]float64{probs(e), probs(e)}, func() train.Term[int, int] { return e.gradient(2, rloo.RLOO{}, beta) })
	naive, _ := e.expectation(t, from, func() train.Term[int, int] { return e.gradient(2, rloo.RLOO{}, beta) })
	assert.Greater(t, math.Abs(want[2]-naive[2]), 1e-2)
}

// TestPolicyGradientRepeat: at a later update on a batch the gradient is that of PPO's surrogate
// on the replies and advantages of the first.
func TestPolicyGradientRepeat(t *testing.T) {
	const beta, low, high = 0.4, 0.1, 0.3
	e := newEnumerated()
	old, ref := logProbs(t, e), logProbs(t, e.ref)
	draws := []int{0, 2, 2, 1}
	g := e.gradient(4, rloo.RLOO{}, beta)
	g.Loss = loss.PPO{ClipLow: low, ClipHigh: high, By: loss.SumTokens}
	*e.draws = slices.Clone(draws)
	var m train.Metrics
	require.NoError(t, g.Accumulate(ctx, one(), policy.Key{}, &m))
	for _, name := range []string{"objective/scores", "objective/rlhf_reward", "objective/kl", "frac_failed", "frac_reward_zero_std"} {
		_, ok := m.Get(name)
		assert.True(t, ok, name)
	}
	copy(e.Params(), []float64{0.1, -0.3, 1.2})
	beyond := 0.0
	surrogate := func() float64 {
		now, l := logProbs(t, e), 0.0
		beyond = 0
		for i, y := range draws {
			a := utility[y] - beta*(old[y]-ref[y])
			for j, o := range draws {
				if j != i {
					a -= (utility[o] - beta*(old[o]-ref[o])) / 3
				}
			}
			rho := math.Exp(now[y] - old[y])
			cut := min(max(rho, 1-low), 1+high) * a
			l -= min(rho*a, cut) / 4
			if cut < rho*a {
				beyond += 0.25
			}
		}
		return l
	}
	clear(e.Grad())
	m.Reset()
	require.NoError(t, second{g}.Accumulate(ctx, one(), policy.Key{}, &m))
	assert.InDeltaSlice(t, e.slope(surrogate), e.Grad(), 1e-8)
	value, _ := m.Get("loss")
	assert.InDelta(t, surrogate(), value, 1e-12)
	clipped, _ := m.Get("clip_ratio/low")
	above, _ := m.Get("clip_ratio/high")
	assert.Equal(t, beyond, clipped+above)
	assert.True(t, beyond > 0 && beyond < 1, "%v", beyond)
	kl, ok := m.Get("policy/approx_kl")
	assert.True(t, ok)
	assert.Positive(t, kl)
	_, ok = m.Get("objective/scores")
	assert.False(t, ok, "reported again")
}

// TestPolicyGradientAdvantageOf: a baseline of the prompt from elsewhere leaves the mean gradient
// as it is, for one draw too; lengths are those of the replies that are asked about.
func TestPolicyGradientAdvantageOf(t *testing.T) {
	const beta = 0.4
	e := newEnumerated()
	p := probs(e)
	e.descends(t, [][]float64{p}, regularised(beta), func() train.Term[int, int] {
		g := e.gradient(1, nil, beta)
		g.AdvantageOf = func(_ context.Context, xs, ys []int, groups rloo.Groups) (rloo.Advantage, error) {
			require.Len(t, xs, 1)
			require.Equal(t, []int{0, 1}, groups.Begin)
			return rloo.ReMax{Baseline: []float64{0.7}}, nil
		}
		return g
	})
	// With lengths for weights, as by definition.
	draws, lengths := []int{2, 0, 1}, []float64{3, 1, 2}
	ref := logProbs(t, e.ref)
	logp := logProbs(t, e)
	var want [responses]float64
	for i, y := range draws {
		others, n := 0.0, 0.0
		for j, o := range draws {
			if j != i {
				others += lengths[j] * (utility[o] - beta*(logp[o]-ref[o]))
				n += lengths[j]
			}
		}
		a := utility[y] - beta*(logp[y]-ref[y]) - others/n
		for v := range want {
			want[v] += a * p[v] / 3
		}
		want[y] -= a / 3
	}
	g := e.gradient(3, nil, beta)
	g.AdvantageOf = func(_ context.Context, _, ys []int, _ rloo.Groups) (rloo.Advantage, error) {
		assert.Equal(t, draws, ys)
		return rloo.OptimalBaseline{Weight: lengths}, nil
	}
	*e.draws = slices.Clone(draws)
	clear(e.Grad())
	require.NoError(t, g.Accumulate(ctx, one(), policy.Key{}, &train.Metrics{}))
	assert.InDeltaSlice(t, want[:], e.Grad(), 1e-14)

	for want, of := range map[string]func(context.Context, []int, []int, rloo.Groups) (rloo.Advantage, error){
		"advantage: mute": func(context.Context, []int, []int, rloo.Groups) (rloo.Advantage, error) { return nil, errMute },
		"train: AdvantageOf has returned no Advantage": func(context.Context, []int, []int, rloo.Groups) (rloo.Advantage, error) { return nil, nil },
		"rloo.GPG looks at the whole batch":            func(context.Context, []int, []int, rloo.Groups) (rloo.Advantage, error) { return rloo.GPG{}, nil },
	} {
		*e.draws = slices.Clone(draws)
		g.AdvantageOf = of
		b := one()
		b.Rows = 2
		assert.ErrorContains(t, g.Accumulate(ctx, b, policy.Key{}, &train.Metrics{}), want)
	}
}

// TestPolicyGradientIsOnline: RLOO of whole replies is the term Online.
func TestPolicyGradientIsOnline(t *testing.T) {
	params := func(terms func(toy *toy) term) []float64 {
		toy := newToy(3, 10)
		run(t, toy.loop(terms(toy)))
		return toy.Params()
	}
	online := params(func(toy *toy) term {
		return &onlineRL{Policy: toy.LogLinear, Ref: toy.ref, Reward: worthOf, K: 3, Beta: 0.2}
	})
	assert.InDeltaSlice(t, online, params(func(toy *toy) term {
		return &train.PolicyGradient[x, int]{Policy: toy.LogLinear, Ref: toy.ref, Reward: worthOf, K: 3, Advantage: rloo.RLOO{}, Beta: 0.2, Loss: loss.Reinforce{By: loss.SumTokens}}
	}), 1e-12)
}

// TestPolicyGradientMissing: a reply without a reward is out of its group, and nothing else
// changes: two of three draws are a group of two, in a mean over three.
func TestPolicyGradientMissing(t *testing.T) {
	e := newEnumerated()
	silent := func(_ context.Context, dst []float64, _, ys []int) error {
		copy(dst, []float64{utility[ys[0]], math.NaN(), utility[ys[2]]})
		return &policy.ItemError{Index: 1, Err: errMute}
	}
	gradient := func(k int, reward train.RewardFunc[int, int], draws ...int) []float64 {
		clear(e.Grad())
		*e.draws = draws
		g := e.gradient(k, rloo.RLOO{}, 0.3)
		g.Reward = reward
		require.NoError(t, g.Accumulate(ctx, one(), policy.Key{}, &train.Metrics{}))
		return slices.Clone(e.Grad())
	}
	two, three := gradient(2, utilityOf, 0, 2), gradient(3, silent, 0, 1, 2)
	for i := range two {
		assert.InDelta(t, two[i]*2/3, three[i], 1e-15)
	}
}

func TestPolicyGradientErrors(t *testing.T) {
	toy := newToy(2, 4)
	base := train.PolicyGradient[x, int]{Policy: toy.LogLinear, Ref: toy.ref, Reward: worthOf, K: 2, Advantage: rloo.RLOO{}, Beta: 0.1, Loss: loss.Reinforce{By: loss.SumTokens}}
	infinite := func(_ context.Context, dst []float64, xs []x, ys []int) error {
		dst[len(dst)-1] = math.Inf(1)
		for i := range dst[:len(dst)-1] {
			dst[i] = 0
		}
		return nil
	}
	for want, set := range map[string]func(g *train.PolicyGradient[x, int]){
		"PolicyGradient needs either Advantage or AdvantageOf":  func(g *train.PolicyGradient[x, int]) { g.Advantage = nil },
		"PolicyGradient.K = 0, must be at least 1":              func(g *train.PolicyGradient[x, int]) { g.K = 0 },
		"PolicyGradient.Beta or Control without Ref":            func(g *train.PolicyGradient[x, int]) { g.Ref = nil },
		"RegularisedReward.Beta = -1":                           func(g *train.PolicyGradient[x, int]) { g.Beta = -1 },
		"rloo.Whitened looks at the whole batch":                func(g *train.PolicyGradient[x, int]) { g.Advantage = rloo.Whitened{} },
		"rloo.GPG looks at the whole batch":                     func(g *train.PolicyGradient[x, int]) { g.Advantage = rloo.GPG{} },
		"sample 1: loss: Reward[5] = +Inf":                      func(g *train.PolicyGradient[x, int]) { g.Reward = infinite },
		"Reinforce.By = 0, must be":                             func(g *train.PolicyGradient[x, int]) { g.Loss = loss.Reinforce{} },
		rloo.ErrDependent.Error():                               func(g *train.PolicyGradient[x, int]) { g.Policy = correlated{toy.LogLinear} },
		"Importance.Max is -1, must be positive, or 0 for none": func(g *train.PolicyGradient[x, int]) { g.Importance = &sampler.Importance{Max: -1} },
		"reference: row ":                                       func(g *train.PolicyGradient[x, int]) { g.Ref = unscored{toy.ref} },
	} {
		g := base
		set(&g)
		l := toy.loop(&g)
		l.Micro = 3
		_, err := l.Run(ctx)
		assert.ErrorContains(t, err, "train: step 1: ")
		assert.ErrorContains(t, err, want)
	}
	assert.Equal(t, "K=2 Advantage=rloo.RLOO{} AdvantageOf=false Beta=0.1 Loss=loss.Reinforce{By:0x1} Control=<nil><nil> Importance=<nil>", base.Describe())
	base.Importance = &sampler.Importance{Max: 2}
	assert.Contains(t, base.Describe(), "Importance=&{Min:0 Max:2 Mask:false SelfNormalise:false}")
}

// unscored is a policy that cannot score its third item.
type unscored struct{ policy.Policy[x, int] }

func (unscored) LogProbs(context.Context, []float64, []x, []int) error {
	return &policy.ItemError{Index: 2, Err: errors.New("no score")}
}
