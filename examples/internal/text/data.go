// Package text is the pipeline from a file of real preferences to policies compared on
// them: split, vocabulary, supervised fine-tuning, reward model and judge, preference
// optimization, evaluation. Every model is small enough to train from nothing on a
// processor.
package text

import (
	"fmt"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/train"
)

// Tokens is training data for a policy over token ids.
type Tokens = train.Data[[]int32, []int32]

// pair is one preference as text, with replies as the models see them: cut to the longest
// reply.
type pair struct {
	prompt, chosen, rejected string
}

// Corpus is a preference file, split by prompt.
type Corpus struct {
	Summary dataset.Summary
	Census  dataset.Census
	parts   [3][]pair
}

// Fractions of the prompts in the training, validation and test parts. The judge learns from
// the validation part, and needs enough of it.
const (
	trainShare      = 0.60
	validationShare = 0.30
	testShare       = 0.10
)

// ReadCorpus reads a preference file. Pairs that cannot be used are skipped and counted;
// malformed lines stop unless skipBad.
func ReadCorpus(path string, skipBad bool, progress func()) (*Corpus, error) {
	split, err := dataset.NewSplit(trainShare, validationShare, testShare)
	if err != nil {
		return nil, err
	}
	c := &Corpus{}
	for p, err := range dataset.Usable(dataset.Pairs(path), skipBad, &c.Summary) {
		if err != nil {
			return nil, err
		}
		c.Census.Add(p)
		t := p.AsText()
		part := split.Part(p.Prompt)
		c.parts[part] = append(c.parts[part], pair{t.Prompt.Plain, t.Chosen.Plain, t.Rejected.Plain})
		progress()
	}
	for part, pairs := range c.parts {
		if len(pairs) < 2 {
			return nil, fmt.Errorf("%s: %d usable pairs in the %v part, too few to go on", path, len(pairs), dataset.Part(part))
		}
	}
	return c, nil
}

// Len returns the number of pairs in a part.
func (c *Corpus) Len(part dataset.Part) int { return len(c.parts[part]) }

// texts returns the texts of a part, for a vocabulary.
func (c *Corpus) texts(part dataset.Part) []string {
	var out []string
	for _, p := range c.parts[part] {
		out = append(out, p.prompt, p.chosen, p.rejected)
	}
	return out
}

// tokens encodes a part: the end of each prompt, and replies with EOS or cut.
func (c *Corpus) tokens(part dataset.Part, t Tokenizer, s Size) Tokens {
	var d Tokens
	for _, p := range c.parts[part] {
		x := t.Encode(p.prompt)
		chosen, rejected := s.cut(t.Encode(p.chosen), t.EOS()), s.cut(t.Encode(p.rejected), t.EOS())
		d.X = append(d.X, x[max(0, len(x)-s.Prompt):])
		d.Chosen, d.Rejected = append(d.Chosen, chosen), append(d.Rejected, rejected)
		d.ChosenLen, d.RejectedLen = append(d.ChosenLen, len(chosen)), append(d.RejectedLen, len(rejected))
	}
	return d
}

// cut ends a reply with EOS, or after its first s.Reply tokens without.
func (s Size) cut(ids []int32, eos int32) []int32 {
	if len(ids) < s.Reply {
		return append(ids, eos)
	}
	return ids[:s.Reply]
}

// Size is the size of the language models and of what they see.
type Size struct {
	Name    string  `json:"name"`
	Vocab   int     `json:"vocab"`
	Dim     int     `json:"dim"`
	Reply   int     `json:"reply"`         // longest reply in tokens
	Prompt  int     `json:"prompt"`        // tokens of a prompt's end that a model sees
	MaxSFT  int     `json:"max_sft_steps"` // updates of supervised fine-tuning, or nine epochs if that is less
	SFTRate float64 `json:"sft_lr"`
}

// Sizes are the two sizes of log-bilinear models on offer.
var Sizes = map[string]Size{
	"small": {Name: "small", Vocab: 2000, Dim: 64, Reply: 40, Prompt: 64, MaxSFT: 400, SFTRate: 6e-3},
	"large": {Name: "large", Vocab: 4000, Dim: 128, Reply: 64, Prompt: 128, MaxSFT: 1200, SFTRate: 6e-3},
}

// fixed lists what no flag changes.
func fixed() map[string]any {
	return map[string]any{
		"split":     []float64{trainShare, validationShare, testShare},
		"sft_batch": sftBatch, "sft_max_epochs": sftEpochs, "sft_schedule": "linear",
		"scorer_features": scorerDim, "scorer_l2": scorerL2,
		"optimizer": "AdamW", "max_norm": maxNorm,
		"eval_samples_per_prompt": perPrompt, "eval_choices": choices,
	}
}

// maxNorm clips the gradient of every run.
const maxNorm = 1.0
