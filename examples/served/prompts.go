package main

import (
	"fmt"
	"strings"

	"github.com/prefgrad/prefgrad/dataset"
)

// readPrompts reads the prompt file whole: prompts are small beside what is drawn for them.
func readPrompts(c *config) ([]dataset.PromptOnly, error) {
	var all []dataset.PromptOnly
	for p, err := range dataset.Open[dataset.PromptOnly](c.Prompts) {
		if err != nil {
			return nil, err
		}
		all = append(all, p)
		if len(all) == c.Limit {
			break
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no prompts", c.Prompts)
	}
	return all, nil
}

// render turns a prompt into the text that a model continues. ChatML frames each message;
// a plain text is the message of a user there. The plain form has nothing but the texts.
func render(template, system string, t dataset.Text) string {
	messages := t.Messages
	if !t.IsChat() {
		messages = []dataset.Message{{Role: "user", Content: t.Plain}}
	}
	if system != "" {
		messages = append([]dataset.Message{{Role: "system", Content: system}}, messages...)
	}
	var b strings.Builder
	if template == "plain" {
		for i, m := range messages {
			if i > 0 {
				b.WriteString("\n\n")
			}
			b.WriteString(m.Content)
		}
		return b.String()
	}
	for _, m := range messages {
		b.WriteString("<|im_start|>" + m.Role + "\n" + m.Content + "<|im_end|>\n")
	}
	b.WriteString("<|im_start|>assistant\n")
	return b.String()
}

// answer puts a reply into the form of its prompt, as a preference file wants it.
func answer(prompt dataset.Text, reply string) dataset.Text {
	if prompt.IsChat() {
		return dataset.Text{Messages: []dataset.Message{{Role: "assistant", Content: reply}}}
	}
	return dataset.Text{Plain: reply}
}
