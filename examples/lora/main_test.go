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

func TestLora(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	err := run(context.Background(), []string{
		"-data", pairstest.Write(t, 60), "-steps", "2", "-sft-steps", "2", "-batch", "4", "-k", "2", "-dim", "16", "-layers", "1", "-heads", "2",
		"-vocab", "280", "-prompt", "8", "-reply", "6", "-r", "2", "-out", dir, "-json",
	}, &out, io.Discard)
	require.NoError(t, err)
	var r struct {
		Problem string `json:"problem"`
		Methods []struct {
			Name  string
			Final map[string]struct{ Values []float64 }
			Trace []struct{ Step int }
		}
	}
	d := json.NewDecoder(&out)
	require.NoError(t, d.Decode(&r))
	_, err = d.Token()
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, "text", r.Problem)
	var names []string
	for _, m := range r.Methods {
		names = append(names, m.Name)
		for _, q := range []string{"kl", "winrate", "winrate_length_controlled", "winrate_chosen", "length", "perplexity"} {
			require.Len(t, m.Final[q].Values, 1, "%s of %s", q, m.Name)
		}
	}
	require.Equal(t, []string{"ref", "dpo", "hypo"}, names)
	require.Zero(t, r.Methods[0].Final["kl"].Values[0])
	require.Positive(t, r.Methods[1].Final["kl"].Values[0], "DPO moved the adapter")
	require.Positive(t, r.Methods[2].Final["kl"].Values[0], "HyPO moved the adapter")
	for _, f := range []string{"kl.svg", "winrate.svg", "samples.txt"} {
		_, err := os.Stat(filepath.Join(dir, f))
		require.NoError(t, err)
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "-data is missing"},
		{[]string{"-data", "x", "-k", "1"}, "-k is 1, must be at least 2"},
		{[]string{"-data", "x", "-methods", "dpo,ppo"}, `-methods has "ppo"`},
		{[]string{"-data", "x", "-vocab", "100"}, "-vocab is 100"},
		{[]string{"-data", "x", "-resume"}, "-resume needs -checkpoint"},
		{[]string{"-data", "x", "extra"}, `unexpected argument "extra"`},
	} {
		var stderr bytes.Buffer
		require.ErrorIs(t, run(context.Background(), c.args, io.Discard, &stderr), command.ErrUsage)
		require.Contains(t, stderr.String(), c.want)
	}
}
