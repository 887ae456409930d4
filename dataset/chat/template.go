package chat

import (
	"errors"

	"github.com/prefgrad/prefgrad/dataset"
)

// Template renders conversations.
type Template interface {
	// Render returns the text of the messages. With addGenerationPrompt the assistant's turn is opened behind them, so that
	// a reply can follow. To tell prompts from replies, as [Plain] does, the text of a conversation must begin with the text
	// of its first messages. The templates of this package refuse a conversation without messages, as transformers does.
	Render(messages []dataset.Message, addGenerationPrompt bool) (string, error)
}

var _, _, _, _ Template = ChatML{}, SmolLM2{}, Llama3{}, Llama31{}

var errEmpty = errors.New("chat: a conversation without messages")
