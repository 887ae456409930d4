package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/coverage"
)

// TestShards reads lines in one pass, and in parts that are merged. Long enough for several
// flushes.
func TestShards(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	var lines []string
	for i, line := range strings.SplitAfter(newWorld(2, 1).lines(rng, 1200, 5, "policy", "ref"), "\n") {
		if i%3 == 0 {
			line = strings.Replace(line, "}", `,"length":12,"features":[`+[]string{"0,1", "2,0.5", "1,1"}[rng.IntN(3)]+"]}", 1)
		}
		if i%100 == 0 {
			line += "bad\n"
		}
		lines = append(lines, line)
	}
	c := &config{In: "-", SkipBad: true, Seed: 1, Ratio: 20, MinPrompts: 10, MaxKhat: 0.7}
	audited := func(lines []string) *audit {
		a, err := read(t.Context(), c, strings.NewReader(strings.Join(lines, "")))
		require.NoError(t, err)
		return a
	}
	decoded := func(a *audit) map[string]any {
		r, err := a.result(c)
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, encode(&b, r))
		var v map[string]any
		require.NoError(t, json.Unmarshal(b.Bytes(), &v))
		return v
	}
	// What is extreme comes last.
	lines = append(lines, `{"prompt":"last","logp":-1,"ref_logp":-12.5,"from":"policy","length":9000}`+"\n")
	last := pair{prompt: []byte("0"), from: coverage.FromRef, chosen: reply{logp: -1, ref: -9.5, length: -1}, rejected: reply{logp: -1, ref: -1, length: -1}}
	page := func(a *audit) string {
		r, err := a.result(c)
		require.NoError(t, err)
		var b strings.Builder
		require.NoError(t, r.text(&b, "lines", c))
		fmt.Fprintf(&b, "%.9f", []number{r.facts.beyond.P, r.facts.beyond.Lo, r.facts.beyond.Hi})
		return b.String()
	}
	single := audited(lines)
	require.NoError(t, single.addPair(&last))
	want := decoded(single)
	require.Equal(t, 6001.0, at(want, "n", "policy"))
	require.Equal(t, 121.0, at(want, "n", "skipped"))
	require.NotNil(t, want["features"])
	for _, shards := range []int{2, 3} {
		size := len(lines) / shards / 10 * 10 // no prompt, of ten lines, is cut
		whole := audited(lines[:size])
		for k := 1; k < shards; k++ {
			end := (k + 1) * size
			if k == shards-1 {
				end = len(lines)
			}
			part := audited(lines[k*size : end])
			if k == shards-1 {
				require.NoError(t, part.addPair(&last))
			}
			require.NoError(t, whole.merge(part))
		}
		close(t, want, decoded(whole), "")
		assert.Equal(t, page(single), page(whole))
	}
}

// close asserts that two decoded objects agree, numbers up to rounding.
func close(t *testing.T, want, got any, path string) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		for k, v := range w {
			close(t, v, got.(map[string]any)[k], path+"."+k)
		}
	case []any:
		require.Len(t, got, len(w), path)
		for i, v := range w {
			close(t, v, got.([]any)[i], path+"[]")
		}
	case float64:
		assert.InDelta(t, w, got, 1e-9*max(1, w), path)
	default:
		assert.Equal(t, want, got, path)
	}
}
