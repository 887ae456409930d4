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

// merging takes the longest piece of a list at a time, and single bytes elsewhere: a tokenizer that merges.
func merging(pieces ...string) chat.Tokenizer {
	return func(text string) (ids []int32, err error) {
		for text != "" {
			best, n := int32(text[0]), 1
			for i, p := range pieces {
				if strings.HasPrefix(text, p) && len(p) > n {
					best, n = int32(256+i), len(p)
				}
			}
			ids, text = append(ids, best), text[n:]
		}
		return ids, nil
	}
}

func TestTokenize(t *testing.T) {
	seq, err := chat.Tokenize(merging("ab", "bc"), "ab", "c")
	require.NoError(t, err)
	assert.Equal(t, chat.Sequence{IDs: []int32{256, 'c'}, Prompt: 1}, seq)

	for _, c := range []struct {
		name, prompt, reply string
		kind                dataset.Kind
	}{
		{"a token across the boundary", "xa", "bc", dataset.NoBoundary},
		{"the prompt alone is longer", "abcab", "cd", dataset.NoBoundary},
		{"the prompt is one token of many", "a", "b", dataset.NoBoundary},
		{"no reply", "ab", "", dataset.BlankReply},
	} {
		seq, err := chat.Tokenize(merging("ab", "bc", "abcabcd"), c.prompt, c.reply)
		assert.ErrorIs(t, err, c.kind, c.name)
		assert.ErrorContains(t, err, "reply: ", c.name)
		assert.Zero(t, seq, c.name)
	}
	seq, err = chat.Tokenize(merging(), "", "a")
	require.NoError(t, err, "a prompt without tokens")
	assert.Equal(t, chat.Sequence{IDs: []int32{'a'}}, seq)
	assert.PanicsWithValue(t, "chat: nil Tokenizer", func() { chat.Tokenize(nil, "a", "b") })
}

func TestTokenizePair(t *testing.T) {
	pair := dataset.Pair{Prompt: text("say "), Chosen: text("yes"), Rejected: text("no"), At: at}
	calls := []string{}
	count := func(text string) ([]int32, error) {
		calls = append(calls, text)
		return merging("es")(text)
	}
	got, err := chat.TokenizePair(count)(pair)
	require.NoError(t, err)
	assert.Equal(t, chat.Sequences{
		Chosen:   chat.Sequence{IDs: []int32{'s', 'a', 'y', ' ', 'y', 256}, Prompt: 4},
		Rejected: chat.Sequence{IDs: []int32{'s', 'a', 'y', ' ', 'n', 'o'}, Prompt: 4},
	}, got)
	assert.Equal(t, []string{"say ", "say yes", "say no"}, calls)

	got, err = chat.TokenizePair(merging(" n"))(pair)
	assert.EqualError(t, err, "f:7: rejected: no boundary: the prompt's tokens are not the first tokens of prompt and reply")
	assert.Zero(t, got)
	_, err = chat.TokenizePair(merging())(dataset.Pair{Prompt: talk("user", "Hi"), At: at})
	assert.EqualError(t, err, "f:7: prompt: wrong type: want text, have a conversation")
	assert.PanicsWithValue(t, "chat: nil Tokenizer", func() { chat.TokenizePair(nil) })

	// Usable counts a lost boundary and stops at a tokenizer that fails.
	gone := errors.New("the tokenizer is gone")
	three := func(yield func(dataset.Pair, error) bool) {
		for range 3 {
			if !yield(pair, nil) {
				return
			}
		}
	}
	var sum dataset.Summary
	for range dataset.Usable(dataset.Map(three, chat.TokenizePair(merging(" n"))), false, &sum) {
		t.Error("a sequence without a boundary")
	}
	assert.Equal(t, "3 read, 0 used, 3 skipped (3 no boundary: rejected)", sum.String())
	n := 0
	for _, err := range dataset.Usable(dataset.Map(three, chat.TokenizePair(func(string) ([]int32, error) { return nil, gone })), true, &sum) {
		assert.ErrorIs(t, err, gone)
		assert.EqualError(t, err, "f:7: prompt: the tokenizer is gone")
		n++
	}
	assert.Equal(t, 1, n)
}
