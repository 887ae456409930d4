package gomlx

import (
	"fmt"
	"math"
)

// Config describes a decoder. Vocab, Dim, Layers, Heads and Hidden must be set; a zero in
// any other field stands for its default.
type Config struct {
	Vocab   int // number of token ids, at least 2
	Dim     int // width of the residual stream
	Layers  int
	Heads   int  // query heads, a multiple of KVHeads
	KVHeads int  // key and value heads. Default: Heads
	HeadDim int  // width of a head, even. Default: Dim/Heads
	Hidden  int  // width of the feed-forward layer
	MaxLen  int  // longest sequence. Default: 2048
	Tied    bool // whether the head is the transposed embedding

	NormEps float64 // added to the mean square in RMSNorm. Default: 1e-5
	RoPE    RoPE
	InitStd float64 // standard deviation of the weights of a new model. Default: 0.02

	// BOS and EOS are the ids of special tokens as config.json has them. To the model
	// they are ids like any other; they stand here for whoever samples from it.
	BOS, EOS []int32
}

// RoPE describes the rotary position embedding. Pair i of a head's HeadDim/2 pairs turns
// by position·Theta^(−2i/HeadDim), scaled as Kind says.
type RoPE struct {
	Theta float64 // Default: 10000
	Kind  string  // "": not scaled; "linear": positions divided by Factor; "llama3": as in Llama 3.1

	Factor         float64 // at least 1 with a Kind
	LowFreqFactor  float64 // llama3
	HighFreqFactor float64 // llama3, larger than LowFreqFactor
	OriginalMaxLen int     // llama3: the length before scaling
}

// withDefaults returns c with its defaults filled in, or an error that names the field
// and its value.
func (c Config) withDefaults() (Config, error) {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&c.KVHeads, c.Heads},
		{&c.HeadDim, c.Dim / max(1, c.Heads)},
		{&c.MaxLen, 2048},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *float64
		value float64
	}{
		{&c.NormEps, 1e-5},
		{&c.InitStd, 0.02},
		{&c.RoPE.Theta, 10000},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, f := range []struct {
		name      string
		value, lo int
	}{
		{"Vocab", c.Vocab, 2},
		{"Dim", c.Dim, 1},
		{"Layers", c.Layers, 1},
		{"Heads", c.Heads, 1},
		{"KVHeads", c.KVHeads, 1},
		{"HeadDim", c.HeadDim, 2},
		{"Hidden", c.Hidden, 1},
		{"MaxLen", c.MaxLen, 1},
	} {
		if f.value < f.lo || f.value > math.MaxInt32 {
			return c, fmt.Errorf("gomlx: Config.%s is %d, must be in [%d, %d]", f.name, f.value, f.lo, math.MaxInt32)
		}
	}
	if c.Heads%c.KVHeads != 0 {
		return c, fmt.Errorf("gomlx: Config.KVHeads is %d, does not divide the %d Heads", c.KVHeads, c.Heads)
	}
	if c.HeadDim%2 != 0 {
		return c, fmt.Errorf("gomlx: Config.HeadDim is %d, must be even", c.HeadDim)
	}
	for _, f := range []struct {
		name  string
		value float64
	}{{"NormEps", c.NormEps}, {"InitStd", c.InitStd}, {"RoPE.Theta", c.RoPE.Theta}} {
		if !(f.value > 0 && f.value <= math.MaxFloat32) {
			return c, fmt.Errorf("gomlx: Config.%s is %v, must be positive and finite", f.name, f.value)
		}
	}
	return c, c.RoPE.check()
}

func (r RoPE) check() error {
	switch r.Kind {
	case "":
		if r != (RoPE{Theta: r.Theta}) {
			return fmt.Errorf("gomlx: Config.RoPE is %+v, has a scaling without a Kind", r)
		}
		return nil
	case "linear", "llama3":
	default:
		return fmt.Errorf("gomlx: Config.RoPE.Kind is %q, must be empty, linear or llama3", r.Kind)
	}
	if !(r.Factor >= 1 && r.Factor <= math.MaxFloat32) {
		return fmt.Errorf("gomlx: Config.RoPE.Factor is %v, must be at least 1 and finite", r.Factor)
	}
	if r.Kind == "llama3" && !(r.LowFreqFactor > 0 && r.HighFreqFactor > r.LowFreqFactor && r.OriginalMaxLen > 0) {
		return fmt.Errorf("gomlx: Config.RoPE is %+v, must have 0 < LowFreqFactor < HighFreqFactor and OriginalMaxLen > 0", r)
	}
	return nil
}

// A spec is the name of a parameter, as in a checkpoint of Hugging Face's, and its shape.
type spec struct {
	name string
	dims []int
}

func (s spec) size() int {
	n := 1
	for _, d := range s.dims {
		n *= d
	}
	return n
}

// Places of parameters: the embedding, perLayer for each layer, the last norm, the head
// if there is one.
const (
	embedding  = 0
	firstLayer = 1
)

// Places within a layer.
const (
	attentionNorm = iota
	queryProj
	keyProj
	valueProj
	outputProj
	hiddenNorm
	gateProj
	upProj
	downProj
	perLayer
)

// layerNames are the names within a layer. Those of matrices are what LoRA calls target
// modules.
var layerNames = [perLayer]string{
	"input_layernorm",
	"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
	"post_attention_layernorm",
	"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
}

func inLayer(layer, which int) int { return firstLayer + layer*perLayer + which }
func (c Config) lastNorm() int     { return inLayer(c.Layers, 0) }

// head returns the place of the matrix that makes the logits.
func (c Config) head() int {
	if c.Tied {
		return embedding
	}
	return c.lastNorm() + 1
}

// shape returns the shape of a parameter of a layer. Matrices are outputs × inputs.
func (c Config) shape(which int) []int {
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	switch which {
	case queryProj:
		return []int{q, c.Dim}
	case keyProj, valueProj:
		return []int{kv, c.Dim}
	case outputProj:
		return []int{c.Dim, q}
	case gateProj, upProj:
		return []int{c.Hidden, c.Dim}
	case downProj:
		return []int{c.Dim, c.Hidden}
	}
	return []int{c.Dim}
}

// specs returns the parameters in their order.
func (c Config) specs() []spec {
	s := []spec{{"model.embed_tokens.weight", []int{c.Vocab, c.Dim}}}
	for layer := range c.Layers {
		for which, name := range layerNames {
			s = append(s, spec{fmt.Sprintf("model.layers.%d.%s.weight", layer, name), c.shape(which)})
		}
	}
	s = append(s, spec{"model.norm.weight", []int{c.Dim}})
	if !c.Tied {
		s = append(s, spec{"lm_head.weight", []int{c.Vocab, c.Dim}})
	}
	return s
}
