package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPage holds the document against what this program writes: every block is there and
// filled in, every plot is shown and small.
func TestPage(t *testing.T) {
	b, err := os.ReadFile("../paper.md")
	require.NoError(t, err)
	page := strings.ReplaceAll(string(b), "\r\n", "\n")
	var marked []string
	for _, m := range regexp.MustCompile(`<!-- begin (\S+) -->`).FindAllStringSubmatch(page, -1) {
		marked = append(marked, m[1])
		_, rest, _ := strings.Cut(page, m[0])
		block, _, ok := strings.Cut(rest, "<!-- end "+m[1]+" -->")
		require.True(t, ok, m[1])
		assert.NotEmpty(t, strings.TrimSpace(block), m[1])
		assert.NotContains(t, block, "NaN", m[1])
	}
	want := []string{"machine", "machine-text", "gap", "frontier", "text-small", "text-large", "linear", "tabular", "counterexample"}
	assert.ElementsMatch(t, want, marked)

	var plots []string
	for _, j := range jobs("FILE", 1) {
		for _, here := range j.plots {
			plots = append(plots, here)
			assert.True(t, strings.Contains(page, "(paper/"+here+")"), "%s is not shown", here)
			info, err := os.Stat(here)
			if assert.NoError(t, err) {
				assert.Less(t, info.Size(), int64(60_000), here)
			}
		}
	}
	there, err := filepath.Glob("*.svg")
	require.NoError(t, err)
	slices.Sort(plots)
	assert.Equal(t, plots, there)
}

func TestReplace(t *testing.T) {
	text := "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n"
	got, err := replace([]byte(text), "x", "new\n")
	require.NoError(t, err)
	assert.Equal(t, "a\n<!-- begin x -->\n\nnew\n\n<!-- end x -->\nb\n", string(got))
	again, err := replace(got, "x", "new")
	require.NoError(t, err)
	assert.Equal(t, string(got), string(again))
	for _, bad := range []string{"", text + text, "<!-- end x -->\n<!-- begin x -->\n"} {
		_, err := replace([]byte(bad), "x", "new")
		assert.Error(t, err, "%q", bad)
	}
}

func TestTables(t *testing.T) {
	stat := func(v string) string { return `{"values":[1,2],"median":` + v + `,"min":-0.5,"max":12.34}` }
	blocks, err := extrapolationBlocks([]byte(`{
		"linear":[{"method":"dpo","best":` + stat("1") + `,"chosen":` + stat("-2") + `,"rejected":` + stat("123.4") + `,"curve_error":1e-15,"flow_error":0.002}],
		"random":[{"method":"dpo","limit_error":` + stat("0") + `}],
		"tabular":[{"reference":"uniform","log_odds":` + stat("1") + `,"closed_form":` + stat("1") + `,"rose":3,"fell":4,"error":0}],
		"counterexample":[{"delta":0,"best_j":0.5,"dpo":{"gradient":0,"kl":"Infinity","j":"-Infinity"},"ipo":{"gradient":1e-16,"kl":1,"j":2},"hypo":null}]}`))
	require.NoError(t, err)
	assert.Contains(t, blocks["linear"], "| three responses | dpo | 1.000 [−0.500, 12.3] | −2.000 [−0.500, 12.3] | 123 [−0.500, 12.3] | 1e-15 | 2e-03 | – |\n")
	assert.Contains(t, blocks["linear"], "| random features | dpo |  |  |  | – | – | 1e+01 |\n")
	assert.Contains(t, blocks["tabular"], "| uniform | 1.000 [−0.500, 12.3] | 1.000 [−0.500, 12.3] | 3 | 4 | 0 |\n")
	assert.Contains(t, blocks["counterexample"], "| 0 | 0.500 | 0 | ∞ | −∞ | 1e-16 | 1.000 | 2.000 | ∞ at the start |  |  |\n")

	method := func(name, kl, win string, trace string) string {
		return `{"name":"` + name + `","final":{"kl":{"values":[` + kl + `]},"winrate":{"values":[` + win + `]}},"trace":[` + trace + `]}`
	}
	blocks, err = gapBlocks([]byte(`{"seeds":[1,2],"methods":[` +
		method("dpo", "5,6", "0.4,0.9", `{"step":0,"winrate":{"median":0.5}},{"step":7,"winrate":{"median":0.6}},{"step":9,"winrate":{"median":0.4}}`) + `,` +
		method("hypo", "1,1", "0.5,0.5", "") + `]}`))
	require.NoError(t, err)
	assert.Contains(t, blocks["gap"], "in 1 of 2 seeds. DPO's median win rate is highest after 7 updates, 0.600.")

	blocks, err = frontierBlocks([]byte(`{"frontier":[
		{"name":"dpo","beta":0.1,"lambda":0,"kl":{"median":3},"reward":{"median":1}},
		{"name":"dpo","beta":0.4,"lambda":0,"kl":{"median":2},"reward":{"median":2}},
		{"name":"hypo","beta":0.1,"lambda":0.5,"kl":{"median":1},"reward":{"median":3}}]}`))
	require.NoError(t, err)
	assert.Contains(t, blocks["frontier"], "| dpo | β = 0.4, of 2 values | 2.000 | 2.000 |\n| hypo | β = 0.1, λ = 0.5, of 1 values of λ | 1.000 | 3.000 |\n")

	blocks, err = textBlocks("small")([]byte(`{"methods":[{"name":"ref","final":{"kl":{"values":[1],"median":11.25,"se":0.25},"length":{"values":[1],"median":0}}}]}`))
	require.NoError(t, err)
	assert.Contains(t, blocks["text-small"], "| ref | 11.2 ± 0.250 |  |  |  |  | 0 |  |  |\n")

	for name, f := range map[string]func([]byte) (map[string]string, error){"extrapolation": extrapolationBlocks, "gap": gapBlocks, "frontier": frontierBlocks, "text": textBlocks("large")} {
		_, err := f([]byte("{"))
		assert.Error(t, err, name)
	}
	_, err = gapBlocks([]byte(`{"methods":[]}`))
	assert.ErrorContains(t, err, `no method "dpo"`)
	_, err = frontierBlocks([]byte(`{}`))
	assert.ErrorContains(t, err, "no frontier")
}
