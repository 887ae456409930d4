package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDemonstration runs without input, here an empty pipe: DPO's policy is far, HyPO's is
// near, and the estimates hold the exact values.
func TestDemonstration(t *testing.T) {
	dir := t.TempDir()
	var out, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-out", dir, "-json"}, strings.NewReader(""), true, &out, &stderr))
	assert.Contains(t, stderr.String(), "standard input is empty; this is the demonstration")
	assert.Contains(t, failure(t, "", "-in", "-"), "standard input: no samples", "where it is named, it must not be")
	var r map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &r))
	keys(t, map[string]any{"exact_kl": 0, "audit": r["dpo"].(map[string]any)["audit"]}, r["dpo"])
	assert.Equal(t, "add-online-kl", at(r, "dpo", "audit", "verdict"))
	assert.Equal(t, "offline", at(r, "hypo", "audit", "verdict"))
	for _, method := range []string{"dpo", "hypo"} {
		k1 := at(r, method, "audit", "kl", "k1")
		assert.Less(t, float(t, k1, "lo"), float(t, r, method, "exact_kl"))
		assert.Greater(t, float(t, k1, "hi"), float(t, r, method, "exact_kl"))
		assert.Equal(t, at(r, method, "audit"), any(object(t, "", "-in", filepath.Join(dir, method+".jsonl"))), "the samples are those of the audit")
	}
	svg, err := os.ReadFile(filepath.Join(dir, "profile.svg"))
	require.NoError(t, err)
	assert.Contains(t, string(svg), "<svg")
	assert.Contains(t, string(svg), "hypo")
}

func TestPlot(t *testing.T) {
	for name, text := range map[string]string{"one point": good, "outside": good + `{"prompt":1,"logp":-1,"ref_logp":"-Infinity","from":"policy"}`} {
		dir := filepath.Join(t.TempDir(), "new", "folder")
		output(t, text, "-out", dir)
		svg, err := os.ReadFile(filepath.Join(dir, "profile.svg"))
		require.NoError(t, err, name)
		assert.Contains(t, string(svg), "<svg", name)
	}
}
