package gap_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/examples/internal/gap"
	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// config is a short run with the hyperparameters of the example.
func config(steps int) methods.Config {
	return methods.Config{
		Steps: steps, Batch: 64, LR: 0.02, Beta: 0.1, RLHFBeta: 0.3, Lambda: 0.05, KLBudget: 0.5, K: 4, Seed: 1, EvalEvery: 20,
	}
}

func runMethod(t testing.TB, method string, c methods.Config) (*policy.LogLinear, train.History) {
	t.Helper()
	p := problem()
	rm, err := p.FitReward()
	require.NoError(t, err)
	pi, h, err := p.Run(ctx, method, rm, gap.NewEvaluator(&p.Test), c, nil)
	require.NoError(t, err)
	return pi, h
}

// TestMethods runs a few steps of each: they begin at the reference, and HyPO stays closer to
// it than DPO.
func TestMethods(t *testing.T) {
	kl := map[string]float64{}
	for _, m := range methods.Names {
		pi, h := runMethod(t, m, config(60))
		require.Len(t, h, 4)
		assert.InDelta(t, 0, h[0].Values["eval/kl"], 1e-13, m)
		assert.InDelta(t, 0.5, h[0].Values["eval/winrate"], 1e-13, m)
		last := map[string]float64{}
		for k := range h[0].Values {
			v, ok := h.Last(k)
			require.True(t, ok)
			last[k] = v
		}
		exact, err := gap.NewEvaluator(&problem().Test).Exact(pi)
		require.NoError(t, err)
		assert.Equal(t, map[string]float64{"eval/kl": exact.KL, "eval/reward": exact.Reward, "eval/winrate": exact.Winrate, "eval/garbage": exact.Garbage}, last, m)
		assert.Positive(t, exact.Reward, "%s gains in the beginning", m)
		assert.Greater(t, exact.Winrate, 0.52, m)
		kl[m] = exact.KL
		for i := 1; i < len(h); i++ {
			assert.Greater(t, h[i].Values["eval/kl"], h[i-1].Values["eval/kl"], m)
		}
	}
	assert.Less(t, kl["hypo"], 0.7*kl["dpo"])
	assert.Less(t, kl["hypo-constrained"], kl["dpo"])
}

// TestRunIsDeterministic: same seed, same bits, also over a resume.
func TestRunIsDeterministic(t *testing.T) {
	c := config(25)
	a, h := runMethod(t, "hypo-constrained", c)
	b, again := runMethod(t, "hypo-constrained", c)
	assert.Equal(t, a.Params(), b.Params())
	assert.Equal(t, h, again)
	c.Seed++
	other, _ := runMethod(t, "hypo-constrained", c)
	assert.NotEqual(t, a.Params(), other.Params())

	c = config(25)
	dir := t.TempDir()
	c.Files = func(name string) (string, string) { return filepath.Join(dir, name), filepath.Join(dir, name+".jsonl") }
	first, _ := runMethod(t, "hypo-constrained", c)
	c.Resume = true
	second, again := runMethod(t, "hypo-constrained", c) // has nothing left to do
	assert.Equal(t, a.Params(), first.Params())
	assert.Equal(t, a.Params(), second.Params())
	assert.Equal(t, h, again)
	c.Lambda = 0.06
	p := problem()
	_, _, err := p.Run(ctx, "hypo-constrained", &gap.RewardModel{}, gap.NewEvaluator(&p.Test), c, nil)
	assert.ErrorContains(t, err, "it belongs to another run")
}

func BenchmarkStep(b *testing.B) {
	const steps = 200 // so that the evaluations before and after count little
	p := problem()
	rm, err := p.FitReward()
	require.NoError(b, err)
	e := gap.NewEvaluator(&p.Test)
	for _, m := range methods.Names {
		b.Run(m, func(b *testing.B) {
			b.ReportAllocs()
			c := config(steps)
			c.EvalEvery = 0
			for b.Loop() {
				_, _, err := p.Run(ctx, m, rm, e, c, nil)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*steps), "ns/step")
		})
	}
}
