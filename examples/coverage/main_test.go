package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files, and the output in docs/coverage.md, anew")

// output runs the program and returns what it prints.
func output(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var out, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), args, strings.NewReader(stdin), stdin != "", &out, &stderr), stderr.String())
	return out.String()
}

// object runs the program with -json and returns the one object that it prints.
func object(t *testing.T, stdin string, args ...string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(output(t, stdin, append(args, "-json")...)))
	var v map[string]any
	require.NoError(t, d.Decode(&v))
	_, err := d.Token()
	require.ErrorIs(t, err, io.EOF, "more than one JSON value")
	return v
}

// failure runs the program and returns its error.
func failure(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	err := run(context.Background(), args, strings.NewReader(stdin), stdin != "", &out, io.Discard)
	require.Error(t, err)
	require.Empty(t, out.String(), "no half report")
	return err.Error()
}

// at follows keys and indices into a decoded object.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			v = v.(map[string]any)[p]
		case int:
			v = v.([]any)[p]
		}
	}
	return v
}

// float is a number of a decoded object, which may be one of the strings.
func float(t *testing.T, v any, path ...any) float64 {
	t.Helper()
	switch x := at(v, path...).(type) {
	case float64:
		return x
	case string:
		return map[string]float64{"Infinity": math.Inf(1), "-Infinity": math.Inf(-1), "NaN": math.NaN()}[x]
	default:
		t.Fatalf("%v is %v, no number", path, x)
		return 0
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// world is a problem of a few kinds of prompts, each as likely as the others, with replies
// that can be enumerated.
type world struct{ policy, ref [][]float64 }

// newWorld draws one. tilt is how far the policy is from the reference.
func newWorld(seed uint64, tilt float64) *world {
	rng, w := rand.New(rand.NewPCG(seed, 2)), &world{}
	for range 8 {
		p, q := make([]float64, 5), make([]float64, 5)
		sp, sq := 0.0, 0.0
		for y := range q {
			q[y] = rng.ExpFloat64() + 0.1
			p[y] = q[y] * math.Exp(tilt*rng.NormFloat64())
			sp, sq = sp+p[y], sq+q[y]
		}
		for y := range q {
			p[y], q[y] = p[y]/sp, q[y]/sq
		}
		w.policy, w.ref = append(w.policy, p), append(w.ref, q)
	}
	return w
}

// mean is the average over kinds of prompts of the sum of f over replies.
func (w *world) mean(f func(p, q float64) float64) float64 {
	sum := 0.0
	for x, row := range w.policy {
		for y, p := range row {
			sum += f(p, w.ref[x][y])
		}
	}
	return sum / float64(len(w.policy))
}

// lines draws prompts, and k replies to each from the policy, the reference, or both.
func (w *world) lines(rng *rand.Rand, prompts, k int, sources ...string) string {
	var b strings.Builder
	for x := range prompts {
		kind := rng.IntN(len(w.ref))
		for _, from := range sources {
			row := w.policy[kind]
			if from == "ref" {
				row = w.ref[kind]
			}
			for range k {
				y := draw1(rng, row)
				fmt.Fprintf(&b, `{"prompt":%d,"logp":%v,"ref_logp":%v,"from":%q}`+"\n", x, math.Log(w.policy[kind][y]), math.Log(w.ref[kind][y]), from)
			}
		}
	}
	return b.String()
}

func draw1(rng *rand.Rand, row []float64) int {
	u := rng.Float64()
	for y, p := range row {
		if u -= p; u < 0 {
			return y
		}
	}
	return len(row) - 1
}

// TestGolden holds reports against committed ones. To write them anew:
// go test ./examples/coverage -run Golden -update
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
	}{
		{"near", []string{"-in", "testdata/near.jsonl"}},
		{"far", []string{"-in", "testdata/far.jsonl"}},
		{"open", []string{"-in", "testdata/open.jsonl"}},
		{"pairs", []string{"-pairs", "testdata/pairs.jsonl"}},
		{"outside", []string{"-in", "testdata/outside.jsonl"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := output(t, "", c.args...)
			golden := filepath.Join("testdata", c.name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), got)
			require.LessOrEqual(t, strings.Count(got, "\n"), 60, "more than a page")
		})
	}
}
