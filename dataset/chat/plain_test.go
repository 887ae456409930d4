package chat_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/dataset/chat"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func text(s string) dataset.Text { return dataset.Text{Plain: s} }

// talk makes a conversation from roles and contents in turn.
func talk(s ...string) (t dataset.Text) {
	for i := 0; i < len(s); i += 2 {
		t.Messages = append(t.Messages, dataset.Message{Role: s[i], Content: s[i+1]})
	}
	return t
}

var at = dataset.Position{File: "f", Line: 7}

func TestPlain(t *testing.T) {
	margin := 1.5
	pair := dataset.Pair{Prompt: talk("user", "Hi"), Chosen: talk("assistant", "yes"), Rejected: talk("assistant", "no"), Margin: &margin, Ref: &dataset.Ref{Chosen: -1, Rejected: -2}, At: at}
	before := pair
	got, err := chat.Plain[dataset.Pair](chat.ChatML{})(pair)
	require.NoError(t, err)
	want := pair
	want.Prompt, want.Chosen, want.Rejected = text("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"), text("yes<|im_end|>\n"), text("no<|im_end|>\n")
	assert.Equal(t, want, got)
	assert.Equal(t, before, pair)

	u, err := chat.Plain[dataset.Unpaired](chat.Llama3{})(dataset.Unpaired{Prompt: talk("user", "Hi "), Completion: talk("assistant", " yes"), Label: true, At: at})
	require.NoError(t, err)
	assert.Equal(t, dataset.Unpaired{Prompt: text("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"),
		Completion: text("yes<|eot_id|>"), Label: true, At: at}, u)

	p, err := chat.Plain[dataset.PromptOnly](chat.SmolLM2{})(dataset.PromptOnly{Prompt: talk("system", "Be.", "user", "Hi"), At: at})
	require.NoError(t, err)
	assert.Equal(t, dataset.PromptOnly{Prompt: text("<|im_start|>system\nBe.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"), At: at}, p)

	// A prompt that ends with the assistant: the reply is another turn.
	pair.Prompt = talk("user", "Hi", "assistant", "well")
	got, err = chat.Plain[dataset.Pair](chat.ChatML{})(pair)
	require.NoError(t, err)
	assert.Equal(t, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nwell<|im_end|>\n<|im_start|>assistant\n", got.Prompt.Plain)
	assert.Equal(t, "yes<|im_end|>\n", got.Chosen.Plain)
}

// reverse is a template with which the end of a dialogue changes its beginning.
type reverse struct{}

func (reverse) Render(messages []dataset.Message, _ bool) (string, error) {
	var b strings.Builder
	for i := range messages {
		b.WriteString(messages[len(messages)-1-i].Content)
	}
	return b.String(), nil
}

func TestNotPlain(t *testing.T) {
	hi, yes, no := talk("user", "Hi"), talk("assistant", "yes"), talk("assistant", "no")
	for _, c := range []struct {
		name     string
		template chat.Template
		pair     dataset.Pair
		kind     dataset.Kind // 0 for an error of the template
		message  string
	}{
		{"text", chat.ChatML{}, dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no")},
			dataset.WrongType, "f:7: prompt: wrong type: want a conversation, have text"},
		{"text as reply", chat.ChatML{}, dataset.Pair{Prompt: hi, Chosen: yes, Rejected: text("no")},
			dataset.WrongType, "f:7: rejected: wrong type: want a conversation, have text"},
		{"no reply", chat.ChatML{}, dataset.Pair{Prompt: hi, Rejected: no}, dataset.WrongType, "f:7: chosen: wrong type: want a conversation, have text"},
		{"the tool's reply", chat.ChatML{}, dataset.Pair{Prompt: hi, Chosen: yes, Rejected: talk("tool", "4", "assistant", "no")},
			dataset.NoBoundary, `f:7: rejected: no boundary: the first message is of the role "tool", must be of the assistant`},
		{"no boundary", reverse{}, dataset.Pair{Prompt: hi, Chosen: yes, Rejected: no},
			dataset.NoBoundary, "f:7: chosen: no boundary: the rendered dialogue does not begin with the rendered prompt"},
		{"alike without white space", chat.Llama3{}, dataset.Pair{Prompt: hi, Chosen: yes, Rejected: talk("assistant", "yes\n")},
			dataset.IdenticalReplies, "f:7: identical replies"},
		{"no date", chat.Llama31{}, dataset.Pair{Prompt: hi, Chosen: yes, Rejected: no}, 0, `f:7: prompt: chat: Llama31.Date is "", must be a date such as "26 Jul 2024"`},
		{"not UTF-8", chat.Llama31{Date: "today"}, dataset.Pair{Prompt: talk("system", "", "user", "Hi"), Chosen: talk("assistant", "yes", "tool", "\xff"), Rejected: no},
			0, "f:7: chosen: chat: the content of message 3 is not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.pair.At = at
			got, err := chat.Plain[dataset.Pair](c.template)(c.pair)
			assert.EqualError(t, err, c.message)
			assert.Zero(t, got)
			var e *dataset.Error
			if assert.Equal(t, c.kind != 0, errors.As(err, &e)) && e != nil {
				assert.Equal(t, c.kind, e.Kind)
			}
		})
	}
	_, err := chat.Plain[dataset.Unpaired](chat.ChatML{})(dataset.Unpaired{Prompt: hi, Completion: text("yes"), At: at})
	assert.EqualError(t, err, "f:7: completion: wrong type: want a conversation, have text")
	_, err = chat.Plain[dataset.PromptOnly](chat.ChatML{})(dataset.PromptOnly{At: at})
	assert.ErrorIs(t, err, dataset.WrongType)
	assert.PanicsWithValue(t, "chat: nil Template", func() { chat.Plain[dataset.Pair](nil) })
}

func TestEmpty(t *testing.T) {
	for _, template := range []chat.Template{chat.ChatML{}, chat.ChatML{System: "s"}, chat.SmolLM2{}, chat.Llama3{}, chat.Llama31{Date: "today"}} {
		_, err := template.Render(nil, true)
		assert.EqualError(t, err, "chat: a conversation without messages")
	}
}

// FuzzPlain: prompt and reply join to the dialogue, whatever the messages say.
func FuzzPlain(f *testing.F) {
	f.Add("user", "Hi", "yes", "no", "tool", "4")
	f.Add("system", " \n", "\x1c", "<|im_end|>\n", "assistant", "\xff")
	f.Fuzz(func(t *testing.T, role, prompt, chosen, rejected, role2, more string) {
		if role == "" || role2 == "" {
			return
		}
		pair := dataset.Pair{Prompt: talk(role, prompt), Chosen: talk("assistant", chosen), Rejected: talk("assistant", rejected, role2, more)}
		for _, template := range []chat.Template{chat.ChatML{}, chat.SmolLM2{}, chat.Llama3{}, chat.Llama31{Date: "1 May"}} {
			got, err := chat.Plain[dataset.Pair](template)(pair)
			if err != nil {
				continue
			}
			for _, side := range [][2]dataset.Text{{got.Chosen, pair.Chosen}, {got.Rejected, pair.Rejected}} {
				whole, err := template.Render(append(talk(role, prompt).Messages, side[1].Messages...), false)
				require.NoError(t, err)
				require.Equal(t, whole, got.Prompt.Plain+side[0].Plain)
			}
			open, err := template.Render(pair.Prompt.Messages, true)
			require.NoError(t, err)
			require.Equal(t, open, got.Prompt.Plain)
		}
	})
}
