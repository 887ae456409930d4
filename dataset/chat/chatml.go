package chat

import (
	"strings"

	"github.com/prefgrad/prefgrad/dataset"
)

// ChatML writes each message, in order and as it stands, as
//
//	<|im_start|>role⏎content<|im_end|>⏎
//
// and opens the assistant's turn with "<|im_start|>assistant⏎".
type ChatML struct {
	// System is the content of a system's message that stands first if the conversation does not begin with one of its own.
	// "" means none. Models differ in nothing else: for Qwen 2.5 it is "You are Qwen, created by Alibaba Cloud. You are a
	// helpful assistant." (whose template wraps messages of tools, which this one does not).
	System string
}

// Render implements [Template]. It fails only without messages.
func (c ChatML) Render(messages []dataset.Message, addGenerationPrompt bool) (string, error) {
	if len(messages) == 0 {
		return "", errEmpty
	}
	var b strings.Builder
	if c.System != "" && messages[0].Role != "system" {
		writeChatML(&b, dataset.Message{Role: "system", Content: c.System})
	}
	for _, m := range messages {
		writeChatML(&b, m)
	}
	if addGenerationPrompt {
		b.WriteString("<|im_start|>assistant\n")
	}
	return b.String(), nil
}

func writeChatML(b *strings.Builder, m dataset.Message) {
	b.WriteString("<|im_start|>")
	b.WriteString(m.Role)
	b.WriteString("\n")
	b.WriteString(m.Content)
	b.WriteString("<|im_end|>\n")
}

// SmolLM2 is the template of the SmolLM2 models: [ChatML] with the system's message "You are a helpful AI assistant named
// SmolLM, trained by Hugging Face" where the conversation does not begin with one.
type SmolLM2 struct{}

// Render implements [Template]. It fails only without messages.
func (SmolLM2) Render(messages []dataset.Message, addGenerationPrompt bool) (string, error) {
	c := ChatML{System: "You are a helpful AI assistant named SmolLM, trained by Hugging Face"}
	return c.Render(messages, addGenerationPrompt)
}
