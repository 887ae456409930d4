package dataset

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The markers of HH-RLHF's text form.
const (
	humanTurn     = "\n\nHuman:"
	assistantTurn = "\n\nAssistant:"
)

// ParseTurns splits text in HH-RLHF's form, "\n\nHuman: …\n\nAssistant: …", into messages of the roles "user" and
// "assistant". A turn ends where the next marker begins. One space after the colon is a separator and not part of the
// content; all else is kept as it is. Two turns of one role in a row stay two messages. A final "\n\nAssistant:" with
// nothing behind it is a message with empty content. Text that does not begin with a marker is an error of kind [NotTurns].
func ParseTurns(text string) ([]Message, error) {
	msgs, err := parseTurns(text)
	if err != nil {
		return nil, err
	}
	return msgs, nil
}

func parseTurns(text string) ([]Message, *Error) {
	var msgs []Message
	for rest := text; rest != ""; {
		var m Message
		var ok bool
		if rest, ok = strings.CutPrefix(rest, humanTurn); ok {
			m.Role = "user"
		} else if rest, ok = strings.CutPrefix(rest, assistantTurn); ok {
			m.Role = "assistant"
		} else {
			break
		}
		m.Content, rest = rest[:turnEnd(rest)], rest[turnEnd(rest):]
		m.Content = strings.TrimPrefix(m.Content, " ")
		msgs = append(msgs, m)
	}
	if msgs == nil {
		return nil, fail(NotTurns, "", `does not begin with "\n\nHuman:" or "\n\nAssistant:"`)
	}
	return msgs, nil
}

// turnEnd returns where the first marker in s begins, or len(s).
func turnEnd(s string) int {
	for i := 0; ; i++ {
		j := strings.Index(s[i:], "\n\n")
		if j < 0 {
			return len(s)
		}
		i += j
		if strings.HasPrefix(s[i:], humanTurn) || strings.HasPrefix(s[i:], assistantTurn) {
			return i
		}
	}
}

// FormatTurns writes messages in HH-RLHF's form: "\n\nHuman: " for the role "user", "\n\nAssistant: " for "assistant",
// the role with an upper-case initial for any other, such as "\n\nSystem: ". A message without content is the marker alone.
// It undoes [ParseTurns] for messages of the roles "user" and "assistant" whose content holds no marker; the model's own
// chat template, not this form, belongs before a model that was trained with one.
func FormatTurns(msgs []Message) string {
	var b strings.Builder
	for _, m := range msgs {
		switch m.Role {
		case "user":
			b.WriteString(humanTurn)
		case "assistant":
			b.WriteString(assistantTurn)
		default:
			first, n := utf8.DecodeRuneInString(m.Role)
			b.WriteString("\n\n" + string(unicode.ToUpper(first)) + m.Role[n:] + ":")
		}
		if m.Content != "" {
			b.WriteString(" " + m.Content)
		}
	}
	return b.String()
}

// promptText returns a prompt as text that a reply can follow: a conversation gets the marker of the assistant's turn.
func promptText(t Text) string {
	if t.IsChat() {
		return FormatTurns(t.Messages) + assistantTurn
	}
	return t.Plain
}

// asText turns a prompt or a reply into plain text, so that prompt and reply join to one dialogue.
func asText(t Text, prompt bool) Text {
	if prompt {
		return Text{Plain: promptText(t)}
	}
	if t.IsChat() {
		return Text{Plain: strings.TrimPrefix(FormatTurns(t.Messages), assistantTurn)}
	}
	return t
}

// asChat turns a plain prompt or reply into messages.
func asChat(t Text, prompt bool, field string, at Position) (Text, error) {
	if t.IsChat() {
		return t, nil
	}
	text := t.Plain
	if !prompt {
		text = assistantTurn + text
	}
	msgs, err := parseTurns(text)
	if err != nil {
		err.Field = field
		return Text{}, err.at(at)
	}
	if prompt {
		last := len(msgs) - 1
		if msgs[last] != (Message{Role: "assistant"}) || last == 0 {
			return Text{}, fail(NotTurns, field, `does not end with "\n\nAssistant:"`).at(at)
		}
		msgs = msgs[:last]
	}
	return Text{Messages: msgs}, nil
}

// AsText returns the pair with conversations written out as turns: the prompt ends in "\n\nAssistant:" and each reply
// goes on from there, so that prompt + reply is the dialogue in the form of [FormatTurns]. A pair of plain text stays as it is.
func (p Pair) AsText() Pair {
	p.Prompt, p.Chosen, p.Rejected = asText(p.Prompt, true), asText(p.Chosen, false), asText(p.Rejected, false)
	return p
}

// AsChat returns the pair with plain text in turns split into messages; a prompt must end in an open "\n\nAssistant:".
// A pair of conversations stays as it is. Text without turns is an error of kind [NotTurns].
func (p Pair) AsChat() (Pair, error) {
	var err error
	if p.Prompt, err = asChat(p.Prompt, true, "prompt", p.At); err != nil {
		return Pair{}, err
	}
	if p.Chosen, err = asChat(p.Chosen, false, "chosen", p.At); err != nil {
		return Pair{}, err
	}
	if p.Rejected, err = asChat(p.Rejected, false, "rejected", p.At); err != nil {
		return Pair{}, err
	}
	return p, nil
}

// AsText is [Pair.AsText] for a single reply.
func (u Unpaired) AsText() Unpaired {
	u.Prompt, u.Completion = asText(u.Prompt, true), asText(u.Completion, false)
	return u
}

// AsChat is [Pair.AsChat] for a single reply.
func (u Unpaired) AsChat() (Unpaired, error) {
	var err error
	if u.Prompt, err = asChat(u.Prompt, true, "prompt", u.At); err != nil {
		return Unpaired{}, err
	}
	if u.Completion, err = asChat(u.Completion, false, "completion", u.At); err != nil {
		return Unpaired{}, err
	}
	return u, nil
}

// AsText is [Pair.AsText] for a prompt alone.
func (p PromptOnly) AsText() PromptOnly {
	p.Prompt = asText(p.Prompt, true)
	return p
}

// AsChat is [Pair.AsChat] for a prompt alone.
func (p PromptOnly) AsChat() (PromptOnly, error) {
	var err error
	if p.Prompt, err = asChat(p.Prompt, true, "prompt", p.At); err != nil {
		return PromptOnly{}, err
	}
	return p, nil
}
