package train_test

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

func estimate(t *testing.T, k int, values ...float64) coverage.KLEstimator {
	var e coverage.KLEstimator
	require.NoError(t, e.Add(values, k))
	return e
}

func TestMetrics(t *testing.T) {
	var m train.Metrics
	m.Set("set", 1)
	m.Mean("mean", 6, 2)
	m.Sum("sum", 1.5)
	m.Estimate("kl", estimate(t, 2, 1, 3, 5, 7)) // means of prompts: 2 and 6
	m.Set("set", 2)
	m.Mean("mean", 0, 4)
	m.Sum("sum", -0.5)
	m.Estimate("kl", estimate(t, 2, 4, 4)) // 2, 6, 4
	var names []string
	got := map[string]float64{}
	for k, v := range m.All() {
		names, got[k] = append(names, k), v
	}
	assert.Equal(t, []string{"set", "mean", "sum", "kl", "kl_se"}, names)
	assert.InDeltaMapValues(t, map[string]float64{"set": 2, "mean": 1, "sum": 1, "kl": 4, "kl_se": 2 / math.Sqrt(3)}, got, 1e-15)
	v, ok := m.Get("kl_se")
	assert.True(t, ok)
	assert.Equal(t, got["kl_se"], v)
	_, ok = m.Get("other")
	assert.False(t, ok)
	for range m.All() { // a reader may stop
		break
	}

	m.Reset()
	for range m.All() {
		t.Fatal("something was not forgotten")
	}
	m.Estimate("set", estimate(t, 1, 7, 9))
	v, _ = m.Get("set")
	assert.Equal(t, 8.0, v)
}

func TestMetricsJSON(t *testing.T) {
	var m train.Metrics
	b, err := json.Marshal(&m)
	require.NoError(t, err)
	assert.Equal(t, "{}", string(b))
	m.Set("b", 0.1)
	m.Mean("empty", 0, 0)
	m.Set("big", math.Inf(1))
	m.Set("small", math.Inf(-1))
	m.Set("a \"name\"\x00 ⊂", math.Copysign(0, -1))
	b, err = json.Marshal(&m)
	require.NoError(t, err)
	assert.Equal(t, `{"b":0.1,"empty":"NaN","big":"Infinity","small":"-Infinity","a \"name\"\u0000 ⊂":-0}`, string(b))
	var back map[string]jsonnum.Float
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Len(t, back, 5)
}

func TestHistory(t *testing.T) {
	h := train.History{
		{Step: 0, Values: map[string]float64{"a": 1}},
		{Step: 5, Values: map[string]float64{"a": 2, "b": math.Inf(1)}},
	}
	v, ok := h.Last("a")
	assert.Equal(t, 2.0, v)
	assert.True(t, ok)
	_, ok = h.Last("c")
	assert.False(t, ok)
	_, ok = train.History(nil).Last("a")
	assert.False(t, ok)
	text, err := json.Marshal(h)
	require.NoError(t, err)
	assert.Equal(t, `[{"Step":0,"Values":{"a":1}},{"Step":5,"Values":{"a":2,"b":"Infinity"}}]`, string(text))
	var back train.History
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, h, back)
}

// lines returns the lines of a metrics file.
func lines(t *testing.T, path string) []map[string]jsonnum.Float {
	var out []map[string]jsonnum.Float
	for line := range strings.Lines(readFile(t, path)) {
		var m map[string]jsonnum.Float
		require.NoError(t, json.Unmarshal([]byte(line), &m), line)
		out = append(out, m)
	}
	return out
}

// TestMetricsFile checks which lines there are, and their names: those that TRL gives them,
// and those that it lacks.
func TestMetricsFile(t *testing.T) {
	toy := newToy(3, 12)
	l := files(toy.loop(toy.budgeted(toy.LogLinear)...), t.TempDir())
	l.Terms = append(l.Terms, &sft{Policy: toy.LogLinear},
		&onlineRL{Policy: toy.LogLinear, Ref: toy.ref, Reward: zeroReward, K: 2, Beta: 0.1})
	l.Steps, l.Eval, l.EvalEvery = 5, toy.evalKL, 2
	h := run(t, l)
	var steps []int
	for _, m := range lines(t, l.MetricsFile) {
		n := int(m["step"])
		if _, ok := m["eval/kl"]; ok {
			require.Len(t, m, 2)
			n = -n
		} else {
			assert.Equal(t, []string{
				"displacement/chosen", "displacement/rejected", "epoch", "frac_reward_zero_std", "grad_norm", "lambda", "learning_rate",
				"logps/chosen", "logps/rejected", "loss", "nll_per_token", "objective/kl", "objective/kl_se", "objective/rlhf_reward", "objective/scores",
				"rewards/accuracies", "rewards/chosen", "rewards/margins", "rewards/rejected", "step",
			}, slices.Sorted(maps.Keys(m)))
			assert.InDelta(t, float64(n)*8/12, float64(m["epoch"]), 1e-15)
			assert.Equal(t, 0.05, float64(m["learning_rate"]))
			assert.Equal(t, 1.0, float64(m["frac_reward_zero_std"]))
		}
		steps = append(steps, n)
	}
	assert.Equal(t, []int{0, 1, 2, -2, 3, 4, -4, 5, -5}, steps) // an evaluation is negative
	var evaluated []int
	for _, e := range h {
		evaluated = append(evaluated, e.Step)
	}
	assert.Equal(t, []int{0, 2, 4, 5}, evaluated)
}

func TestMetricsFileWithoutNumbers(t *testing.T) {
	toy := newToy(3, 12)
	l := files(toy.loop(), t.TempDir())
	l.Steps, l.Eval = 1, func(context.Context, int, *train.Metrics) error { return nil }
	run(t, l)
	assert.True(t, strings.HasPrefix(readFile(t, l.MetricsFile), `{"step":0}`+"\n"+`{"step":1,"loss":`))
}

func zeroReward(_ context.Context, dst []float64, _ []x, _ []int) error {
	clear(dst)
	return nil
}

// TestOfflineMetrics compares what a step reports with hand-made numbers. Two responses of
// probability ½ each to two prompts; the policy has moved.
func TestOfflineMetrics(t *testing.T) {
	p := policy.NewTabular(2, 2, nil)
	copy(p.Params(), []float64{math.Log(3), 0, 0, 0}) // prompt 0: ¾ and ¼; prompt 1: ½ and ½
	half := -math.Ln2
	d := train.Data[int, int]{
		X: []int{0, 0, 1, 1}, Chosen: []int{0, 1, 0, 1}, Rejected: []int{1, 0, 1, 0},
		RefChosen:   []float64{half, half, half, half - 1},
		RefRejected: []float64{half, half, half, half + 1},
	}
	var got map[string]float64
	l := train.Loop[int, int]{
		Data: d, Updater: train.NewSGD(p, 0), Steps: 1, Batch: 4, Micro: 3, LR: 1,
		Terms: []train.Term[int, int]{&train.Offline[int, int]{Policy: p, Loss: loss.IPO{Tau: 0.5, LogRatio: loss.Sum}}, &intProbe{&got}},
	}
	_, err := l.Run(ctx)
	require.NoError(t, err)
	// Log-ratios, chosen and rejected: (ln 3/2, ln ½), (ln ½, ln 3/2), (0, 0), (1, −1).
	a, b := math.Log(1.5), math.Log(0.5)
	rewards := []float64{(a + b + 0 + 1) / 4, (b + a + 0 - 1) / 4}
	for name, want := range map[string]float64{
		"rewards/chosen": rewards[0], "rewards/rejected": rewards[1], "rewards/margins": rewards[0] - rewards[1],
		"rewards/accuracies":  (1 + 0 + 0.5 + 1) / 4,
		"logps/chosen":        (math.Log(0.75) + math.Log(0.25) + 2*half) / 4,
		"logps/rejected":      (math.Log(0.25) + math.Log(0.75) + 2*half) / 4,
		"displacement/chosen": 0.25, "displacement/rejected": 0.5,
		"loss": (sq(a-b-1) + sq(b-a-1) + 1 + sq(2-1)) / 4,
	} {
		assert.InDelta(t, want, got[name], 1e-14, name)
	}
}

// TestSupervisedMetrics: the loss is one per row of TokensPerRow tokens, nll_per_token one per
// token that there is.
func TestSupervisedMetrics(t *testing.T) {
	p := policy.NewTabular(1, 4, []float64{math.Log(0.5), math.Log(0.25), math.Log(0.125), math.Log(0.125)})
	var got map[string]float64
	l := train.Loop[int, int]{
		Data:    train.Data[int, int]{X: []int{0, 0, 0}, Chosen: []int{0, 1, 2}, ChosenLen: []int{1, 2, 9}},
		Terms:   []train.Term[int, int]{&train.Supervised[int, int]{Policy: p, TokensPerRow: 4}, &intProbe{&got}},
		Updater: train.NewSGD(p, 0), Steps: 1, Batch: 3, Micro: 2, LR: 1,
	}
	_, err := l.Run(ctx)
	require.NoError(t, err)
	assert.InDelta(t, 6*math.Ln2/12, got["nll_per_token"], 1e-15)
	assert.InDelta(t, 6*math.Ln2/3/4, got["loss"], 1e-15)
}

func sq(v float64) float64 { return v * v }

// intProbe copies the metrics of the step so far.
type intProbe struct{ to *map[string]float64 }

func (p *intProbe) Accumulate(_ context.Context, _ *train.Batch[int, int], _ policy.Key, m *train.Metrics) error {
	*p.to = maps.Collect(m.All())
	return nil
}
