package gomlx_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy/gomlx"
	"github.com/prefgrad/prefgrad/policy/gomlx/internal/safetensors"
)

// TestSaveLoad checks that a model survives a folder to the bit.
func TestSaveLoad(t *testing.T) {
	for _, name := range []string{"tiny", "tied"} {
		m, dir := load(t, name), filepath.Join(t.TempDir(), "new", "folder")
		require.NoError(t, m.Save(dir))
		again, err := gomlx.Load(backend(t), dir)
		require.NoError(t, err)
		assert.Equal(t, m.Config(), again.Config())
		names, _ := m.Params()
		for _, p := range names {
			want, err := m.Param(p)
			require.NoError(t, err)
			got, err := again.Param(p)
			require.NoError(t, err)
			assert.Equal(t, want, got, p)
		}
		require.NoError(t, m.Close())
	}
}

func TestLoadedConfig(t *testing.T) {
	assert.Equal(t, gomlx.Config{
		Vocab: 20, Dim: 12, Layers: 1, Heads: 3, KVHeads: 1, HeadDim: 8, Hidden: 16, MaxLen: 128, Tied: true,
		NormEps: 1e-6, InitStd: 0.02, BOS: []int32{1}, EOS: []int32{2, 3},
		RoPE: gomlx.RoPE{Theta: 100, Kind: "llama3", Factor: 4, LowFreqFactor: 1, HighFreqFactor: 4, OriginalMaxLen: 32},
	}, load(t, "tied").Config())
}

// TestOlderConfig reads the rotary embedding as transformers 4 writes it.
func TestOlderConfig(t *testing.T) {
	want := load(t, "tied")
	dir := copyModel(t, "tied", func(c map[string]any) {
		rope := c["rope_parameters"].(map[string]any)
		delete(c, "rope_parameters")
		c["rope_theta"] = rope["rope_theta"]
		delete(rope, "rope_theta")
		c["rope_scaling"] = rope
	})
	got, err := gomlx.Load(backend(t), dir)
	require.NoError(t, err)
	assert.Equal(t, want.Config(), got.Config())
}

// copyModel copies a golden model with a changed config.json.
func copyModel(t *testing.T, name string, change func(config map[string]any)) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join("testdata", name, "config.json"))
	require.NoError(t, err)
	var c map[string]any
	require.NoError(t, json.Unmarshal(text, &c))
	change(c)
	text, err = json.Marshal(c)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600))
	weights, err := os.ReadFile(filepath.Join("testdata", name, "model.safetensors"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors"), weights, 0o600))
	return dir
}

// TestUnsupportedConfig checks that a model that would be computed wrongly is refused by
// the name of the field.
func TestUnsupportedConfig(t *testing.T) {
	for _, c := range []struct {
		field   string
		value   any
		message string
	}{
		{"model_type", "qwen2", "model_type is qwen2"},
		{"hidden_act", "gelu", "hidden_act is gelu"},
		{"attention_bias", true, "attention_bias"},
		{"mlp_bias", true, "mlp_bias"},
		{"quantization_config", map[string]any{"bits": 4}, "quantization_config"},
		{"rope_parameters", map[string]any{"rope_type": "yarn", "factor": 2}, `RoPE.Kind is "yarn"`},
		{"rope_parameters", map[string]any{"rope_type": "linear", "factor": 0.5}, "RoPE.Factor is 0.5"},
		{"rope_parameters", map[string]any{"rope_type": "llama3", "factor": 2}, "LowFreqFactor"},
		{"rope_parameters", map[string]any{"rope_type": "default", "factor": 2}, "without a Kind"},
		{"num_key_value_heads", 3, "KVHeads is 3"},
		{"head_dim", 5, "HeadDim is 5"},
		{"vocab_size", 33, "model.embed_tokens.weight"},
		{"vocab_size", 0, "Vocab is 0"},
		{"num_hidden_layers", 3, "model.layers.2."},
		{"tie_word_embeddings", "yes", "config.json"},
		{"rms_norm_eps", -1, "NormEps is -1"},
	} {
		dir := copyModel(t, "tiny", func(config map[string]any) { config[c.field] = c.value })
		_, err := gomlx.Load(backend(t), dir)
		assert.ErrorContains(t, err, c.message)
	}
	_, err := gomlx.Load(backend(t), t.TempDir())
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestShards reads weights from several files.
func TestShards(t *testing.T) {
	want := load(t, "tied")
	dir := copyModel(t, "tied", func(map[string]any) {})
	whole, err := safetensors.Open(filepath.Join(dir, "model.safetensors"))
	require.NoError(t, err)
	index := map[string]string{}
	parts := map[string][]safetensors.Tensor{}
	for i, name := range whole.Names() {
		info, _ := whole.Lookup(name)
		file := fmt.Sprintf("model-%d.safetensors", i%2)
		index[name] = file
		parts[file] = append(parts[file], safetensors.Tensor{Name: name, Shape: info.Shape, Value: func() ([]float32, error) { return whole.Read(name, info.Shape) }})
	}
	for file, tensors := range parts {
		require.NoError(t, safetensors.WriteFile(filepath.Join(dir, file), tensors))
	}
	require.NoError(t, whole.Close())
	require.NoError(t, os.Remove(filepath.Join(dir, "model.safetensors")))
	write := func() {
		text, err := json.Marshal(map[string]any{"weight_map": index})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), text, 0o600))
	}
	write()
	got, err := gomlx.Load(backend(t), dir)
	require.NoError(t, err)
	assert.Equal(t, nextLogits(t, want, []int32{1, 2, 3}), nextLogits(t, got, []int32{1, 2, 3}))
	index["model.norm.weight"] = "../model.safetensors"
	write()
	_, err = gomlx.Load(backend(t), dir)
	assert.ErrorContains(t, err, "not a file of the same folder")
}

func TestNew(t *testing.T) {
	c := gomlx.Config{Vocab: 50, Dim: 16, Layers: 1, Heads: 2, Hidden: 32, InitStd: 0.5}
	m, err := gomlx.New(backend(t), c, 1)
	require.NoError(t, err)
	same, err := gomlx.New(backend(t), c, 1)
	require.NoError(t, err)
	other, err := gomlx.New(backend(t), c, 2)
	require.NoError(t, err)
	z := nextLogits(t, m, []int32{3})
	assert.Equal(t, z, nextLogits(t, same, []int32{3}))
	assert.NotEqual(t, z, nextLogits(t, other, []int32{3}))
	w, err := m.Param("lm_head.weight")
	require.NoError(t, err)
	sum := 0.0
	for _, x := range w {
		sum += float64(x) * float64(x) / float64(len(w))
	}
	assert.InDelta(t, 0.25, sum, 0.04) // 800 numbers, 3 standard deviations
	_, err = gomlx.New(backend(t), gomlx.Config{Vocab: 50, Dim: 16, Layers: 1, Heads: 3, KVHeads: 2, Hidden: 32}, 1)
	assert.ErrorContains(t, err, "Config.KVHeads is 2")
	_, err = m.Param("lm_head")
	assert.ErrorContains(t, err, `no parameter "lm_head"`)
	assert.ErrorContains(t, m.SetParam("lm_head.weight", nil), "0 values for the 800")
}

// TestTransformers loads what this package writes in transformers and PEFT. It runs if
// PREFGRAD_PYTHON names a Python that has them.
func TestTransformers(t *testing.T) {
	python := os.Getenv("PREFGRAD_PYTHON")
	if python == "" {
		t.Skip("PREFGRAD_PYTHON names no Python with torch, transformers and peft")
	}
	c := gomlx.Config{
		Vocab: 37, Dim: 24, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 8, Hidden: 40, MaxLen: 50, Tied: true, InitStd: 0.4,
		NormEps: 1e-4, RoPE: gomlx.RoPE{Theta: 500, Kind: "linear", Factor: 2}, BOS: []int32{0}, EOS: []int32{1, 2},
	}
	untied := c
	untied.Tied, untied.EOS = false, nil
	untied.RoPE = gomlx.RoPE{Kind: "llama3", Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalMaxLen: 16}
	ids := []int32{5, 0, 36, 7, 7, 21, 30, 2}
	for name, c := range map[string]gomlx.Config{"tied": c, "untied": untied} {
		t.Run(name, func(t *testing.T) {
			m, err := gomlx.New(backend(t), c, 9)
			require.NoError(t, err)
			dir, adapter := t.TempDir(), t.TempDir()
			require.NoError(t, m.Save(dir))
			expectLogits(t, m, ids, python, dir)

			a, err := m.LoRA(gomlx.LoRA{R: 3, Alpha: 5, Dropout: 0.1, Targets: gomlx.AllLinear()})
			require.NoError(t, err)
			names, shapes := a.Params()
			for i, name := range names {
				v := make([]float32, shapes[i][0]*shapes[i][1])
				for j := range v {
					v[j] = float32((i*7+j*13)%11-5) / 20
				}
				require.NoError(t, a.SetParam(name, v))
			}
			require.NoError(t, a.SaveLoRA(adapter, dir))
			expectLogits(t, a, ids, python, dir, "--adapter", adapter)

			merged, err := a.Merge()
			require.NoError(t, err)
			require.NoError(t, merged.Save(dir))
			expectLogits(t, a, ids, python, dir)
		})
	}
}

// expectLogits compares the logits after every token with those of check.py.
func expectLogits(t *testing.T, m *gomlx.Model, ids []int32, python string, args ...string) {
	t.Helper()
	args = append([]string{filepath.Join("testdata", "check.py")}, args...)
	for _, id := range ids {
		args = append(args, fmt.Sprint(id))
	}
	cmd := exec.Command(python, args...)
	cmd.Env = append(os.Environ(), "HF_HUB_OFFLINE=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var want [][]float32
	require.NoError(t, json.Unmarshal(out, &want))
	require.Len(t, want, len(ids))
	for i, w := range want {
		assert.Less(t, relative(nextLogits(t, m, ids[:i+1]), w), 1e-5, "after %d tokens", i+1)
	}
}
