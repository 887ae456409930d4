package chat

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/prefgrad/prefgrad/dataset"
)

// Llama3 is the template of Llama 3 (8B and 70B, not of the versions with a digit behind the 3): "<|begin_of_text|>", then
// of each message
//
//	<|start_header_id|>role<|end_header_id|>⏎⏎content<|eot_id|>
//
// without white space around the content, and "<|start_header_id|>assistant<|end_header_id|>⏎⏎" to open the assistant's
// turn. There is no system's message unless the conversation has one.
type Llama3 struct{}

const beginOfText = "<|begin_of_text|>"

// Render implements [Template]. It fails only without messages.
func (Llama3) Render(messages []dataset.Message, addGenerationPrompt bool) (string, error) {
	if len(messages) == 0 {
		return "", errEmpty
	}
	var b strings.Builder
	b.WriteString(beginOfText)
	for _, m := range messages {
		writeLlama(&b, m.Role, strip(m.Content))
	}
	openLlama(&b, addGenerationPrompt)
	return b.String(), nil
}

// Llama31 is the template of Llama 3.1, 3.2 and 3.3, without tools. It is [Llama3] with two differences. A system's message
// always stands first:
//
//	<|start_header_id|>system<|end_header_id|>⏎⏎Cutting Knowledge Date: December 2023⏎Today Date: Date⏎⏎content<|eot_id|>
//
// where the content is that of the conversation's first message if it is the system's, and empty otherwise. And a message
// of the role "tool" or "ipython" gets the role "ipython" and its content as a JSON string.
type Llama31 struct {
	// Date is written behind "Today Date:". It must be given: the templates of 3.1 and 3.3 have [Llama31Date] unless told
	// otherwise; that of 3.2 takes the day on which it runs, time.Now().Format("02 Jan 2006"), which makes a fixed data set
	// another one every day.
	Date string
}

// Llama31Date is the date that the templates of Llama 3.1 and 3.3 have by themselves.
const Llama31Date = "26 Jul 2024"

// Render implements [Template]. It fails without a date, without messages, and for a tool's message that is not UTF-8.
func (l Llama31) Render(messages []dataset.Message, addGenerationPrompt bool) (string, error) {
	switch {
	case l.Date == "":
		return "", errors.New(`chat: Llama31.Date is "", must be a date such as "26 Jul 2024"`)
	case len(messages) == 0:
		return "", errEmpty
	}
	system, first := "", 0
	if messages[0].Role == "system" {
		system, first = strip(messages[0].Content), 1
	}
	var b strings.Builder
	b.WriteString(beginOfText)
	writeLlama(&b, "system", "Cutting Knowledge Date: December 2023\nToday Date: "+l.Date+"\n\n"+system)
	for i, m := range messages[first:] {
		if m.Role != "tool" && m.Role != "ipython" {
			writeLlama(&b, m.Role, strip(m.Content))
			continue
		}
		quoted, err := jsontext.AppendQuote(nil, m.Content)
		if err != nil {
			return "", fmt.Errorf("chat: the content of message %d is not UTF-8", first+i)
		}
		writeLlama(&b, "ipython", string(quoted))
	}
	openLlama(&b, addGenerationPrompt)
	return b.String(), nil
}

func writeLlama(b *strings.Builder, role, content string) {
	b.WriteString("<|start_header_id|>")
	b.WriteString(role)
	b.WriteString("<|end_header_id|>\n\n")
	b.WriteString(content)
	b.WriteString("<|eot_id|>")
}

func openLlama(b *strings.Builder, open bool) {
	if open {
		b.WriteString("<|start_header_id|>assistant<|end_header_id|>\n\n")
	}
}

// strip is Jinja's trim. Python counts the separators U+001C to U+001F as white space, Unicode and Go do not.
func strip(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f })
}
