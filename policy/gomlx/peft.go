package gomlx

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prefgrad/prefgrad/policy/gomlx/internal/safetensors"
)

const (
	adapterConfig  = "adapter_config.json"
	adapterWeights = "adapter_model.safetensors"
)

// peftConfig is what adapter_config.json has of a LoRA adapter. Options that this
// package does not have are read to refuse them.
type peftConfig struct {
	Type         string   `json:"peft_type"`
	Task         string   `json:"task_type"`
	Base         *string  `json:"base_model_name_or_path"`
	R            int      `json:"r"`
	Alpha        float64  `json:"lora_alpha"`
	Dropout      float64  `json:"lora_dropout"`
	Targets      targets  `json:"target_modules"`
	Bias         string   `json:"bias"`
	FanInFanOut  bool     `json:"fan_in_fan_out"`
	Init         any      `json:"init_lora_weights"`
	Inference    bool     `json:"inference_mode"`
	RankStable   bool     `json:"use_rslora"`
	DoRA         bool     `json:"use_dora"`
	LoRABias     bool     `json:"lora_bias"`
	SaveModules  []string `json:"modules_to_save"`
	Layers       any      `json:"layers_to_transform"`
	RankPattern  any      `json:"rank_pattern"`
	AlphaPattern any      `json:"alpha_pattern"`
}

// targets is a list of names, or "all-linear".
type targets []string

func (t *targets) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		if one != "all-linear" {
			return fmt.Errorf("target_modules is the expression %q, must be a list or all-linear", one)
		}
		*t = AllLinear()
		return nil
	}
	if err := json.Unmarshal(b, (*[]string)(t)); err != nil {
		return err
	}
	for i, name := range *t {
		(*t)[i] = name[strings.LastIndexByte(name, '.')+1:]
	}
	return nil
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

func (p peftConfig) lora() (LoRA, error) {
	for _, f := range []struct {
		name  string
		value any
		ok    bool
	}{
		{"peft_type", p.Type, p.Type == "LORA"},
		{"bias", p.Bias, p.Bias == "none" || p.Bias == ""},
		{"fan_in_fan_out", p.FanInFanOut, !p.FanInFanOut},
		{"use_rslora", p.RankStable, !p.RankStable},
		{"use_dora", p.DoRA, !p.DoRA},
		{"lora_bias", p.LoRABias, !p.LoRABias},
		{"modules_to_save", p.SaveModules, len(p.SaveModules) == 0},
		{"layers_to_transform", p.Layers, empty(p.Layers)},
		{"rank_pattern", p.RankPattern, empty(p.RankPattern)},
		{"alpha_pattern", p.AlphaPattern, empty(p.AlphaPattern)},
	} {
		if !f.ok {
			return LoRA{}, fmt.Errorf("gomlx: %s: %s is %v, which is not supported", adapterConfig, f.name, f.value)
		}
	}
	return LoRA{R: p.R, Alpha: p.Alpha, Dropout: p.Dropout, Targets: slices.Clone(p.Targets)}.withDefaults()
}

// LoadLoRA returns m with the adapter in a folder of PEFT's form: adapter_config.json
// and adapter_model.safetensors. It shares m's weights, as [Model.LoRA] does. An option
// that this package does not have is an error that names it.
func (m *Model) LoadLoRA(dir string) (*Model, error) {
	text, err := os.ReadFile(filepath.Join(dir, adapterConfig))
	if err != nil {
		return nil, fmt.Errorf("gomlx: %w", err)
	}
	var p peftConfig
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("gomlx: %s: %w", adapterConfig, err)
	}
	l, err := p.lora()
	if err != nil {
		return nil, err
	}
	f, err := safetensors.Open(filepath.Join(dir, adapterWeights))
	if err != nil {
		return nil, fmt.Errorf("gomlx: %w", err)
	}
	defer f.Close()
	specs := l.specs(m.cfg)
	for _, name := range f.Names() {
		if !slices.ContainsFunc(specs, func(s spec) bool { return s.name == name }) {
			return nil, fmt.Errorf("gomlx: %s: tensor %q has no place in the adapter", adapterWeights, name)
		}
	}
	return m.adapt(l, func(i int) ([]float32, error) {
		v, err := f.Read(specs[i].name, specs[i].dims)
		if err != nil {
			return nil, fmt.Errorf("gomlx: %s: %w", adapterWeights, err)
		}
		return v, nil
	})
}

// SaveLoRA writes the adapter to a folder in PEFT's form. base is what PEFT will look
// for the base model under: a folder that [Model.Save] wrote, or a name on a hub; it may
// be empty. It panics if m has no adapter.
func (s *scorer) SaveLoRA(dir, base string) error {
	if s.adapter == nil {
		panic("gomlx: SaveLoRA of a model without an adapter")
	}
	s.changing.RLock()
	defer s.changing.RUnlock()
	var name *string
	if base != "" {
		name = &base
	}
	err := writeJSON(dir, adapterConfig, peftConfig{
		Type: "LORA", Task: "CAUSAL_LM", Base: name, R: s.lora.R, Alpha: s.lora.Alpha, Dropout: s.lora.Dropout,
		Targets: s.lora.Targets, Bias: "none", Init: true, Inference: true,
		RankPattern: map[string]any{}, AlphaPattern: map[string]any{},
	})
	if err != nil {
		return err
	}
	return s.adapter.save(filepath.Join(dir, adapterWeights))
}
