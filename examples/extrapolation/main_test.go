package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

// object runs the program with -json and decodes what it prints, which must be one object.
func object(t *testing.T, args ...string) *result {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), append(args, "-json"), &out, io.Discard))
	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	r := &result{Config: used{config: &config{}}}
	require.NoError(t, d.Decode(r))
	_, err := d.Token()
	require.ErrorIs(t, err, io.EOF, "more than one JSON value")
	return r
}

// TestClosedForms trains to the end and holds everything against its formula.
func TestClosedForms(t *testing.T) {
	r := object(t, "-seeds", "1", "-seed", "11")
	require.Equal(t, []uint64{11}, r.Seeds)
	require.Equal(t, 2000, r.Config.Steps)
	t.Run("linear", func(t *testing.T) { checkLinear(t, r) })
	t.Run("tabular", func(t *testing.T) { checkTabular(t, r) })
	t.Run("counterexample", func(t *testing.T) { checkCounterexample(t, r) })
}

func checkLinear(t *testing.T, r *result) {
	for i, name := range linearMethods {
		three, random := r.Linear[i], r.Random[i]
		require.Equal(t, []string{name, name}, []string{three.Method, random.Method})
		assert.Less(t, float64(*three.CurveError), 1e-12)
		for _, m := range []linear{three, random} {
			assert.Positive(t, m.Best.Min)
			assert.Negative(t, m.Chosen.Max)
			assert.Less(t, m.Rejected.Max, m.Chosen.Min)
			first := m.Trace[0]
			assert.Equal(t, 0, first.Step)
			last := m.Trace[len(m.Trace)-1]
			assert.Equal(t, 2000, last.Step)
			assert.Equal(t, m.Best.Values[0], last.Best.Values[0]-first.Best.Values[0])
		}
		assert.InDelta(t, -math.Log(3), float64(three.Trace[0].Best.Max), 1e-15)
		assert.InDelta(t, -math.Log(responses), float64(random.Trace[0].Chosen.Min), 1e-14)
	}
	dpo, online := r.Linear[0], r.Linear[1]
	assert.Less(t, float64(*dpo.FlowError), 3e-3)
	assert.Nil(t, dpo.LimitError)
	assert.Nil(t, online.FlowError)
	assert.Less(t, float64(online.LimitError.Max), 0.02)
	assert.Less(t, float64(r.Random[0].LimitError.Max), 1e-3)
	assert.Less(t, float64(r.Random[1].LimitError.Max), 0.1)
}

func checkTabular(t *testing.T, r *result) {
	for _, m := range r.Tabular {
		assert.Less(t, float64(m.Error), 1e-5, m.Reference) // gradient descent has not quite arrived
		assert.Less(t, float64(m.PathError), 1e-9, m.Reference)
		grew := 0
		for i, v := range m.Trace[len(m.Trace)-1].Mass.Values {
			if v > m.Trace[0].Mass.Values[i] {
				grew++
			}
		}
		assert.Equal(t, m.Rose, grew, m.Reference)
		assert.Equal(t, 1, m.Rose+m.Fell, m.Reference)
	}
	assert.Equal(t, []int{0, 0, 1}, []int{r.Tabular[0].Rose, r.Tabular[1].Rose, r.Tabular[2].Rose})
}

// At each δ nothing moves the offline losses, and J has no bound.
func checkCounterexample(t *testing.T, r *result) {
	require.Len(t, r.Counterexample, len(deltas))
	lastKL, lastJ := 0.0, math.Inf(1)
	for i, v := range r.Counterexample {
		require.Equal(t, deltas[i], float64(v.Delta))
		for _, s := range []stay{v.DPO, v.IPO} {
			assert.Less(t, float64(s.PairError), 1e-14)
			assert.Less(t, float64(s.Gradient), 1e-14)
		}
		assert.Greater(t, float64(v.DPO.KL), lastKL)
		assert.Less(t, float64(v.DPO.J), lastJ)
		lastKL, lastJ = float64(v.DPO.KL), float64(v.DPO.J)
		if v.Delta == 0 {
			assert.Nil(t, v.HyPO)
			assert.Equal(t, jsonnum.Float(math.Inf(-1)), v.DPO.J)
			assert.Equal(t, jsonnum.Float(math.Inf(1)), v.IPO.KL)
			continue
		}
		assert.InDelta(t, -0.5*math.Log(float64(v.Delta)), lastKL, 1)
		assert.InDelta(t, float64(*v.Minimum), float64(v.HyPO.KL.Median), 0.02)
		assert.Greater(t, float64(v.HyPO.J.Min), 0.5)
		assert.Less(t, float64(v.HyPO.J.Max), float64(v.BestJ))
	}
}

// TestClosedFormsCanFail plants an error in each formula, which the numbers must contradict.
func TestClosedFormsCanFail(t *testing.T) {
	ref, v := normalize([]float64{0.3, -1, 0.5, 0, -2}), []float64{1, -0.5, 0.2, 0.7}
	right := logOddsChange(ref, v)
	for name, wrong := range map[string][]float64{
		"sign": {-1, 0.5, -0.2, -0.7}, "scale": {2, -1, 0.4, 1.4}, "one reward": {1, -0.5, 0.2, 0.8},
	} {
		assert.Greater(t, math.Abs(logOddsChange(ref, wrong)-right), 1e-3, name)
	}
	assert.InDelta(t, right, logOddsChange(ref, []float64{6, 4.5, 5.2, 5.7}), 1e-14, "a constant does not matter")

	in, err := threeResponses(0)
	require.NoError(t, err)
	run, err := in.train(context.Background(), &config{Steps: 50, Beta: 2, K: 2}, "dpo", 1, nil)
	require.NoError(t, err)
	assert.Less(t, run.flow, 3e-3)
	in.data.Chosen, in.data.Rejected = in.data.Rejected, in.data.Chosen
	run, err = in.train(context.Background(), &config{Steps: 50, Beta: 2, K: 2}, "dpo", 1, nil)
	require.NoError(t, err)
	assert.Less(t, run.curve, 1e-14, "the same curve with s < 0")
	assert.Greater(t, run.flow, 0.1)
}

func TestSameBitsWithAnyWorkers(t *testing.T) {
	args := []string{"-seeds", "2", "-steps", "20", "-beta", "0.5"}
	whole := object(t, args...)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	require.Equal(t, whole, object(t, args...))
	require.NotEqual(t, whole.Random, object(t, append(args, "-seed", "2")...).Random)
}

func TestTableAndPlots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	var out, progress bytes.Buffer
	require.NoError(t, run(context.Background(), []string{"-seeds", "2", "-steps", "5", "-out", dir}, &out, &progress))
	for _, want := range []string{"online-rlhf", "favours low", "1e-128", "-Inf", "Over 2 seeds"} {
		assert.Contains(t, out.String(), want)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	require.NoError(t, err)
	require.Len(t, files, 7)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		assert.Contains(t, string(b), "<svg")
		assert.Less(t, len(b), 50_000, f)
		assert.Contains(t, progress.String(), "wrote "+f)
	}
}

func TestArguments(t *testing.T) {
	for _, args := range []string{"-seeds 0", "-steps 0", "-beta 0", "-beta -1", "-lambda 0", "-beta NaN", "-k 1", "extra", "-nonsense"} {
		var stderr strings.Builder
		err := run(context.Background(), strings.Fields(args), io.Discard, &stderr)
		require.ErrorIs(t, err, command.ErrUsage, args)
		require.NotEmpty(t, stderr.String(), args)
	}
	var help strings.Builder
	require.ErrorIs(t, run(context.Background(), []string{"-h"}, io.Discard, &help), flag.ErrHelp)
	for _, want := range []string{"counterexample", "-lambda", "default 20"} {
		assert.Contains(t, help.String(), want)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, run(ctx, nil, io.Discard, io.Discard), context.Canceled)
}
