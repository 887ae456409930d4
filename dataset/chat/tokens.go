package chat

import (
	"slices"

	"github.com/prefgrad/prefgrad/dataset"
)

// Tokenizer returns the token ids of a text, as the model's own tokenizer makes them from a rendered conversation: with the
// template's markers as the tokens that they are, and with none added at the beginning or the end (in transformers,
// add_special_tokens=False), because the template has written them.
type Tokenizer func(text string) ([]int32, error)

// Sequence is a prompt with a reply in tokens: the form of one sequence of policy.Tokens.
type Sequence struct {
	IDs    []int32
	Prompt int // the first Prompt ids are the prompt's, the rest the reply's
}

// Tokenize returns the tokens of prompt + reply. The error is a [*dataset.Error]: [dataset.NoBoundary] if the tokens of the
// prompt are not the first ones of these, [dataset.BlankReply] if no token is left for the reply; or that of the tokenizer.
func Tokenize(tok Tokenizer, prompt, reply string) (Sequence, error) {
	if tok == nil {
		panic("chat: nil Tokenizer")
	}
	t := tokenization{tok: tok}
	seq := t.reply("reply", t.prompt(prompt), prompt, reply)
	return seq, t.err
}

// Sequences are both replies of a pair behind their prompt.
type Sequences struct{ Chosen, Rejected Sequence }

// TokenizePair returns a function for [dataset.Map] that does for both replies of a plain pair what [Tokenize] does for
// one. A pair of conversations is an error of the kind [dataset.WrongType].
func TokenizePair(tok Tokenizer) func(dataset.Pair) (Sequences, error) {
	if tok == nil {
		panic("chat: nil Tokenizer")
	}
	return func(p dataset.Pair) (s Sequences, err error) {
		t := tokenization{tok: tok, failure: failure{at: p.At}}
		if p.Prompt.IsChat() {
			t.bad(dataset.WrongType, "prompt", "want text, have a conversation")
		}
		head := t.prompt(p.Prompt.Plain)
		s.Chosen = t.reply("chosen", head, p.Prompt.Plain, p.Chosen.Plain)
		s.Rejected = t.reply("rejected", head, p.Prompt.Plain, p.Rejected.Plain)
		if t.err != nil {
			return Sequences{}, t.err
		}
		return s, nil
	}
}

// tokenization makes the tokens of one record, up to the first error.
type tokenization struct {
	failure
	tok Tokenizer
}

func (t *tokenization) prompt(prompt string) []int32 { return t.ids("prompt", prompt) }

// reply returns the tokens of prompt + reply, head being those of the prompt.
func (t *tokenization) reply(field string, head []int32, prompt, reply string) Sequence {
	ids := t.ids(field, prompt+reply)
	switch {
	case t.err != nil:
	case len(ids) < len(head) || !slices.Equal(ids[:len(head)], head):
		t.bad(dataset.NoBoundary, field, "the prompt's tokens are not the first tokens of prompt and reply")
	case len(ids) == len(head):
		t.bad(dataset.BlankReply, field, "no tokens")
	}
	if t.err != nil {
		return Sequence{}
	}
	return Sequence{IDs: ids, Prompt: len(head)}
}

func (t *tokenization) ids(field, text string) []int32 {
	if t.err != nil {
		return nil
	}
	ids, err := t.tok(text)
	if err != nil {
		t.stop(field, err)
	}
	return ids
}
