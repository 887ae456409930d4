package main

import (
	"fmt"

	"github.com/gomlx/compute"

	"github.com/prefgrad/prefgrad/examples/internal/text"
	"github.com/prefgrad/prefgrad/policy/gomlx"
	"github.com/prefgrad/prefgrad/policy/gomlx/tokenizer"
)

// transformers makes transformers whose copies are adapters on one base: the reference is the
// base itself, and there is no second copy of the weights.
type transformers struct {
	backend compute.Backend
	dir     string // a checkpoint in Hugging Face's form to begin with; "": random weights
	shape   shape  // of a model with random weights
	lora    gomlx.LoRA
}

// shape is the shape of a transformer with random weights.
type shape struct {
	Layers int `json:"layers"`
	Heads  int `json:"heads"`
}

// Fixed implements text.Models.
func (m *transformers) Fixed() map[string]any {
	f := map[string]any{
		"model": "transformer", "lora_r": m.lora.R, "lora_alpha": m.lora.Alpha, "lora_targets": m.lora.Targets,
	}
	if m.dir == "" {
		f["layers"], f["heads"] = m.shape.Layers, m.shape.Heads
	} else {
		f["checkpoint"] = m.dir
	}
	return f
}

// Tokenizer implements text.Models.
func (m *transformers) Tokenizer(texts []string, size text.Size) (text.Tokenizer, error) {
	if m.dir == "" {
		return text.TrainBPE(texts, size.Vocab), nil
	}
	t, err := tokenizer.Load(m.dir)
	if err != nil {
		return nil, err
	}
	base, err := gomlx.Load(m.backend, m.dir)
	if err != nil {
		return nil, err
	}
	eos := base.Config().EOS
	if len(eos) == 0 {
		return nil, fmt.Errorf("%s: config.json has no eos_token_id", m.dir)
	}
	return &checkpointTokenizer{t, eos[0]}, base.Close()
}

// checkpointTokenizer is a checkpoint's own tokenizer with its end of a reply.
type checkpointTokenizer struct {
	*tokenizer.Tokenizer
	eos int32
}

// EOS implements text.Tokenizer.
func (t *checkpointTokenizer) EOS() int32 { return t.eos }

// Decode implements text.Tokenizer: EOS is no text.
func (t *checkpointTokenizer) Decode(ids []int32) string {
	if n := len(ids); n > 0 && ids[n-1] == t.eos {
		ids = ids[:n-1]
	}
	return t.Tokenizer.Decode(ids)
}

// New implements text.Models.
func (m *transformers) New(s *text.Setup, seed uint64) (*text.Trainee, error) {
	var base *gomlx.Model
	var err error
	if m.dir == "" {
		base, err = gomlx.New(m.backend, gomlx.Config{
			Vocab: s.Tokenizer.Vocab(), Dim: s.Size.Dim, Layers: m.shape.Layers, Heads: m.shape.Heads, Hidden: 3 * s.Size.Dim,
			MaxLen: s.Size.Prompt + s.Size.Reply, Tied: true, EOS: []int32{s.Tokenizer.EOS()},
		}, seed)
	} else {
		base, err = gomlx.Load(m.backend, m.dir)
	}
	if err != nil {
		return nil, err
	}
	return &text.Trainee{Model: base, Updater: base.AdamW()}, nil
}

// Reference implements text.Models.
func (m *transformers) Reference(t *text.Trainee, seed uint64) (text.Model, func() (*text.Trainee, error), error) {
	base := t.Model.(*gomlx.Model)
	l := m.lora
	l.Seed = seed
	first, err := base.LoRA(l) // from here on the base is frozen
	if err != nil {
		return nil, nil, err
	}
	ref := first.Base()
	return ref, func() (*text.Trainee, error) {
		a, err := base.LoRA(l)
		if err != nil {
			return nil, err
		}
		return &text.Trainee{Model: a, Updater: a.AdamW(), KL: a.Against(ref)}, nil
	}, nil
}
