package train_test

import (
	"context"
	"math"
	"reflect"
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

// worth is the reward of a response, different for each.
func worth(x x, y int) float64 { return x.Ref[y] + 0.3*float64(y) }

func worthOf(_ context.Context, dst []float64, xs []x, ys []int) error {
	for i, y := range ys {
		dst[i] = worth(xs[i], y)
	}
	return nil
}

var taste = sampler.Scored[x, int]{Scorer: sampler.ScorerFunc[x, int](worthOf)}

// freshTerms are all terms that go on with what they have drawn, on a policy.
func freshTerms(p learner, ref policy.Sampler[x, int], reward train.RewardFunc[x, int], judge sampler.Judge[x, int]) map[string]term {
	return map[string]term{
		"online DPO, judged":      &train.OnlinePairs[x, int]{Policy: p, Ref: ref, Loss: loss.DPO{Beta: 0.3}, K: 4, Judge: judge},
		"online DPO, soft":        &train.OnlinePairs[x, int]{Policy: p, Ref: ref, Loss: loss.DPO{Beta: 0.3}, K: 2, Judge: judge, Soft: true},
		"online IPO, best, worst": &train.OnlinePairs[x, int]{Policy: p, Ref: ref, Loss: loss.IPO{Tau: 0.5, LogRatio: loss.Sum}, K: 3, Reward: reward},
		"XPO":                     &train.XPO[x, int]{Policy: p, Ref: ref, Loss: loss.DPO{Beta: 0.3}, Judge: judge, Alpha: 0.1, K: 2},
		"SPPO":                    &train.SPPO[x, int]{Policy: p, Judge: judge, K: 3, Beta: 0.5},
		"REBEL":                   &train.REBEL[x, int]{Policy: p, Ref: ref, Reward: reward, K: 2, Eta: 0.7, Beta: 0.1},
		"PPO": &train.PolicyGradient[x, int]{
			Policy: p, Ref: ref, Reward: reward, K: 3, Advantage: rloo.RLOO{}, Beta: 0.2, Loss: loss.PPO{ClipLow: 0.01, ClipHigh: 0.01, By: loss.SumTokens}},
		"RLOO, budget": &train.PolicyGradient[x, int]{
			Policy: p, Ref: ref, Reward: reward, K: 3, Advantage: rloo.RLOO{}, Loss: loss.Reinforce{By: loss.SumTokens},
			Control: &rloo.Dual{Budget: 0.01, Rate: 2, Lambda: 0.1}},
		"GRPO": &train.PolicyGradient[x, int]{
			Policy: p, Ref: ref, Reward: reward, K: 4, Advantage: rloo.Standardised{}, Loss: loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2, Beta: 0.04},
			Importance: &sampler.Importance{Max: 2}},
		"best of n": &train.BestOfN[x, int]{Policy: p, From: ref, Reward: reward, N: 3},
	}
}

// anewTerms draw at each update.
func anewTerms(p learner, ref policy.Sampler[x, int], judge sampler.Judge[x, int]) map[string]term {
	return map[string]term{
		"Nash-MD": &train.NashMD[x, int]{Policy: p, Ref: ref, Opponent: ref, Judge: judge, K: 2, Beta: 0.2},
	}
}

// termNames lists the terms of both maps in a fixed order.
func termNames(maps ...map[string]term) (names []string) {
	for _, m := range maps {
		for n := range m {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

func allTerms(p learner, ref policy.Sampler[x, int]) map[string]term {
	all := freshTerms(p, ref, worthOf, taste)
	for n, t := range anewTerms(p, ref, taste) {
		all[n] = t
	}
	return all
}

// TestFreshMicroBatches: the gradients and the metrics of three updates on a batch do not depend
// on how they are accumulated.
func TestFreshMicroBatches(t *testing.T) {
	for _, name := range termNames(allTerms(nil, nil)) {
		t.Run(name, func(t *testing.T) {
			steps := func(micro int) (grads [][]float64, metrics []map[string]float64) {
				toy := newToy(3, 10)
				copy(toy.Params(), []float64{0.5, -1, 0.3})
				l := toy.loop(allTerms(toy.LogLinear, toy.ref)[name], probe{func(b *batch, _ policy.Key, m *train.Metrics) error {
					if b.First+b.Len() == b.Rows {
						got := map[string]float64{}
						for k, v := range m.All() {
							got[k] = v
						}
						metrics = append(metrics, got)
					}
					return nil
				}})
				l.Batch, l.Micro, l.Repeat, l.Steps = 12, micro, 3, 6
				l.Updater = watchedUpdater{Updater: l.Updater, update: func(float64) { grads = append(grads, slices.Clone(toy.Grad())) }}
				run(t, l)
				return grads, metrics
			}
			grads, metrics := steps(0)
			for i, g := range grads {
				require.Greater(t, math.Abs(g[0])+math.Abs(g[1]), 1e-6, "update %d", i)
			}
			for _, micro := range []int{5, 1} {
				g, m := steps(micro)
				for i := range grads {
					assert.InDeltaSlice(t, grads[i], g[i], 1e-12, "micro %d, update %d", micro, i)
					for k, v := range metrics[i] {
						if v == v || m[i][k] == m[i][k] {
							assert.InDelta(t, v, m[i][k], 1e-11*max(1, math.Abs(v)), "micro %d, update %d, %s", micro, i, k)
						}
					}
				}
			}
		})
	}
}

// TestFreshRepeat: what goes on with its draws asks the sampler and the judge once per batch.
func TestFreshRepeat(t *testing.T) {
	for anew, terms := range map[bool]func(p learner, ref policy.Sampler[x, int], judge sampler.Judge[x, int]) map[string]term{
		false: func(p learner, ref policy.Sampler[x, int], judge sampler.Judge[x, int]) map[string]term {
			return freshTerms(p, ref, worthOf, judge)
		},
		true: anewTerms,
	} {
		for _, name := range termNames(terms(nil, nil, nil)) {
			toy := newToy(3, 10)
			var steps []uint64
			seen := func(_ []x, _ []uint64, _ int, key policy.Key) { steps = append(steps, key.Step) }
			w, ref := &watched{learner: toy.LogLinear, sample: seen}, &watched{learner: toy.LogLinear, sample: seen}
			l := toy.loop(terms(w, ref, taste)[name])
			l.Repeat, l.Steps = 3, 7
			run(t, l)
			want := []uint64{0, 3, 6}
			if anew {
				want = []uint64{0, 1, 2, 3, 4, 5, 6}
			}
			assert.Equal(t, want, slices.Compact(steps), name)
		}
	}
}

// TestFreshStreams: a second policy does not draw from the streams of the first, or they would
// agree wherever the policies do.
func TestFreshStreams(t *testing.T) {
	for _, name := range []string{"XPO", "Nash-MD"} {
		toy := newToy(3, 10)
		var keys []policy.Key
		seen := func(_ []x, _ []uint64, _ int, key policy.Key) { keys = append(keys, key) }
		w, ref := &watched{learner: toy.LogLinear, sample: seen}, &watched{learner: toy.LogLinear, sample: seen}
		l := toy.loop(allTerms(w, ref)[name])
		l.Steps = 1
		run(t, l)
		require.Len(t, keys, 2)
		assert.NotEqual(t, keys[0], keys[1], name)
	}
}

// TestFreshResume cancels runs of each term in the middle of their updates on a batch.
func TestFreshResume(t *testing.T) {
	const steps = 5
	for _, name := range termNames(allTerms(nil, nil)) {
		t.Run(name, func(t *testing.T) {
			start := func(dir string, tick func()) (*toy, *loop) {
				toy := newToy(3, 12)
				w := &watched{learner: toy.LogLinear, forward: tick, sample: func([]x, []uint64, int, policy.Key) { tick() }}
				l := files(toy.loop(allTerms(w, toy.ref)[name]), dir)
				l.Repeat, l.Micro, l.Steps, l.Resume, l.CheckpointEvery = 3, 5, steps, true, 4
				l.Updater = watchedUpdater{Updater: l.Updater, update: func(float64) { tick() }}
				return toy, l
			}
			ticks := 0
			toy, l := start(t.TempDir(), func() { ticks++ })
			want := outcomeOf(t, l, run(t, l))
			params := toy.Params()
			for at := 1; at < ticks; at += ticks / 7 {
				dir := t.TempDir()
				stopped, cancel := context.WithCancel(ctx)
				n := 0
				_, l := start(dir, func() {
					if n == at {
						cancel()
					}
					n++
				})
				_, err := l.Run(stopped)
				cancel()
				if err == nil {
					continue
				}
				require.ErrorIs(t, err, context.Canceled)
				toy, l := start(dir, func() {})
				h := run(t, l)
				require.Equal(t, params, toy.Params(), "tick %d", at)
				require.True(t, reflect.DeepEqual(want, outcomeOf(t, l, h)), "tick %d", at)
			}
		})
	}
}

// correlated is a learner whose draws depend on each other.
type correlated struct{ learner }

func (correlated) Independent() bool { return false }

// TestDependentDraws: a leave-one-out baseline refuses them; pairs do not need it.
func TestDependentDraws(t *testing.T) {
	toy := newToy(3, 10)
	c := correlated{toy.LogLinear}
	for name, term := range map[string]term{
		"penalty": &penalty{Policy: c, Ref: toy.ref, K: 2, Lambda: 1},
		"online":  &onlineRL{Policy: c, Ref: toy.ref, Reward: zeroReward, K: 2, Beta: 0.1},
		"budget":  toy.budgeted(c)[1],
		"Nash-MD": anewTerms(c, toy.ref, taste)["Nash-MD"],
	} {
		_, err := toy.loop(term).Run(ctx)
		assert.ErrorIs(t, err, sampler.ErrDependent, name)
		assert.ErrorContains(t, err, "train: step 1: train: draws of train_test.correlated: ", name)
	}
	for name, term := range freshTerms(c, toy.ref, worthOf, taste) {
		if _, ok := term.(*train.PolicyGradient[x, int]); ok {
			continue // see TestPolicyGradientErrors
		}
		l := toy.loop(term)
		l.Steps = 2
		_, err := l.Run(ctx)
		assert.NoError(t, err, name)
	}
}

func TestFreshErrors(t *testing.T) {
	toy := newToy(2, 4)
	p, ref := toy.LogLinear, toy.ref
	dpo := loss.DPO{Beta: 0.1}
	for want, term := range map[string]term{
		"train: OnlinePairs needs either Judge or Reward":                                     &train.OnlinePairs[x, int]{Policy: p, Ref: ref, Loss: dpo, K: 2},
		"train: OnlinePairs.K = 1, must be at least 2":                                        &train.OnlinePairs[x, int]{Policy: p, Ref: ref, Loss: dpo, K: 1, Reward: worthOf},
		"train: OnlinePairs.K = 3, must be even for a Judge":                                  &train.OnlinePairs[x, int]{Policy: p, Ref: ref, Loss: dpo, K: 3, Judge: taste},
		"train: OnlinePairs.Soft needs a Judge":                                               &train.OnlinePairs[x, int]{Policy: p, Ref: ref, Loss: dpo, K: 2, Reward: worthOf, Soft: true},
		"train: XPO.K = 0, must be at least 1":                                                &train.XPO[x, int]{Policy: p, Ref: ref, Loss: dpo, Judge: taste},
		"loss: XPO.Alpha = -1, must be finite and not negative":                               &train.XPO[x, int]{Policy: p, Ref: ref, Loss: dpo, Judge: taste, K: 1, Alpha: -1},
		"train: REBEL.K = 3, must be even and at least 2":                                     &train.REBEL[x, int]{Policy: p, Reward: worthOf, K: 3, Eta: 1},
		"train: REBEL.Eta = 0, must be positive and finite, and so must 1/Eta":                &train.REBEL[x, int]{Policy: p, Reward: worthOf, K: 2},
		"train: REBEL.Eta = 1e-320, must be positive and finite, and so must 1/Eta":           &train.REBEL[x, int]{Policy: p, Reward: worthOf, K: 2, Eta: 1e-320},
		"train: REBEL.Beta = -1, must be finite and not negative":                             &train.REBEL[x, int]{Policy: p, Reward: worthOf, K: 2, Eta: 1, Beta: -1},
		"train: REBEL.Beta without Ref":                                                       &train.REBEL[x, int]{Policy: p, Reward: worthOf, K: 2, Eta: 1, Beta: 1},
		"train: SPPO.K = 1, must be at least 2":                                               &train.SPPO[x, int]{Policy: p, Judge: taste, K: 1, Beta: 1},
		"train: K = 1, a leave-one-out baseline needs at least 2":                             &train.NashMD[x, int]{Policy: p, Ref: ref, Opponent: ref, Judge: taste, K: 1},
		"loss: RLHF.Beta = -1, must be finite and not negative":                               &train.NashMD[x, int]{Policy: p, Ref: ref, Opponent: ref, Judge: taste, K: 2, Beta: -1},
		"train: BestOfN.N = 0, must be at least 1":                                            &train.BestOfN[x, int]{Policy: p, From: ref, Reward: worthOf},
		"train: loss.AOT looks at the whole batch and cannot be accumulated from 3 of 8 rows": &train.OnlinePairs[x, int]{Policy: p, Ref: ref, Loss: loss.AOT{Beta: 1}, K: 2, Judge: taste},
	} {
		l := toy.loop(term)
		l.Micro = 3
		_, err := l.Run(ctx)
		assert.EqualError(t, err, "train: step 1: "+want)
	}
	b := one()
	b.Repeat = 1
	other := &train.BestOfN[int, int]{Policy: newEnumerated(), From: newEnumerated().ref, Reward: utilityOf, N: 1}
	require.NoError(t, other.Accumulate(ctx, one(), policy.Key{}, &train.Metrics{}))
	b.ID[0]++
	assert.EqualError(t, other.Accumulate(ctx, b, policy.Key{}, &train.Metrics{}), "train: update 2 on rows for which nothing was drawn")
	term := &train.BestOfN[int, int]{Policy: newEnumerated(), From: newEnumerated().ref, Reward: utilityOf, N: 1}
	assert.EqualError(t, term.Accumulate(ctx, b, policy.Key{}, &train.Metrics{}), "train: update 2 on rows for which nothing was drawn")
}

// TestFreshDescribe: a checkpoint of other settings is refused.
func TestFreshDescribe(t *testing.T) {
	toy := newToy(2, 4)
	p, ref := toy.LogLinear, toy.ref
	for name, text := range map[string]string{
		"online DPO, judged":      "K=4 Loss=loss.DPO{Beta:0.3, LabelSmoothing:0} Judge=true Soft=false",
		"online DPO, soft":        "K=2 Loss=loss.DPO{Beta:0.3, LabelSmoothing:0} Judge=true Soft=true",
		"online IPO, best, worst": "K=3 Loss=loss.IPO{Tau:0.5, LogRatio:0x1} Judge=false Soft=false",
		"XPO":                     "K=2 Loss=loss.DPO{Beta:0.3, LabelSmoothing:0} Alpha=0.1 Soft=false",
		"SPPO":                    "K=3 Beta=0.5",
		"REBEL":                   "K=2 Eta=0.7 Beta=0.1",
		"best of n":               "N=3",
		"Nash-MD":                 "K=2 Beta=0.2",
		"PPO":                     "K=3 Advantage=rloo.RLOO{} AdvantageOf=false Beta=0.2 Loss=loss.PPO{ClipLow:0.01, ClipHigh:0.01, Dual:0, By:0x1} Control=<nil><nil> Importance=<nil>",
	} {
		assert.Equal(t, text, allTerms(p, ref)[name].(train.Describer).Describe(), name)
	}
}
