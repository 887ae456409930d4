package gomlx_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/gomlx"
)

func logProbs(t *testing.T, m policy.TokenPolicy) []float64 {
	t.Helper()
	got := make([]float64, len(prompts))
	require.NoError(t, policy.Sequences{Model: m}.LogProbs(context.Background(), got, prompts, replies))
	return got
}

// TestNewAdapter checks that a new adapter changes nothing, that a trained one leaves its
// base and its neighbours alone, and where the gradient goes.
func TestNewAdapter(t *testing.T) {
	ctx := context.Background()
	m := load(t, "tiny")
	want := logProbs(t, m)
	a, err := m.LoRA(gomlx.LoRA{R: 4, Targets: gomlx.AllLinear(), Seed: 1})
	require.NoError(t, err)
	b, err := m.LoRA(gomlx.LoRA{R: 2})
	require.NoError(t, err)
	assert.Equal(t, want, logProbs(t, a))
	assert.Equal(t, want, logProbs(t, b))
	names, shapes := a.Params()
	assert.Len(t, names, 2*7*2)
	assert.Equal(t, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", names[0])
	assert.Equal(t, []int{4, 16}, shapes[0])
	names, _ = b.Params()
	assert.Len(t, names, 2*2*2, "the default is q_proj and v_proj")

	o := a.AdamW()
	pass := policy.Sequences{Model: a}.NewPass()
	for range 2 {
		require.NoError(t, pass.Forward(ctx, make([]float64, len(prompts)), prompts, replies))
		require.NoError(t, pass.Pullback(ctx, []float64{1, -1, 1}))
		_, err = o.Update(ctx, 0.05, 1, 1)
		require.NoError(t, err)
	}
	assert.NotEqual(t, want, logProbs(t, a))
	assert.Equal(t, want, logProbs(t, a.Base()))
	assert.Equal(t, want, logProbs(t, b))
	assert.Equal(t, want, logProbs(t, m))

	frozen, err := a.Freeze()
	require.NoError(t, err)
	now := logProbs(t, a)
	assert.Equal(t, now, logProbs(t, frozen))
	require.NoError(t, pass.Pullback(ctx, []float64{1, 1, 1}))
	_, err = o.Update(ctx, 0.05, 1, 1)
	require.NoError(t, err)
	assert.NotEqual(t, now, logProbs(t, a))
	assert.Equal(t, now, logProbs(t, frozen))
	require.NoError(t, frozen.Close())
	assert.Equal(t, want, logProbs(t, m), "a frozen adapter does not own the base")
	_, err = a.LoRA(gomlx.LoRA{R: 1})
	assert.ErrorContains(t, err, "cannot be the base")
	assert.Panics(t, func() { m.Base() })
	assert.Panics(t, func() { _ = m.SaveLoRA(t.TempDir(), "") })
}

func TestMerge(t *testing.T) {
	a := loadLoRA(t)
	merged, err := a.Merge()
	require.NoError(t, err)
	assert.InDeltaSlice(t, logProbs(t, a), logProbs(t, merged), 1e-5)
	names, _ := merged.Params()
	assert.Contains(t, names, "model.layers.0.self_attn.q_proj.weight")
	assert.NotEqual(t, logProbs(t, a.Base()), logProbs(t, merged))
	assert.Panics(t, func() { _, _ = merged.Merge() })
}

func TestSaveLoRA(t *testing.T) {
	a, dir := loadLoRA(t), t.TempDir()
	require.NoError(t, a.SaveLoRA(dir, "a/base"))
	again, err := load(t, "tiny").LoadLoRA(dir)
	require.NoError(t, err)
	assert.Equal(t, logProbs(t, a), logProbs(t, again))
}

// TestPEFTOptions checks that an adapter that this package would compute wrongly is
// refused by the name of the option.
func TestPEFTOptions(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "lora", "adapter_config.json"))
	require.NoError(t, err)
	weights, err := os.ReadFile(filepath.Join("testdata", "lora", "adapter_model.safetensors"))
	require.NoError(t, err)
	m := load(t, "tiny")
	for _, c := range []struct{ old, new, message string }{
		{`"peft_type": "LORA"`, `"peft_type": "LOHA"`, "peft_type is LOHA"},
		{`"bias": "none"`, `"bias": "all"`, "bias"},
		{`"use_dora": false`, `"use_dora": true`, "use_dora"},
		{`"use_rslora": false`, `"use_rslora": true`, "use_rslora"},
		{`"modules_to_save": null`, `"modules_to_save": ["lm_head"]`, "modules_to_save"},
		{`"rank_pattern": {}`, `"rank_pattern": {"q_proj": 8}`, "rank_pattern"},
		{`"alpha_pattern": {}`, `"alpha_pattern": {"q_proj": 8}`, "alpha_pattern"},
		{`"layers_to_transform": null`, `"layers_to_transform": [0]`, "layers_to_transform"},
		{`"lora_bias": false`, `"lora_bias": true`, "lora_bias"},
		{`"fan_in_fan_out": false`, `"fan_in_fan_out": true`, "fan_in_fan_out"},
		{`"r": 3`, `"r": 0`, "LoRA.R is 0"},
		{`"r": 3`, `"r": 4`, "shape [3 16], not [4 16]"},
		{`"lora_dropout": 0.0`, `"lora_dropout": 1.0`, "LoRA.Dropout is 1"},
		{`"q_proj"`, `"k_proj"`, "q_proj.lora_A.weight\" has no place"},
		{`"q_proj",`, `"q_proj", "k_proj",`, "no tensor"},
		{`"q_proj"`, `"fc1"`, "fc1"},
	} {
		t.Run(c.new, func(t *testing.T) {
			require.Contains(t, string(text), c.old)
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "adapter_config.json"), []byte(strings.Replace(string(text), c.old, c.new, 1)), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "adapter_model.safetensors"), weights, 0o600))
			_, err := m.LoadLoRA(dir)
			assert.ErrorContains(t, err, c.message)
		})
	}
}

func TestLoRAFields(t *testing.T) {
	m := load(t, "tiny")
	for _, c := range []struct {
		l       gomlx.LoRA
		message string
	}{
		{gomlx.LoRA{}, "LoRA.R is 0"},
		{gomlx.LoRA{R: 1, Alpha: -1}, "LoRA.Alpha is -1"},
		{gomlx.LoRA{R: 1, Dropout: 1}, "LoRA.Dropout is 1"},
		{gomlx.LoRA{R: 1, Targets: []string{}}, "Targets is empty"},
		{gomlx.LoRA{R: 1, Targets: []string{"q_proj", "lm_head"}}, `Targets[1] is "lm_head"`},
		{gomlx.LoRA{R: 1, Targets: []string{"q_proj", "q_proj"}}, `Targets[1] is "q_proj"`},
	} {
		_, err := m.LoRA(c.l)
		assert.ErrorContains(t, err, c.message)
	}
}
