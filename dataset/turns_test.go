package dataset_test

import (
	"strings"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTurns(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       dataset.Text
	}{
		{"dialogue", "\n\nHuman: a\n\nAssistant: b\n\nHuman: c", chat("user", "a", "assistant", "b", "user", "c")},
		{"open turn", "\n\nHuman: a\n\nAssistant:", chat("user", "a", "assistant", "")},
		{"empty turn inside", "\n\nHuman:\n\nAssistant: b", chat("user", "", "assistant", "b")},
		{"only the separator is taken", "\n\nHuman:  a \n\nAssistant: \nb\n", chat("user", " a ", "assistant", "\nb\n")},
		{"paragraphs", "\n\nHuman: a\n\nb\n\n\n\nAssistant: c", chat("user", "a\n\nb\n\n", "assistant", "c")},
		{"a line break before the marker", "\n\nHuman: a\n\n\nAssistant: b", chat("user", "a\n", "assistant", "b")},
		{"markers need their line", "\n\nHuman: a\nAssistant: b Human: c", chat("user", "a\nAssistant: b Human: c")},
		{"in a row", "\n\nAssistant: a\n\nAssistant: b", chat("assistant", "a", "assistant", "b")},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := dataset.ParseTurns(c.text)
			require.NoError(t, err)
			assert.Equal(t, c.want.Messages, got)
			assert.Equal(t, c.text, dataset.FormatTurns(got))
		})
	}
	for _, s := range []string{"", "a", "Human: a", "\nHuman: a", "\n\nhuman: a", "x\n\nHuman: a"} {
		_, err := dataset.ParseTurns(s)
		assert.ErrorIs(t, err, dataset.NotTurns, s)
	}
	// What the form cannot hold: no separator, and white space alone.
	got, err := dataset.ParseTurns("\n\nHuman:a\n\nAssistant: ")
	require.NoError(t, err)
	assert.Equal(t, "\n\nHuman: a\n\nAssistant:", dataset.FormatTurns(got))
	assert.Equal(t, "\n\nSystem: a\n\nÉcole: b", dataset.FormatTurns(chat("system", "a", "école", "b").Messages))
}

func TestFormsOfAPair(t *testing.T) {
	plain := dataset.Pair{
		Prompt: text("\n\nHuman: Hi\n\nAssistant: so\n\nAssistant:"), Chosen: text(" yes"), Rejected: text(" no"),
		Margin: ptr(1.0), Ref: &dataset.Ref{}, At: dataset.Position{File: "f", Line: 1},
	}
	talk := plain
	talk.Prompt, talk.Chosen, talk.Rejected = chat("user", "Hi", "assistant", "so"), chat("assistant", "yes"), chat("assistant", "no")
	got, err := plain.AsChat()
	require.NoError(t, err)
	assert.Equal(t, talk, got)
	assert.Equal(t, plain, talk.AsText())
	assert.Equal(t, plain, plain.AsText())
	got, err = talk.AsChat()
	require.NoError(t, err)
	assert.Equal(t, talk, got)

	u, err := dataset.Unpaired{Prompt: plain.Prompt, Completion: plain.Chosen, Label: true}.AsChat()
	require.NoError(t, err)
	assert.Equal(t, dataset.Unpaired{Prompt: talk.Prompt, Completion: talk.Chosen, Label: true}, u)
	assert.Equal(t, dataset.Unpaired{Prompt: plain.Prompt, Completion: plain.Chosen, Label: true}, u.AsText())
	q, err := dataset.PromptOnly{Prompt: plain.Prompt}.AsChat()
	require.NoError(t, err)
	assert.Equal(t, dataset.PromptOnly{Prompt: talk.Prompt}, q)
	assert.Equal(t, dataset.PromptOnly{Prompt: plain.Prompt}, q.AsText())

	for _, prompt := range []string{"Hi", "\n\nHuman: Hi", "\n\nAssistant:", "\n\nHuman: Hi\n\nAssistant: I"} {
		_, err := dataset.Pair{Prompt: text(prompt), Chosen: text("yes"), Rejected: text("no"), At: plain.At}.AsChat()
		assert.ErrorIs(t, err, dataset.NotTurns, prompt)
		assert.ErrorContains(t, err, "f:1: prompt: not in turns: ")
	}
	// A reply may have more turns, and need not begin with the assistant's.
	tool := chat("tool", "4", "assistant", "yes")
	assert.Equal(t, text("\n\nTool: 4\n\nAssistant: yes"), dataset.Pair{Chosen: tool}.AsText().Chosen)
}

func TestText(t *testing.T) {
	assert.True(t, dataset.Text{}.IsZero())
	assert.True(t, dataset.Text{Messages: []dataset.Message{}}.IsZero())
	assert.False(t, dataset.Text{Messages: []dataset.Message{}}.IsChat())
	assert.False(t, text(" ").IsZero())
	assert.True(t, text(" \u2003\n").Blank())
	assert.True(t, chat("assistant", " ", "tool", "").Blank())
	assert.False(t, chat("assistant", " ", "tool", "x").Blank())
	assert.False(t, chat("user", "a").Equal(text("a")))
	assert.False(t, chat("user", "a").Equal(chat("assistant", "a")))
	assert.Equal(t, "a", text("a").String())
	assert.Equal(t, "\n\nHuman: a", chat("user", "a").String())
	assert.Equal(t, "f:2", dataset.Position{File: "f", Line: 2}.String())
	assert.Equal(t, "", dataset.Position{}.String())
}

// FuzzTurns: parts of the text are lost nowhere, and messages survive the way there and back.
func FuzzTurns(f *testing.F) {
	f.Add("\n\nHuman: a\n\nAssistant: b\n\n\nHuman:\n\nAssistant:  c")
	f.Fuzz(func(t *testing.T, s string) {
		msgs, err := dataset.ParseTurns(s)
		begins := strings.HasPrefix(s, "\n\nHuman:") || strings.HasPrefix(s, "\n\nAssistant:")
		require.Equal(t, begins, err == nil)
		if err != nil {
			return
		}
		require.Len(t, msgs, strings.Count(s, "\n\nHuman:")+strings.Count(s, "\n\nAssistant:"))
		again, err := dataset.ParseTurns(dataset.FormatTurns(msgs))
		require.NoError(t, err)
		require.Equal(t, msgs, again)
		squeeze := strings.NewReplacer(" ", "")
		require.Equal(t, squeeze.Replace(s), squeeze.Replace(dataset.FormatTurns(msgs)))
	})
}
