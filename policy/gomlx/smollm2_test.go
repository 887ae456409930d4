package gomlx_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/gomlx"
	"github.com/prefgrad/prefgrad/policy/gomlx/gguf"
	"github.com/prefgrad/prefgrad/policy/gomlx/tokenizer"
)

// TestSmolLM2 compares a real model with transformers: tokens, log-probabilities, the
// most probable continuation. It runs if PREFGRAD_SMOLLM2 names a folder that
// testdata/smollm2.py made.
func TestSmolLM2(t *testing.T) {
	dir := os.Getenv("PREFGRAD_SMOLLM2")
	if dir == "" {
		t.Skip("PREFGRAD_SMOLLM2 names no folder that testdata/smollm2.py made")
	}
	text, err := os.ReadFile(filepath.Join(dir, "reference.json"))
	require.NoError(t, err)
	var reference struct {
		Texts []struct {
			Text     string
			IDs      []int32
			LogProbs []float64
		}
		Prompt, Greedy []int32
	}
	require.NoError(t, json.Unmarshal(text, &reference))
	k, err := tokenizer.Load(dir)
	require.NoError(t, err)
	var b policy.Tokens
	var want []float64
	for _, r := range reference.Texts {
		assert.Equal(t, r.IDs, k.Encode(r.Text))
		assert.Equal(t, r.Text, k.Decode(r.IDs))
		b.Append(r.IDs[:1], r.IDs[1:])
		want = append(append(want, 0), r.LogProbs...)
	}
	for name, load := range map[string]func() (*gomlx.Model, error){
		"safetensors": func() (*gomlx.Model, error) { return gomlx.Load(backend(t), dir) },
		"GGUF":        func() (*gomlx.Model, error) { return gguf.Load(backend(t), filepath.Join(dir, "model.gguf")) },
	} {
		t.Run(name, func(t *testing.T) {
			m, err := load()
			require.NoError(t, err)
			defer func() { assert.NoError(t, m.Close()) }()
			got := make([]float64, len(b.IDs))
			require.NoError(t, m.NewTokenPass().Forward(context.Background(), policy.TokenStats{LogProb: got}, b))
			worst := 0.0
			for i := range want {
				worst = max(worst, math.Abs(got[i]-want[i]))
			}
			t.Logf("%d tokens, largest difference %.2g", len(want), worst)
			assert.Less(t, worst, 1e-3)
			assert.Equal(t, reference.Greedy, greedy(t, m, reference.Prompt, len(reference.Greedy)))
		})
	}
}

// greedy continues a prompt with the most probable tokens.
func greedy(t *testing.T, m policy.Decoder, prompt []int32, n int) []int32 {
	t.Helper()
	ctx := context.Background()
	d, err := m.Open(ctx, [][]int32{prompt}, 1)
	require.NoError(t, err)
	var out []int32
	z := make([]float32, m.Vocab())
	for range n {
		require.NoError(t, d.Logits(ctx, z, []int{0}))
		id := int32(slices.Index(z, slices.Max(z)))
		out = append(out, id)
		require.NoError(t, d.Append(ctx, []int{0}, []int32{id}))
	}
	require.NoError(t, d.Close())
	return out
}
