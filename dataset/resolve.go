package dataset

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Resolve brings a pair as a file holds it into the form that this package delivers, and checks it. Readers call it on
// every record; whoever makes pairs by other means (another file format, a sampler) calls it once. Resolving twice
// changes nothing.
//
// A pair without a prompt has it inside the replies:
//   - Text with an assistant's turn: the prompt is the dialogue up to and including the last "\n\nAssistant:" of each
//     side, and both must agree. What follows is the reply, its leading space included.
//   - Other text: the prompt is the common prefix, cut back to the end of its last whole word, so that the white space
//     before a reply belongs to the reply.
//   - Conversations: the prompt is the common leading messages, the reply the rest. A rest with another message of the
//     user means that the dialogues part before the last reply.
//
// A plain prompt with conversations as replies (a common mixture) must be a message of the user among the common leading
// messages, which then are the prompt; where there are none, it becomes the user's message itself.
//
// Errors are [*Error]: [MissingField], [EmptyField], [WrongType] and [BadNumber] for a record that is malformed, then
// [PromptsDiffer], [BlankReply] and [IdenticalReplies], in this order, for one that is unusable. The pair is then left
// unfinished.
func (p *Pair) Resolve() error {
	if err := p.resolve(); err != nil {
		return err.at(p.At)
	}
	return nil
}

func (p *Pair) resolve() *Error {
	if err := checkText(p.Chosen, "chosen"); err != nil {
		return err
	}
	if err := checkText(p.Rejected, "rejected"); err != nil {
		return err
	}
	if err := p.checkNumbers(); err != nil {
		return err
	}
	chat := p.Chosen.IsChat()
	if p.Rejected.IsChat() != chat {
		return fail(WrongType, "rejected", "chosen and rejected must both be text or both be conversations")
	}
	var err *Error
	switch {
	case chat && !p.Prompt.IsChat():
		err = p.splitChats()
	case p.Prompt.IsZero():
		err = p.splitTexts()
	case p.Prompt.IsChat() != chat:
		err = fail(WrongType, "prompt", "a conversation as prompt needs conversations as replies")
	}
	if err != nil {
		return err
	}
	if err := checkPrompt(p.Prompt); err != nil {
		return err
	}
	if p.Chosen.Blank() {
		return fail(BlankReply, "chosen", "")
	}
	if p.Rejected.Blank() {
		return fail(BlankReply, "rejected", "")
	}
	if p.Chosen.Equal(p.Rejected) {
		return fail(IdenticalReplies, "", "")
	}
	return nil
}

// splitTexts takes the prompt out of two plain texts.
func (p *Pair) splitTexts() *Error {
	c, r := p.Chosen.Plain, p.Rejected.Plain
	i, j := lastTurn(c), lastTurn(r)
	switch {
	case i < 0 && j < 0:
		if c == r {
			return fail(IdenticalReplies, "", "")
		}
		i = commonWords(c, r)
		j = i
		if i == 0 {
			return fail(MissingField, "prompt", "there is no prompt field, no turns and no common beginning")
		}
	case i < 0 || j < 0:
		return fail(PromptsDiffer, "", "only one of the dialogues has an assistant's turn")
	default:
		i += len(assistantTurn)
		j += len(assistantTurn)
		if c[:i] != r[:j] {
			return fail(PromptsDiffer, "", "")
		}
		if strings.Contains(c[i:], humanTurn) {
			return fail(BlankReply, "chosen", "the dialogue ends with the user's turn")
		}
		if strings.Contains(r[j:], humanTurn) {
			return fail(BlankReply, "rejected", "the dialogue ends with the user's turn")
		}
	}
	p.Prompt.Plain, p.Chosen.Plain, p.Rejected.Plain = c[:i], c[i:], r[j:]
	return nil
}

// lastTurn returns where the last marker of an assistant's turn begins, or −1. Searching forward is several times as
// fast as strings.LastIndex, which has no vector code.
func lastTurn(s string) int {
	last := -1
	for i := 0; ; i = last + len(assistantTurn) {
		j := strings.Index(s[i:], assistantTurn)
		if j < 0 {
			return last
		}
		last = i + j
	}
}

// commonWords returns the length of the longest common prefix of a and b that ends before common white space.
func commonWords(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	n = max(0, strings.LastIndexFunc(a[:n], unicode.IsSpace))
	return len(strings.TrimRightFunc(a[:n], unicode.IsSpace))
}

// splitChats takes the prompt out of two conversations and holds a plain prompt against it.
func (p *Pair) splitChats() *Error {
	c, r := p.Chosen.Messages, p.Rejected.Messages
	if slices.Equal(c, r) {
		return fail(IdenticalReplies, "", "")
	}
	n := 0
	for n < min(len(c), len(r)) && c[n] == r[n] {
		n++
	}
	prompt, fromUser := c[:n:n], func(m Message) bool { return m.Role == "user" }
	switch {
	case slices.ContainsFunc(c[n:], fromUser) || slices.ContainsFunc(r[n:], fromUser):
		return fail(PromptsDiffer, "", "")
	case n == len(c):
		return fail(BlankReply, "chosen", "")
	case n == len(r):
		return fail(BlankReply, "rejected", "")
	case n == 0 && p.Prompt.IsZero():
		return fail(MissingField, "prompt", "there is no prompt field and no common leading message")
	case n == 0:
		prompt = []Message{{Role: "user", Content: p.Prompt.Plain}}
	case !p.Prompt.IsZero() && !slices.Contains(prompt, Message{Role: "user", Content: p.Prompt.Plain}):
		return fail(PromptsDiffer, "prompt", "the prompt is not among the user's messages of the conversations")
	}
	p.Prompt, p.Chosen.Messages, p.Rejected.Messages = Text{Messages: prompt}, c[n:], r[n:]
	return nil
}

func (p *Pair) checkNumbers() *Error {
	if m := p.Margin; m != nil && (math.IsNaN(*m) || math.IsInf(*m, 0)) {
		return badNumber("margin", *m)
	}
	if p.Ref == nil {
		return nil
	}
	if x := p.Ref.Chosen; math.IsNaN(x) || math.IsInf(x, 1) {
		return badNumber("ref_chosen_logps", x)
	}
	if x := p.Ref.Rejected; math.IsNaN(x) || math.IsInf(x, 1) {
		return badNumber("ref_rejected_logps", x)
	}
	return nil
}

func badNumber(field string, x float64) *Error {
	return fail(BadNumber, field, strconv.FormatFloat(x, 'g', -1, 64))
}

// checkText finds a text that is absent, or is both plain and a conversation, and a message without a role.
func checkText(t Text, field string) *Error {
	if t.IsZero() {
		return fail(MissingField, field, "")
	}
	if t.IsChat() && t.Plain != "" {
		return fail(WrongType, field, "both plain text and a conversation")
	}
	for i, m := range t.Messages {
		if m.Role == "" {
			return fail(EmptyField, fmt.Sprintf("%s[%d].role", field, i), "")
		}
	}
	return nil
}

// checkPrompt is checkText, and finds a prompt whose messages are all empty.
func checkPrompt(t Text) *Error {
	if err := checkText(t, "prompt"); err != nil {
		return err
	}
	if t.IsChat() && !slices.ContainsFunc(t.Messages, func(m Message) bool { return m.Content != "" }) {
		return fail(EmptyField, "prompt", "")
	}
	return nil
}

// Resolve checks the record, as [Pair.Resolve] does for a pair; its prompt is never implicit.
func (u *Unpaired) Resolve() error {
	if err := u.resolve(); err != nil {
		return err.at(u.At)
	}
	return nil
}

func (u *Unpaired) resolve() *Error {
	if err := checkPrompt(u.Prompt); err != nil {
		return err
	}
	if err := checkText(u.Completion, "completion"); err != nil {
		return err
	}
	if u.Prompt.IsChat() != u.Completion.IsChat() {
		return fail(WrongType, "completion", "prompt and completion must both be text or both be conversations")
	}
	if u.Completion.Blank() {
		return fail(BlankReply, "completion", "")
	}
	return nil
}

// Resolve checks the record, as [Pair.Resolve] does for a pair.
func (p *PromptOnly) Resolve() error {
	if err := checkPrompt(p.Prompt); err != nil {
		return err.at(p.At)
	}
	return nil
}
