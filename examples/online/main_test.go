package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/report"
)

// object runs the program with -json and decodes what it prints, which must be one object.
func object(t *testing.T, args ...string) (r report.Report, config map[string]any) {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), append(args, "-json"), &out, io.Discard))
	r.Config = &config
	d := json.NewDecoder(&out)
	require.NoError(t, d.Decode(&r))
	_, err := d.Token()
	require.ErrorIs(t, err, io.EOF, "more than one JSON value")
	return r, config
}

// TestOnline: every method runs with every signal, draws its budget and gains reward; the plots
// are there.
func TestOnline(t *testing.T) {
	dir := t.TempDir()
	r, config := object(t, "-seeds", "2", "-samples", "1280", "-out", dir)
	assert.Equal(t, "coverage-gap", r.Problem)
	assert.Equal(t, []uint64{1, 2}, r.Seeds)
	assert.Equal(t, 0.3, config["beta"])
	assert.Contains(t, config["fixed"], "rebel_eta")
	assert.Equal(t, 512, r.RewardModel.TrainPairs)

	var names []string
	for _, m := range r.Methods {
		name := m.Name
		if m.Signal != "" {
			name += "/" + m.Signal
		}
		names = append(names, name)
		for q, s := range map[string]*report.Stat{"kl": m.Final.KL, "reward": m.Final.Reward, "winrate": m.Final.Winrate, "garbage": m.Final.Garbage} {
			require.Len(t, s.Values, 2, "%s %s", name, q)
			require.NotNil(t, s.Std)
		}
		if name == "ref" {
			continue
		}
		last := m.Trace[len(m.Trace)-1]
		assert.Equal(t, map[bool]int{true: 0, false: 1280}[name == "dpo"], last.Samples, name)
		assert.Positive(t, m.Final.Reward.Min, name)
		assert.Positive(t, m.Final.KL.Min, name)
		assert.Zero(t, m.Trace[0].Samples)
		assert.InDelta(t, 0, float64(m.Trace[0].KL.Max), 1e-12)
	}
	want := []string{"ref", "dpo", "hypo"}
	for _, m := range []string{"rloo", "ppo", "grpo", "online-dpo", "nash-md", "xpo", "rebel", "best-of-n"} {
		want = append(want, m+"/learned", m+"/true")
	}
	assert.Equal(t, want, names)
	for _, f := range []string{"kl-learned.svg", "kl-true.svg", "reward-learned.svg", "reward-true.svg"} {
		b, err := os.ReadFile(filepath.Join(dir, f))
		require.NoError(t, err)
		assert.Contains(t, string(b), "responses drawn")
		assert.Contains(t, string(b), "nash-md")
	}
}

// TestSameOptimum: with enough draws RLOO and REBEL come to the same policy, π_ref·e^{r/β} as far
// as features reach.
func TestSameOptimum(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for long")
	}
	r, _ := object(t, "-seeds", "1", "-samples", "38400", "-methods", "rloo,rebel", "-beta", "1")
	kl := func(i int) float64 { return float64(r.Methods[i].Final.KL.Median) }
	require.Equal(t, "rebel", r.Methods[3].Name)
	assert.InDelta(t, kl(1), kl(3), 0.1*kl(1))
	assert.Less(t, math.Abs(float64(r.Methods[1].Final.Reward.Median-r.Methods[3].Final.Reward.Median)), 0.02)
}

// TestSameBits: numbers do not depend on the number of processors, or on the other methods.
func TestSameBits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	args := []string{"-seeds", "1", "-samples", "512"}
	all, _ := object(t, args...)
	runtime.GOMAXPROCS(2)
	some, _ := object(t, append(args, "-methods", "ppo,xpo")...)
	for _, m := range some.Methods[1:] {
		i := slices.IndexFunc(all.Methods, func(o report.Method) bool { return o.Name == m.Name && o.Signal == m.Signal })
		assert.Equal(t, all.Methods[i], m)
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), []string{"-seeds", "1", "-samples", "256", "-methods", "grpo"}, &out, io.Discard))
	assert.Contains(t, out.String(), "grpo, learned")
	assert.Contains(t, out.String(), "has drawn 256 responses")
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	assert.ErrorIs(t, run(stopped, nil, io.Discard, io.Discard), context.Canceled)
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-k", "2"}, "-k is 2, must be at least 4"},
		{[]string{"-k", "5"}, "-k is 5, must be even"},
		{[]string{"-beta", "0"}, "-beta is 0, must be positive"},
		{[]string{"-dpo-beta", "NaN"}, "-dpo-beta is NaN"},
		{[]string{"-lambda", "-1"}, "-lambda is -1"},
		{[]string{"-lr", "+Inf"}, "-lr is +Inf"},
		{[]string{"-seeds", "0"}, "-seeds is 0"},
		{[]string{"-repeat", "0"}, "-repeat is 0"},
		{[]string{"-batch", "0"}, "-batch is 0"},
		{[]string{"-samples", "1000"}, "-samples is 1000, must be a multiple of -batch times -k, 256"},
		{[]string{"-samples", "0"}, "-samples is 0"},
		{[]string{"-methods", "rloo,ppoo"}, `-methods has "ppoo"`},
		{[]string{"extra"}, `unexpected argument "extra"`},
		{[]string{"-nonsense"}, "not defined: -nonsense"},
	} {
		var stderr bytes.Buffer
		require.ErrorIs(t, run(context.Background(), c.args, io.Discard, &stderr), command.ErrUsage, "%v", c.args)
		assert.Contains(t, stderr.String(), c.want)
	}
}
