package chat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prefgrad/prefgrad/dataset"
)

// Plain returns a function for [dataset.Map] that writes a record of conversations as one of plain text. Prompt and reply
// are as the documentation of this package says; for a pair, both replies follow the same prompt. The record that comes out
// has passed its Resolve method.
//
// Errors are [*dataset.Error]: [dataset.WrongType] for a record of plain text (see [dataset.Pair.AsChat] for text in turns),
// [dataset.NoBoundary] for a reply that does not begin with a message of the assistant or whose dialogue does not begin
// with the prompt's text, and those of Resolve (a template may make replies identical). An error of the template itself
// has no kind, so that [dataset.Usable] stops at it. The reference's log-probabilities stay with the pair; their
// fingerprint is that of the conversations, so check it before ([dataset.Pair.CheckRef]).
func Plain[T dataset.Record](t Template) func(T) (T, error) {
	if t == nil {
		panic("chat: nil Template")
	}
	return func(record T) (T, error) {
		var none T
		if err := plain(t, any(&record)); err != nil {
			return none, err
		}
		return record, nil
	}
}

// plain renders the record that a pointer leads to.
func plain(t Template, record any) error {
	d := dialogue{t: t}
	switch r := record.(type) {
	case *dataset.Pair:
		d.open(&r.Prompt, r.At)
		d.reply("chosen", &r.Chosen)
		d.reply("rejected", &r.Rejected)
	case *dataset.Unpaired:
		d.open(&r.Prompt, r.At)
		d.reply("completion", &r.Completion)
	case *dataset.PromptOnly:
		d.open(&r.Prompt, r.At)
	}
	if d.err != nil {
		return d.err
	}
	return record.(interface{ Resolve() error }).Resolve()
}

// dialogue renders the texts of one record, up to the first error.
type dialogue struct {
	failure
	t        Template
	messages []dataset.Message // of the prompt
	prompt   string            // the same, rendered
}

// open renders the prompt, with the assistant's turn opened.
func (d *dialogue) open(prompt *dataset.Text, at dataset.Position) {
	d.at, d.messages = at, prompt.Messages
	d.prompt = d.render("prompt", *prompt, d.messages, true)
	*prompt = dataset.Text{Plain: d.prompt}
}

// reply renders the dialogue and takes what stands behind the prompt.
func (d *dialogue) reply(field string, reply *dataset.Text) {
	whole := d.render(field, *reply, slices.Concat(d.messages, reply.Messages), false)
	if d.err != nil {
		return
	}
	if role := reply.Messages[0].Role; role != "assistant" {
		d.bad(dataset.NoBoundary, field, fmt.Sprintf("the first message is of the role %q, must be of the assistant", role))
	}
	tail, ok := strings.CutPrefix(whole, d.prompt)
	if !ok {
		d.bad(dataset.NoBoundary, field, "the rendered dialogue does not begin with the rendered prompt")
	}
	*reply = dataset.Text{Plain: tail}
}

// render renders messages, of which the text is the last part.
func (d *dialogue) render(field string, text dataset.Text, messages []dataset.Message, open bool) string {
	if !text.IsChat() {
		d.bad(dataset.WrongType, field, "want a conversation, have text")
	}
	if d.err != nil {
		return ""
	}
	s, err := d.t.Render(messages, open)
	if err != nil {
		d.stop(field, err)
	}
	return s
}
