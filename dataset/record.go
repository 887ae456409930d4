package dataset

import (
	"slices"
	"strconv"
	"strings"
)

// Position says where a record came from. The zero value means that the record was made, not read.
type Position struct {
	File string // the path given to [Open], or the name given to [Read]
	Line int    // counts from 1
}

// String returns "file:line", the file alone where no line is known, or "" for the zero value.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// Message is one message of a conversation. Role is "system", "user", "assistant", "tool", or what else the file
// says; it is never empty. Content may be empty.
type Message struct {
	Role    string
	Content string
}

// Text is the value of a prompt or a reply: plain text or a conversation, never both. The zero value is an absent text.
type Text struct {
	Plain    string    // the text; "" for a conversation
	Messages []Message // the conversation; nil for plain text
}

// IsChat reports whether the text is a conversation.
func (t Text) IsChat() bool { return len(t.Messages) > 0 }

// IsZero reports whether there is no text at all: no plain text and no message.
func (t Text) IsZero() bool { return t.Plain == "" && len(t.Messages) == 0 }

// Blank reports whether the text, or every message of the conversation, is empty or white space (as Unicode defines it).
func (t Text) Blank() bool {
	return strings.TrimSpace(t.Plain) == "" &&
		!slices.ContainsFunc(t.Messages, func(m Message) bool { return strings.TrimSpace(m.Content) != "" })
}

// Equal reports whether both texts are the same, byte for byte and role for role.
func (t Text) Equal(u Text) bool {
	return t.Plain == u.Plain && slices.Equal(t.Messages, u.Messages)
}

// String returns plain text as it stands and a conversation in the form of [FormatTurns].
func (t Text) String() string {
	if t.IsChat() {
		return FormatTurns(t.Messages)
	}
	return t.Plain
}

// Ref holds the log-probabilities of a pair's replies under the reference policy, in nats, as they were computed once
// and stored with the pair. Minus infinity is legal (the reference cannot write this reply); NaN and plus infinity are not.
type Ref struct {
	Chosen      float64     // log π_ref(chosen | prompt), field "ref_chosen_logps"
	Rejected    float64     // log π_ref(rejected | prompt), field "ref_rejected_logps"
	Fingerprint Fingerprint // what they were computed from, field "ref_fingerprint"; "" if the file does not say
}

// Pair is a preference: of two replies to one prompt, the first was preferred.
// All three texts have the same form. A pair that was read has passed [Pair.Resolve].
type Pair struct {
	Prompt   Text
	Chosen   Text
	Rejected Text
	Margin   *float64 // how much better, in the units of the labeller (finite); nil if the file does not say
	Ref      *Ref     // nil if the file has none
	At       Position
}

// Unpaired is a reply that was judged alone: good (Label true) or bad.
type Unpaired struct {
	Prompt     Text
	Completion Text
	Label      bool
	At         Position
}

// PromptOnly is a prompt without replies, for sampling.
type PromptOnly struct {
	Prompt Text
	At     Position
}

// Record is what can be read and written.
type Record interface {
	Pair | Unpaired | PromptOnly
}
