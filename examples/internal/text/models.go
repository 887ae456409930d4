package text

import (
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

// Tokenizer turns texts into token ids and back.
type Tokenizer interface {
	Vocab() int                 // number of ids
	EOS() int32                 // the id of the end of a reply
	Encode(text string) []int32 // without EOS
	Decode(ids []int32) string  // EOS is no text
}

// Model is a language model that can be scored and written with.
type Model interface {
	policy.TokenPolicy
	policy.Decoder
}

// Trainee is a model with its optimizer.
type Trainee struct {
	Model   Model
	Updater policy.Updater
	KL      policy.TokenPolicy // Model, whose passes provide the KL to the reference; nil before there is one
}

// Models makes the language models of an experiment.
type Models interface {
	// Fixed lists the settings that no flag changes.
	Fixed() map[string]any
	// Tokenizer returns the models' tokenizer; one that is learned learns from these texts.
	Tokenizer(texts []string, size Size) (Tokenizer, error)
	// New returns the model that supervised fine-tuning begins with.
	New(s *Setup, seed uint64) (*Trainee, error)
	// Reference freezes the fine-tuned model: it returns the reference and what makes one
	// trainable copy of it after another.
	Reference(t *Trainee, seed uint64) (ref Model, start func() (*Trainee, error), err error)
}

// sequences views a model as a policy over whole replies that can be drawn from.
func (s *Setup) sequences(m Model) policy.Sequences {
	return policy.Sequences{Model: m, Generator: sampler.NewAncestral(m, s.Tokenizer.EOS(), s.Size.Reply)}
}

// LogBilinear makes models of package lm.
type LogBilinear struct{}

// What suits models that begin at nothing and end before the replies are learned by heart.
const (
	lmDecay = 1.0 // weight decay of supervised fine-tuning
	lmOrder = 2   // of n-grams; longer ones are too rare here to help
)

// Fixed implements [Models].
func (LogBilinear) Fixed() map[string]any {
	return map[string]any{"model": "log-bilinear", "ngram_order": lmOrder, "sft_weight_decay": lmDecay}
}

// Tokenizer implements [Models].
func (LogBilinear) Tokenizer(texts []string, size Size) (Tokenizer, error) {
	return TrainBPE(texts, size.Vocab), nil
}

// New implements [Models]: it begins as a unigram model.
func (LogBilinear) New(s *Setup, seed uint64) (*Trainee, error) {
	m, err := lm.New(lm.Config{Vocab: s.Tokenizer.Vocab(), EOS: s.Tokenizer.EOS(), Dim: s.Size.Dim, Order: lmOrder, Seed: seed})
	if err != nil {
		return nil, err
	}
	counts := make([]int, s.Tokenizer.Vocab())
	for _, y := range s.Train.Chosen {
		for _, id := range y {
			counts[id]++
		}
	}
	if err := m.FitUnigram(counts); err != nil {
		return nil, err
	}
	opt := train.NewAdamW(m)
	opt.WeightDecay = lmDecay
	return &Trainee{Model: m, Updater: opt}, nil
}

// Reference implements [Models].
func (LogBilinear) Reference(t *Trainee, _ uint64) (Model, func() (*Trainee, error), error) {
	ref := t.Model.(*lm.Model).Freeze()
	return ref, func() (*Trainee, error) {
		m := ref.Clone()
		return &Trainee{Model: m, Updater: train.NewAdamW(m), KL: m.Against(ref)}, nil
	}, nil
}
