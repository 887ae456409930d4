package gguf

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-huggingface/models/gguf"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/prefgrad/prefgrad/policy/gomlx"
)

// Load reads a model. An architecture other than llama, and a way of scaling the rotary
// embedding that the format keeps in a tensor, is an error.
func Load(b compute.Backend, path string) (*gomlx.Model, error) {
	file, err := gguf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	c, err := config(file)
	if err != nil {
		return nil, fmt.Errorf("gguf: %s: %w", path, err)
	}
	r, err := gguf.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	defer r.Close()
	return gomlx.NewFrom(b, c, func(name string, shape []int) ([]float32, error) {
		return read(r, c, name, shape)
	})
}

// config reads the metadata.
func config(f *gguf.File) (gomlx.Config, error) {
	if a := f.Architecture(); a != "llama" {
		return gomlx.Config{}, fmt.Errorf("general.architecture is %q, must be llama", a)
	}
	if _, ok := f.GetTensorInfo("rope_freqs.weight"); ok {
		return gomlx.Config{}, fmt.Errorf("rope_freqs.weight is there: frequencies of the rotary embedding in a tensor are not supported")
	}
	number := func(key string) float64 {
		v, ok := f.GetKeyValue(key)
		if !ok {
			return 0
		}
		if _, float := v.Raw().(float32); float {
			return v.Float64()
		}
		if _, float := v.Raw().(float64); float {
			return v.Float64()
		}
		return float64(v.Int64())
	}
	c := gomlx.Config{
		Dim:     int(number("llama.embedding_length")),
		Layers:  int(number("llama.block_count")),
		Heads:   int(number("llama.attention.head_count")),
		KVHeads: int(number("llama.attention.head_count_kv")),
		HeadDim: int(number("llama.attention.key_length")),
		Hidden:  int(number("llama.feed_forward_length")),
		MaxLen:  int(number("llama.context_length")),
		NormEps: number("llama.attention.layer_norm_rms_epsilon"),
		RoPE:    gomlx.RoPE{Theta: number("llama.rope.freq_base")},
	}
	if kind, ok := f.GetKeyValue("llama.rope.scaling.type"); ok && kind.String() != "none" {
		if kind.String() != "linear" {
			return c, fmt.Errorf("llama.rope.scaling.type is %q, must be none or linear", kind.String())
		}
		c.RoPE.Kind, c.RoPE.Factor = "linear", number("llama.rope.scaling.factor")
	}
	embedding, ok := f.GetTensorInfo("token_embd.weight")
	if !ok {
		return c, fmt.Errorf("no tensor token_embd.weight")
	}
	_, dims := embedding.GoMLXShape()
	if len(dims) != 2 {
		return c, fmt.Errorf("token_embd.weight has shape %v", dims)
	}
	c.Vocab = dims[0]
	_, head := f.GetTensorInfo("output.weight")
	c.Tied = !head
	for _, id := range []struct {
		key string
		dst *[]int32
	}{{"tokenizer.ggml.bos_token_id", &c.BOS}, {"tokenizer.ggml.eos_token_id", &c.EOS}} {
		if v, ok := f.GetKeyValue(id.key); ok {
			*id.dst = []int32{int32(v.Int64())}
		}
	}
	return c, nil
}

// names translates the end of a parameter's name.
var names = strings.NewReplacer(
	"model.embed_tokens", "token_embd",
	"model.norm", "output_norm",
	"lm_head", "output",
	"model.layers.", "blk.",
	"input_layernorm", "attn_norm",
	"post_attention_layernorm", "ffn_norm",
	"self_attn.q_proj", "attn_q",
	"self_attn.k_proj", "attn_k",
	"self_attn.v_proj", "attn_v",
	"self_attn.o_proj", "attn_output",
	"mlp.gate_proj", "ffn_gate",
	"mlp.up_proj", "ffn_up",
	"mlp.down_proj", "ffn_down",
)

// read returns a parameter by Hugging Face's name.
func read(r *gguf.Reader, c gomlx.Config, name string, shape []int) ([]float32, error) {
	stored := names.Replace(name)
	t, err := r.ReadTensor(nil, stored)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	if got := t.Shape().Dimensions; fmt.Sprint(got) != fmt.Sprint(shape) {
		return nil, fmt.Errorf("gguf: %s has shape %v, the metadata say %v", stored, got, shape)
	}
	v, err := float32s(t)
	if err != nil {
		return nil, fmt.Errorf("gguf: %s: %w", stored, err)
	}
	switch {
	case strings.HasSuffix(stored, "attn_q.weight"):
		v = unpair(v, shape[0]/c.Heads, shape[1])
	case strings.HasSuffix(stored, "attn_k.weight"):
		kv := c.KVHeads
		if kv == 0 {
			kv = c.Heads
		}
		v = unpair(v, shape[0]/kv, shape[1])
	}
	return v, nil
}

// float32s returns the numbers of a tensor in a type that the library does not quantize.
func float32s(t *tensors.Tensor) (v []float32, err error) {
	failed := t.ConstFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float32:
			v = append(v, flat...)
		case []float64:
			for _, x := range flat {
				v = append(v, float32(x))
			}
		default:
			v, err = halves(flat)
		}
	})
	if failed != nil {
		return nil, failed
	}
	return v, err
}

// unpair puts the rows of each head in the order in which the halves of a head turn.
func unpair(v []float32, headDim, inputs int) []float32 {
	out := make([]float32, len(v))
	for row := range len(v) / inputs {
		head, i := row/headDim*headDim, row%headDim
		to := head + i%2*headDim/2 + i/2
		copy(out[to*inputs:(to+1)*inputs], v[row*inputs:])
	}
	return out
}
