package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/pairstest"
)

// object runs the program with -json and decodes what it prints, which must be one object.
func object(t *testing.T, args ...string) map[string]any {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), append(args, "-json"), &out, io.Discard))
	d := json.NewDecoder(&out)
	var v map[string]any
	require.NoError(t, d.Decode(&v))
	_, err := d.Token()
	require.ErrorIs(t, err, io.EOF, "more than one JSON value")
	return v
}

// method returns the method called name of a report.
func method(t *testing.T, r map[string]any, name string) map[string]any {
	t.Helper()
	for _, m := range r["methods"].([]any) {
		if m := m.(map[string]any); m["name"] == name {
			return m
		}
	}
	t.Fatalf("no method %q", name)
	return nil
}

func TestCoverageGap(t *testing.T) {
	dir := t.TempDir()
	r := object(t, "-seeds", "2", "-steps", "100", "-out", dir)
	require.Equal(t, "coverage-gap", r["problem"])
	require.Equal(t, []any{1.0, 2.0}, r["seeds"])
	for _, name := range []string{"ref", "dpo", "hypo", "hypo-constrained", "online-rlhf"} {
		final := method(t, r, name)["final"].(map[string]any)
		for _, q := range []string{"kl", "reward", "winrate", "garbage"} {
			s := final[q].(map[string]any)
			require.Len(t, s["values"], 2, "%s %s", name, q)
			for _, k := range []string{"median", "min", "max", "mean", "std"} {
				require.Contains(t, s, k, "%s %s", name, q)
			}
		}
	}
	kl := func(name string) float64 {
		return method(t, r, name)["final"].(map[string]any)["kl"].(map[string]any)["max"].(float64)
	}
	require.Less(t, kl("hypo"), kl("dpo"))
	require.Contains(t, r["reward_model"], "heldout_accuracy")
	svgs(t, dir, "kl.svg", "winrate.svg", "reward.svg")
}

func svgs(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f))
		require.NoError(t, err)
		require.Contains(t, string(b), "<svg")
	}
}

func TestFrontier(t *testing.T) {
	dir := t.TempDir()
	r := object(t, "-seeds", "1", "-steps", "5", "-out", dir, "-frontier")
	names := map[string]int{}
	for _, p := range r["frontier"].([]any) {
		names[p.(map[string]any)["name"].(string)]++
	}
	require.Equal(t, map[string]int{"dpo": 8, "hypo": 9, "online-rlhf": 7}, names)
	svgs(t, dir, "frontier.svg")
}

// TestSameBits holds a run that was stopped and resumed against one that was not, and a run
// with one processor against a run with two.
func TestSameBits(t *testing.T) {
	args := []string{"-seeds", "1", "-steps", "60", "-every", "20"}
	whole := object(t, append(args, "-checkpoint", t.TempDir())...)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	// The first line of progress comes after five seconds, so stop at the first checkpoint.
	go func() {
		for ctx.Err() == nil {
			if found, _ := filepath.Glob(filepath.Join(dir, "*.ckpt")); len(found) > 0 {
				cancel()
			}
		}
	}()
	_ = run(ctx, append(args, "-checkpoint", dir), io.Discard, io.Discard) // cancelled, or just done
	cancel()
	require.Equal(t, whole, object(t, append(args, "-checkpoint", dir, "-resume")...))
	require.Equal(t, whole["methods"], object(t, "-seeds", "1", "-steps", "60")["methods"])
}

func TestZeroLambdaIsDPO(t *testing.T) {
	r := object(t, "-seeds", "1", "-steps", "40", "-lambda", "0")
	require.Equal(t, method(t, r, "dpo")["final"], method(t, r, "hypo")["final"])
}

func TestText(t *testing.T) {
	if testing.Short() {
		t.Skip("trains language models")
	}
	dir := t.TempDir()
	blank := `{"prompt":"\n\nHuman: a?\n\nAssistant:","chosen":" ","rejected":" no"}`
	path := pairstest.Write(t, 120, blank)
	r := object(t, "-data", path, "-steps", "3", "-batch", "8", "-k", "2", "-out", dir)
	require.Equal(t, "text", r["problem"])
	data := r["data"].(map[string]any)
	require.Equal(t, 121.0, data["read"])
	require.Equal(t, 1.0, data["skipped"])
	require.Equal(t, map[string]any{"blank reply: chosen": 1.0}, data["reasons"])
	for _, name := range []string{"ref", "dpo", "hypo", "hypo-constrained", "online-rlhf"} {
		m := method(t, r, name)
		require.Equal(t, "small", m["size"])
		for _, q := range []string{"kl", "reward", "winrate", "perplexity", "length", "winrate_chosen", "winrate_length_controlled"} {
			s := m["final"].(map[string]any)[q].(map[string]any)
			require.Nil(t, s["std"], "one seed has no standard deviation")
			if q != "perplexity" {
				require.Contains(t, s, "se", "%s of %s is sampled", q, name)
			}
		}
	}
	samples, err := os.ReadFile(filepath.Join(dir, "samples.txt"))
	require.NoError(t, err)
	require.Contains(t, string(samples), "[online-rlhf]")
}

func TestBadLine(t *testing.T) {
	path := pairstest.Write(t, 40, `{"prompt":"\n\nHuman: a?\n\nAssistant:","chosen":" yes"}`)
	err := run(context.Background(), []string{"-data", path}, io.Discard, io.Discard)
	require.ErrorContains(t, err, "pairs.jsonl:41: rejected")
	err = run(context.Background(), []string{"-data", path + ".missing"}, io.Discard, io.Discard)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-k", "1"}, "-k is 1, must be at least 2"},
		{[]string{"-beta", "0"}, "-beta is 0, must be positive"},
		{[]string{"-beta", "NaN"}, "-beta is NaN"},
		{[]string{"-lambda", "-1"}, "-lambda is -1"},
		{[]string{"-lr", "+Inf"}, "-lr is +Inf"},
		{[]string{"-seeds", "0"}, "-seeds is 0"},
		{[]string{"-size", "large"}, "-size needs -data"},
		{[]string{"-skip-bad"}, "-skip-bad needs -data"},
		{[]string{"-data", "x", "-size", "huge"}, `-size is "huge"`},
		{[]string{"-data", "x", "-frontier"}, "-frontier"},
		{[]string{"-resume"}, "need -checkpoint"},
		{[]string{"extra"}, `unexpected argument "extra"`},
		{[]string{"-nonsense"}, "not defined: -nonsense"},
	} {
		var stderr bytes.Buffer
		require.ErrorIs(t, run(context.Background(), c.args, io.Discard, &stderr), command.ErrUsage, "%v", c.args)
		require.Contains(t, stderr.String(), c.want)
	}
}
