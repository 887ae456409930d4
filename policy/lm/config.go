package lm

import (
	"fmt"
	"math"
)

// Config describes a model. Vocab and EOS must be set; a zero in any other field
// stands for its default.
type Config struct {
	// Vocab is the number V of token ids, from 2 to 2^24.
	Vocab int `json:"vocab"`
	// EOS is the id of the end-of-sequence token, in [0, Vocab). To the model it is an
	// id like any other; it stands here so that whoever samples from a saved model
	// knows it.
	EOS int32 `json:"eos"`
	// Dim is the dimension d of the embeddings, at most 4096. Default 64.
	Dim int `json:"dim"`
	// Order is the largest n of the n-grams of previous tokens that are features, at
	// most 8. Default 3.
	Order int `json:"order"`
	// Buckets is the number of embeddings that the n-grams of two tokens and more
	// share by hashing, at most 2^28; single tokens have embeddings of their own. Default 16384.
	Buckets int `json:"buckets"`
	// NoPrompt leaves out the prompt's words as features, so that a prompt counts only
	// through the n-grams that reach into it. Default: they are used.
	NoPrompt bool `json:"no_prompt"`
	// InitStd is the standard deviation of the initial output embeddings, positive.
	// Default 1/√Dim, so that an output embedding has a length of about 1.
	InitStd float64 `json:"init_std"`
	// Seed of the initialisation. Default 0, which is a seed like any other.
	Seed uint64 `json:"seed"`
}

// Limits of the fields of Config. They keep the number of an embedding in an int32.
const (
	maxVocab   = 1 << 24
	maxOrder   = 8
	maxDim     = 4096
	maxBuckets = 1 << 28
)

// withDefaults returns c with its defaults filled in, or an error that names the field
// and its value.
func (c Config) withDefaults() (Config, error) {
	if c.Dim == 0 {
		c.Dim = 64
	}
	if c.Order == 0 {
		c.Order = 3
	}
	if c.Buckets == 0 {
		c.Buckets = 1 << 14
	}
	if c.InitStd == 0 {
		c.InitStd = 1 / math.Sqrt(float64(c.Dim))
	}
	for _, f := range []struct {
		name          string
		value, lo, hi int
	}{
		{"Vocab", c.Vocab, 2, maxVocab},
		{"EOS", int(c.EOS), 0, c.Vocab - 1},
		{"Dim", c.Dim, 1, maxDim},
		{"Order", c.Order, 1, maxOrder},
		{"Buckets", c.Buckets, 1, maxBuckets},
	} {
		if f.value < f.lo || f.value > f.hi {
			return c, fmt.Errorf("lm: Config.%s is %d, must be in [%d, %d]", f.name, f.value, f.lo, f.hi)
		}
	}
	if !(c.InitStd > 0 && c.InitStd <= math.MaxFloat32) {
		return c, fmt.Errorf("lm: Config.InitStd is %v, must be positive and finite", c.InitStd)
	}
	if size := float64(c.layout().features+c.Vocab+1) * float64(c.Dim); size > math.MaxInt/8 {
		return c, fmt.Errorf("lm: Config needs %.0f parameters, more than can be addressed", size)
	}
	return c, nil
}

// layout says where in the parameter slice things are. The embeddings come first, Dim
// numbers each: the bias, the previous token (one for each id, one for the begin
// marker), the prompt's words, the buckets of longer n-grams. Then the output
// embeddings as a Dim × Vocab matrix, then the output bias.
type layout struct {
	prompt, buckets int // first embedding of a group
	features        int // number of embeddings
	out, outBias    int // offsets into the parameters
	size            int // number of parameters
}

// Rows 0 and 1 + id of the embeddings.
const (
	biasRow      = 0
	firstTokens  = 1
	beginMarker  = -1
	noPromptRows = -1
)

func (c Config) layout() layout {
	l := layout{prompt: noPromptRows}
	l.features = firstTokens + c.Vocab + 1
	if !c.NoPrompt {
		l.prompt = l.features
		l.features += c.Vocab
	}
	l.buckets = l.features
	if c.Order > 1 {
		l.features += c.Buckets
	}
	l.out = l.features * c.Dim
	l.outBias = l.out + c.Dim*c.Vocab
	l.size = l.outBias + c.Vocab
	return l
}
