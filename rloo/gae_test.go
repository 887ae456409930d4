package rloo_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/rloo"
)

// trajectories are n random replies, NaN wherever nothing may be read. Of each reply with
// four tokens or more, some in the middle are masked, or the last.
func trajectories(seed uint64, n int) rloo.Trajectories {
	rng := rand.New(rand.NewPCG(seed, 3))
	t := rloo.Trajectories{Layout: rloo.Layout{Begin: []int{0}}}
	for range n {
		prompt, reply := rng.IntN(3), rng.IntN(9)
		t.Prompt = append(t.Prompt, prompt)
		t.Begin = append(t.Begin, len(t.Mask)+prompt+reply)
		t.Last = append(t.Last, float64(rng.IntN(2))*rng.NormFloat64()) // half of them cut off
		for p := range prompt + reply {
			counts := p >= prompt && (reply < 4 || rng.IntN(3) > 0)
			t.Mask = append(t.Mask, counts || p < prompt && rng.IntN(2) == 0)
			r, v := math.NaN(), math.NaN()
			if counts {
				r, v = rng.NormFloat64(), rng.NormFloat64()
			}
			t.Reward, t.Value = append(t.Reward, r), append(t.Value, v)
		}
	}
	return t
}

// advantagesOf computes GAE from its definition as a double sum over the tokens that count.
func advantagesOf(t rloo.Trajectories, e rloo.GAE) []float64 {
	want := make([]float64, len(t.Reward))
	for i := range t.Prompt {
		var at []int // tokens that count
		end := t.Begin[i+1]
		for p := t.Begin[i] + t.Prompt[i]; p < end; p++ {
			if t.Mask == nil || t.Mask[p] {
				at = append(at, p)
			}
		}
		steps := func(a, b int) float64 { // from the a-th token to the b-th, or to the end
			if !e.Through {
				return float64(b - a)
			}
			if b == len(at) {
				return float64(end - at[a])
			}
			return float64(at[b] - at[a])
		}
		for a, p := range at {
			for b := a; b < len(at); b++ {
				next := t.Last[i]
				if b+1 < len(at) {
					next = t.Value[at[b+1]]
				}
				delta := t.Reward[at[b]] + math.Pow(e.Gamma, steps(b, b+1))*next - t.Value[at[b]]
				want[p] += math.Pow(e.Gamma*e.Lambda, steps(a, b)) * delta
			}
		}
	}
	return want
}

func TestGAEByDefinition(t *testing.T) {
	for seed := range uint64(20) {
		tr := trajectories(seed, 6)
		for _, e := range []rloo.GAE{{}, {Gamma: 1, Lambda: 1}, {Gamma: 1}, {Lambda: 1}, {Gamma: 0.9, Lambda: 0.8}, {Gamma: 0.7, Lambda: 1}} {
			for _, through := range []bool{false, true} {
				e.Through = through
				want := advantagesOf(tr, e)
				dst := rloo.TokenAdvantages{Advantage: make([]float64, len(want)), Return: make([]float64, len(want))}
				require.NoError(t, e.Eval(dst, tr))
				assert.InDeltaSlice(t, want, dst.Advantage, 1e-13, "%+v", e)
				for p, r := range dst.Return { // 0 where nothing counts, as in the definition
					if v := tr.Value[p]; v == v {
						assert.InDelta(t, want[p]+v, r, 1e-13)
					} else {
						assert.Zero(t, r)
					}
				}
			}
		}
	}
}

// With λ = 1 the advantage is the discounted return less the value; the slices may be those of
// the trajectories, and one that is not wanted is nil.
func TestGAELimits(t *testing.T) {
	for seed := range uint64(5) {
		tr := trajectories(seed, 5)
		tr.Last = nil
		for _, through := range []bool{false, true} {
			togo := make([]float64, len(tr.Reward))
			require.NoError(t, rloo.RewardToGo{Gamma: 0.9, Through: through}.Eval(togo, tr.Reward, tr.Layout))
			a, r := append([]float64(nil), tr.Reward...), append([]float64(nil), tr.Value...)
			gae := rloo.GAE{Gamma: 0.9, Lambda: 1, Through: through}
			require.NoError(t, gae.Eval(rloo.TokenAdvantages{Advantage: a, Return: r},
				rloo.Trajectories{Layout: tr.Layout, Reward: a, Value: r}))
			assert.InDeltaSlice(t, togo, r, 1e-13)

			only := make([]float64, len(a))
			require.NoError(t, gae.Eval(rloo.TokenAdvantages{Return: only}, tr))
			assert.Equal(t, r, only)
			require.NoError(t, gae.Eval(rloo.TokenAdvantages{Advantage: only}, tr))
			assert.Equal(t, a, only)
			require.NoError(t, gae.Eval(rloo.TokenAdvantages{}, tr))
		}
	}
}

// That a reply was cut off is not that it ended: the value of what would have followed is in
// the advantage of its last token.
func TestGAETruncated(t *testing.T) {
	tr := rloo.Trajectories{Layout: rloo.Layout{Begin: []int{0, 2, 4}}, Reward: []float64{0, 1, 0, 1}, Value: []float64{3, 2, 3, 2}}
	tr.Last = []float64{0, 10}
	a := make([]float64, 4)
	require.NoError(t, rloo.GAE{Gamma: 0.5, Lambda: 1}.Eval(rloo.TokenAdvantages{Advantage: a}, tr))
	assert.Equal(t, []float64{-2.5, -1, 0, 4}, a)
}

// On the reward of whole replies, reward-to-go with γ = 1 is the reward at every token: the
// advantage that rloo.Spread gives it.
func TestRewardToGoOfReplies(t *testing.T) {
	l := rloo.Layout{Begin: []int{0, 4, 7}, Prompt: []int{1, 0}, Mask: []bool{true, true, false, true, true, true, true}}
	reward := []float64{math.NaN(), 0, math.NaN(), 2, 0, 0, -1}
	want := make([]float64, 7)
	rloo.Spread(want, []float64{2, -1}, l)
	assert.Equal(t, []float64{0, 2, 0, 2, -1, -1, -1}, want)
	got := make([]float64, 7)
	require.NoError(t, rloo.RewardToGo{Gamma: 1}.Eval(got, reward, l))
	assert.Equal(t, want, got)
}

func TestWhitenTokens(t *testing.T) {
	tr := trajectories(3, 9)
	for _, std := range stds {
		dst := make([]float64, len(tr.Value))
		require.NoError(t, rloo.WhitenTokens(dst, tr.Value, tr.Layout, std))
		var v []float64
		for _, x := range tr.Value {
			if x == x {
				v = append(v, x)
			}
		}
		mean, by := floats.Sum(v)/float64(len(v)), spreadOf(std, v)
		for p, x := range tr.Value {
			if x == x {
				assert.InDelta(t, (x-mean)/by, dst[p], 1e-14)
			} else {
				assert.Zero(t, dst[p])
			}
		}
		in := append([]float64(nil), tr.Value...)
		require.NoError(t, rloo.WhitenTokens(in, in, tr.Layout, std))
		assert.Equal(t, dst, in)
	}
}

func TestTokenErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	l := rloo.Layout{Begin: []int{0, 3}, Prompt: []int{1}}
	for text, f := range map[string]func(dst []float64) error{
		"rloo: GAE.Gamma = 1.5, must be in [0, 1]":           func(d []float64) error { return gae(d, rloo.GAE{Gamma: 1.5}, l, 1, 1, 0) },
		"rloo: GAE.Lambda = NaN, must be in [0, 1]":          func(d []float64) error { return gae(d, rloo.GAE{Lambda: nan}, l, 1, 1, 0) },
		"rloo: Trajectories.Reward[2] = NaN, must be finite": func(d []float64) error { return gae(d, rloo.GAE{}, l, nan, 1, 0) },
		"rloo: Trajectories.Value[2] = +Inf, must be finite": func(d []float64) error { return gae(d, rloo.GAE{}, l, 1, inf, 0) },
		"rloo: Trajectories.Last[0] = NaN, must be finite":   func(d []float64) error { return gae(d, rloo.GAE{}, l, 1, 1, nan) },
		"rloo: the sum of rewards and values from position 2 overflows": func(d []float64) error {
			return gae(d, rloo.GAE{}, l, 1e308, -1e308, 0)
		},
		"rloo: RewardToGo.Gamma = -1, must be in [0, 1]": func(d []float64) error { return rloo.RewardToGo{Gamma: -1}.Eval(d, d, l) },
		"rloo: Std.Epsilon = -1, must be finite and not negative": func(d []float64) error {
			return rloo.ReinforcePlusPlus{Std: rloo.Std{Epsilon: -1}}.Eval(d, d, l)
		},
		"rloo: Trajectories.Reward[1] = NaN, must be finite": func(d []float64) error {
			d[1] = nan
			return rloo.ReinforcePlusPlus{}.Eval(d, d, l)
		},
		"rloo: token[1] = -Inf, must be finite": func(d []float64) error {
			d[1] = -inf
			return rloo.WhitenTokens(d, d, l, rloo.Std{})
		},
		"rloo: token from -1e+308 to 1e+308: the sum of differences overflows": func(d []float64) error {
			d[1], d[2] = -1e308, 1e308
			return rloo.WhitenTokens(d, d, l, rloo.Std{})
		},
	} {
		assert.EqualError(t, f(make([]float64, 3)), text)
	}
}

// gae evaluates a prompt token and a reply of two tokens, the first 0 and 0.
func gae(dst []float64, e rloo.GAE, l rloo.Layout, reward, value, last float64) error {
	return e.Eval(rloo.TokenAdvantages{Advantage: dst}, rloo.Trajectories{
		Layout: l, Reward: []float64{math.NaN(), 0, reward}, Value: []float64{math.NaN(), 0, value}, Last: []float64{last}})
}

func TestTokenPanics(t *testing.T) {
	l, three := rloo.Layout{Begin: []int{0, 3}}, make([]float64, 3)
	for name, f := range map[string]func(){
		"no value": func() { rloo.GAE{}.Eval(rloo.TokenAdvantages{}, rloo.Trajectories{Layout: l, Reward: three}) },
		"short advantage": func() {
			rloo.GAE{}.Eval(rloo.TokenAdvantages{Advantage: three[:2]}, rloo.Trajectories{Layout: l, Reward: three, Value: three})
		},
		"long return": func() {
			rloo.GAE{}.Eval(rloo.TokenAdvantages{Return: make([]float64, 4)}, rloo.Trajectories{Layout: l, Reward: three, Value: three})
		},
		"two ends": func() {
			rloo.GAE{}.Eval(rloo.TokenAdvantages{}, rloo.Trajectories{Layout: l, Reward: three, Value: three, Last: three[:2]})
		},
		"other layout": func() { rloo.RewardToGo{}.Eval(three[:2], three[:2], l) },
		"no dst":       func() { rloo.RewardToGo{}.Eval(nil, three, l) },
		"short tokens": func() { rloo.WhitenTokens(three, three[:2], l, rloo.Std{}) },
		"other tokens": func() { rloo.WhitenTokens(three[:2], three[:2], l, rloo.Std{}) },
	} {
		assert.Panics(t, f, name)
	}
}

func TestTokensAllocateNothing(t *testing.T) {
	tr := trajectories(1, 8)
	a, r := make([]float64, len(tr.Reward)), make([]float64, len(tr.Reward))
	plus := rloo.ReinforcePlusPlus{RewardToGo: rloo.RewardToGo{Gamma: 1}}
	allocatesNothing(t, func() {
		err := rloo.GAE{Gamma: 1, Lambda: 0.9}.Eval(rloo.TokenAdvantages{Advantage: a, Return: r}, tr)
		if err != nil || plus.Eval(a, tr.Reward, tr.Layout) != nil {
			t.Error("failed")
		}
	})
}

// A loss.Layout is a rloo.Layout.
func ExampleLayout() {
	l := loss.Layout{Begin: []int{0, 4}, Prompt: []int{2}}
	token := make([]float64, 4)
	rloo.Spread(token, []float64{0.5}, rloo.Layout(l))
	fmt.Println(token)
	// Output:
	// [0 0 0.5 0.5]
}
