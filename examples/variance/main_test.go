package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/examples/internal/command"
)

// object runs the program with -json and decodes what it prints, which must be one object.
func object(t *testing.T, args ...string) (r result) {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), append(args, "-json"), &out, io.Discard))
	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&r))
	_, err := d.Token()
	require.ErrorIs(t, err, io.EOF, "more than one JSON value")
	return r
}

func (r result) rows(t *testing.T, target, estimator string) (rows []entry) {
	t.Helper()
	for _, g := range r.Targets {
		for _, e := range g.Rows {
			if g.Name == target && e.Estimator == estimator {
				rows = append(rows, e)
			}
		}
	}
	require.NotEmpty(t, rows, "%s of the %s", estimator, target)
	return rows
}

// What is known of each estimator, and what is measured against what is exact.
func TestEstimators(t *testing.T) {
	dir := t.TempDir()
	r := object(t, "-groups", "4000", "-k", "2,4", "-out", dir)
	require.Equal(t, "variance", r.Problem)
	require.Equal(t, []int{2, 4}, r.Config.K)
	for target, names := range map[string][]string{
		"reward": {"no baseline", "leave-one-out", "optimal baseline"}, "KL": {"k1 in the reward", "k2 in the loss"},
	} {
		for _, name := range names {
			for _, e := range r.rows(t, target, name) {
				require.Less(t, float64(e.Exact.Bias), 1e-12, "%s, k = %d", name, e.K)
				require.Equal(t, e.Exact.SD, e.Exact.Error)
			}
		}
	}
	for _, e := range r.rows(t, "reward", "group mean") {
		require.InDelta(t, 1/float64(e.K), float64(e.Exact.Bias), 1e-12)
		require.InDelta(t, 1, float64(e.Cosine), 1e-12)
	}
	for _, name := range []string{"k2 in the reward", "k3 in the reward", "k3 in the loss"} {
		for _, e := range r.rows(t, "KL", name) {
			require.Greater(t, float64(e.Exact.Bias), 0.1)
		}
	}
	for _, e := range r.rows(t, "KL", "k1 in the loss") {
		require.InDelta(t, 1, float64(e.Exact.Bias), 1e-12)
		require.True(t, math.IsNaN(float64(e.Cosine)), "a string in JSON")
	}
	for _, g := range r.Targets {
		require.Positive(t, g.Norm)
		for _, e := range g.Rows {
			require.InEpsilon(t, float64(e.Exact.SD), float64(e.Measured.SD), 0.2, "%s, k = %d", e.Estimator, e.K)
			require.InDelta(t, float64(e.Exact.Bias), float64(e.Measured.Bias), 4*float64(e.BiasSE), "%s, k = %d", e.Estimator, e.K)
		}
	}
	for _, f := range []string{"reward-bias.svg", "reward-sd.svg", "kl-bias.svg", "kl-sd.svg"} {
		b, err := os.ReadFile(filepath.Join(dir, f))
		require.NoError(t, err)
		require.Contains(t, string(b), "<svg")
	}
}

// Both gradients are the finite differences of what they are called after.
func TestGradients(t *testing.T) {
	c := &config{Seed: 4, Responses: 6, Distance: 1, Offset: 3}
	p := newProblem(c)
	for _, g := range p.targets() {
		f := func(logits []float64) float64 {
			z, sum := floats.LogSumExp(logits), 0.0
			for y, l := range logits {
				if v := p.reward[y]; g.name == "reward" {
					sum += math.Exp(l-z) * v
				} else {
					sum += math.Exp(l-z) * (l - z - p.ref[y])
				}
			}
			return sum
		}
		want := fd.Gradient(nil, f, p.logp, &fd.Settings{Formula: fd.Central})
		require.InDeltaSlice(t, want, g.gradient, 1e-8)
		require.Greater(t, norm(want), 1e-3)
	}
}

func TestTable(t *testing.T) {
	var out, again bytes.Buffer
	args := []string{"-groups", "50", "-k", "2", "-responses", "3"}
	require.NoError(t, run(context.Background(), args, &out, io.Discard))
	require.NoError(t, run(context.Background(), args, &again, io.Discard))
	require.Equal(t, out.String(), again.String(), "a seed decides everything")
	require.Equal(t, 2*4+5+6, strings.Count(out.String(), "\n"))
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-k", "1"}, {"-k", "4,2"}, {"-k", "two"}, {"-k", ""}, {"-responses", "1"}, {"-distance", "0"}, {"-groups", "1"},
		{"-offset", "NaN"}, {"-offset", "Inf"}, {"extra"}, {"-nonsense"},
	} {
		var stderr bytes.Buffer
		require.ErrorIs(t, run(context.Background(), args, io.Discard, &stderr), command.ErrUsage, "%v", args)
		require.NotEmpty(t, stderr.String())
	}
	err := run(context.Background(), []string{"-responses", "40", "-k", "20"}, io.Discard, io.Discard)
	require.ErrorContains(t, err, "multisets, more than 2000000")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, run(ctx, nil, io.Discard, io.Discard), context.Canceled)
}
