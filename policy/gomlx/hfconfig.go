package gomlx

import (
	"encoding/json"
	"fmt"
)

// hfConfig is what config.json has of a Llama.
type hfConfig struct {
	Architectures []string `json:"architectures"`
	ModelType     string   `json:"model_type"`
	Vocab         int      `json:"vocab_size"`
	Dim           int      `json:"hidden_size"`
	Layers        int      `json:"num_hidden_layers"`
	Heads         int      `json:"num_attention_heads"`
	KVHeads       int      `json:"num_key_value_heads"`
	HeadDim       int      `json:"head_dim"`
	Hidden        int      `json:"intermediate_size"`
	MaxLen        int      `json:"max_position_embeddings"`
	Tied          bool     `json:"tie_word_embeddings"`
	NormEps       float64  `json:"rms_norm_eps"`
	InitStd       float64  `json:"initializer_range"`
	Activation    string   `json:"hidden_act"`
	AttentionBias bool     `json:"attention_bias"`
	MLPBias       bool     `json:"mlp_bias"`
	BOS           ids      `json:"bos_token_id"`
	EOS           ids      `json:"eos_token_id"`
	DType         string   `json:"dtype"`

	// The rotary embedding: RopeParameters since transformers 5, the other two before.
	RopeParameters *hfRope `json:"rope_parameters,omitempty"`
	RopeTheta      float64 `json:"rope_theta,omitempty"`
	RopeScaling    *hfRope `json:"rope_scaling"`

	Quantization json.RawMessage `json:"quantization_config,omitempty"`
}

type hfRope struct {
	Type           string  `json:"rope_type"`
	OldType        string  `json:"type,omitempty"`
	Theta          float64 `json:"rope_theta,omitempty"`
	Factor         float64 `json:"factor,omitempty"`
	LowFreqFactor  float64 `json:"low_freq_factor,omitempty"`
	HighFreqFactor float64 `json:"high_freq_factor,omitempty"`
	OriginalMaxLen int     `json:"original_max_position_embeddings,omitempty"`
}

// ids is null, one id, or a list.
type ids []int32

func (i *ids) UnmarshalJSON(b []byte) error {
	*i = nil
	if string(b) == "null" {
		return nil
	}
	var one int32
	if err := json.Unmarshal(b, &one); err == nil {
		*i = ids{one}
		return nil
	}
	return json.Unmarshal(b, (*[]int32)(i))
}

func (i ids) MarshalJSON() ([]byte, error) {
	switch len(i) {
	case 0:
		return []byte("null"), nil
	case 1:
		return json.Marshal(i[0])
	}
	return json.Marshal([]int32(i))
}

// parseConfig reads a config.json. What this package cannot compute is an error that
// names the field.
func parseConfig(text []byte) (Config, error) {
	var h hfConfig
	if err := json.Unmarshal(text, &h); err != nil {
		return Config{}, fmt.Errorf("gomlx: config.json: %w", err)
	}
	for _, f := range []struct {
		name  string
		value any
		ok    bool
	}{
		{"model_type", h.ModelType, h.ModelType == "llama"},
		{"hidden_act", h.Activation, h.Activation == "" || h.Activation == "silu"},
		{"attention_bias", h.AttentionBias, !h.AttentionBias},
		{"mlp_bias", h.MLPBias, !h.MLPBias},
		{"quantization_config", string(h.Quantization), len(h.Quantization) == 0 || string(h.Quantization) == "null"},
	} {
		if !f.ok {
			return Config{}, fmt.Errorf("gomlx: config.json: %s is %v, which is not supported", f.name, f.value)
		}
	}
	c := Config{
		Vocab: h.Vocab, Dim: h.Dim, Layers: h.Layers, Heads: h.Heads, KVHeads: h.KVHeads, HeadDim: h.HeadDim,
		Hidden: h.Hidden, MaxLen: h.MaxLen, Tied: h.Tied, NormEps: h.NormEps, InitStd: h.InitStd,
		BOS: h.BOS, EOS: h.EOS,
	}
	if c.NormEps == 0 {
		c.NormEps = 1e-6 // the default of a config.json, which is not that of a Config
	}
	c.RoPE.Theta = h.RopeTheta
	for _, r := range []*hfRope{h.RopeScaling, h.RopeParameters} {
		if r == nil {
			continue
		}
		kind := r.Type
		if kind == "" {
			kind = r.OldType
		}
		if kind == "default" {
			kind = ""
		}
		theta := r.Theta
		if theta == 0 {
			theta = c.RoPE.Theta
		}
		c.RoPE = RoPE{theta, kind, r.Factor, r.LowFreqFactor, r.HighFreqFactor, r.OriginalMaxLen}
	}
	return c.withDefaults()
}

// hfConfig returns c as config.json has it, readable for transformers 4 and 5.
func (c Config) hfConfig() hfConfig {
	h := hfConfig{
		Architectures: []string{"LlamaForCausalLM"}, ModelType: "llama",
		Vocab: c.Vocab, Dim: c.Dim, Layers: c.Layers, Heads: c.Heads, KVHeads: c.KVHeads, HeadDim: c.HeadDim,
		Hidden: c.Hidden, MaxLen: c.MaxLen, Tied: c.Tied, NormEps: c.NormEps, InitStd: c.InitStd,
		Activation: "silu", BOS: c.BOS, EOS: c.EOS, DType: "float32", RopeTheta: c.RoPE.Theta,
	}
	r := hfRope{"default", "", c.RoPE.Theta, c.RoPE.Factor, c.RoPE.LowFreqFactor, c.RoPE.HighFreqFactor, c.RoPE.OriginalMaxLen}
	if c.RoPE.Kind != "" {
		r.Type = c.RoPE.Kind
		scaling := r
		scaling.Theta = 0
		h.RopeScaling = &scaling
	}
	h.RopeParameters = &r
	return h
}
