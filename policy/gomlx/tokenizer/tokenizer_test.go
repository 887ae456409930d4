package tokenizer_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy/gomlx/tokenizer"
)

// TestGolden compares with the tokenizers library.
func TestGolden(t *testing.T) {
	for _, name := range []string{"smollm2", "llama3", "llama2", "metaspace"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", name)
			k, err := tokenizer.Load(dir)
			require.NoError(t, err)
			text, err := os.ReadFile(filepath.Join(dir, "golden.json"))
			require.NoError(t, err)
			var golden []struct {
				Text        string
				IDs, Prompt []int32
				Decoded     string
			}
			require.NoError(t, json.Unmarshal(text, &golden))
			for _, g := range golden {
				assert.Equal(t, g.Decoded, k.Decode(g.IDs), "back from %q, %v", g.Text, g.IDs)
				if g.Prompt == nil {
					continue
				}
				assert.Equal(t, g.IDs, k.Encode(g.Text), "%q", g.Text)
				assert.Equal(t, g.Prompt, k.EncodePrompt(g.Text), "%q with special tokens", g.Text)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	k, err := tokenizer.Load(filepath.Join("testdata", "smollm2"))
	require.NoError(t, err)
	assert.Equal(t, 340, k.Vocab())
	id, ok := k.ID("<|im_end|>")
	assert.True(t, ok)
	assert.EqualValues(t, 2, id)
	name, ok := k.Token(2)
	assert.True(t, ok)
	assert.Equal(t, "<|im_end|>", name)
	_, ok = k.ID("no such token")
	assert.False(t, ok)
	_, ok = k.Token(340)
	assert.False(t, ok)
	_, err = tokenizer.Load(t.TempDir())
	assert.ErrorIs(t, err, os.ErrNotExist)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte("{"), 0o600))
	_, err = tokenizer.Load(dir)
	assert.ErrorContains(t, err, "tokenizer.json")
}

func TestConcurrent(t *testing.T) {
	k, err := tokenizer.Load(filepath.Join("testdata", "llama3"))
	require.NoError(t, err)
	const text = "The quick brown fox"
	plain, prompt := k.Encode(text), k.EncodePrompt(text)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 20 {
				assert.Equal(t, plain, k.Encode(text))
				assert.Equal(t, prompt, k.EncodePrompt(text))
			}
		})
	}
	wait.Wait()
}

// TestUnsupported checks that a pipeline that would be computed wrongly is refused.
func TestUnsupported(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "llama2", "tokenizer.json"))
	require.NoError(t, err)
	for _, c := range []struct {
		field   string
		value   any
		message string
	}{
		{"normalizer", map[string]any{"type": "Lowercase"}, "normalizer of type Lowercase"},
		{"normalizer", map[string]any{"type": "Sequence", "normalizers": []any{map[string]any{"type": "Strip"}}}, "normalizer of type Strip"},
		{"normalizer", map[string]any{"type": "Replace", "pattern": map[string]any{"Regex": "a+"}, "content": ""}, "normalizer of type Replace"},
		{"pre_tokenizer", map[string]any{"type": "Whitespace"}, "pre_tokenizer of type Whitespace"},
		{"pre_tokenizer", map[string]any{"type": "Split", "pattern": map[string]any{"Regex": "("}, "behavior": "Isolated"}, "pre_tokenizer"},
		{"pre_tokenizer", map[string]any{"type": "Split", "pattern": map[string]any{"Regex": "a"}, "behavior": "Removed"}, "pre_tokenizer of type Split"},
		{"post_processor", map[string]any{"type": "BertProcessing"}, "post_processor of type BertProcessing"},
		{"post_processor", map[string]any{"type": "TemplateProcessing"}, "no place for the text"},
		{"decoder", map[string]any{"type": "WordPiece"}, "decoder of type WordPiece"},
		{"model", map[string]any{"type": "Unigram"}, `model of type "Unigram"`},
		{"model", map[string]any{"type": "BPE", "dropout": 0.1}, "dropout of 0.1"},
		{"model", map[string]any{"type": "BPE", "byte_fallback": true}, "<0x00>"},
		{"model", map[string]any{"type": "BPE", "unk_token": "?"}, `unk_token "?"`},
		{"model", map[string]any{"type": "BPE", "vocab": map[string]any{"a": 0}, "merges": []string{"a b"}}, "merges[0]"},
		{"model", map[string]any{"type": "BPE", "merges": []string{"ab"}}, `merge "ab"`},
		{"added_tokens", []any{map[string]any{"id": 1, "content": "<s>", "lstrip": true}}, `"<s>"`},
		{"added_tokens", []any{map[string]any{"id": 1, "content": ""}}, "added_tokens[0] is empty"},
	} {
		var f map[string]any
		require.NoError(t, json.Unmarshal(text, &f))
		f[c.field] = c.value
		changed, err := json.Marshal(f)
		require.NoError(t, err)
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer.json"), changed, 0o600))
		_, err = tokenizer.Load(dir)
		assert.ErrorContains(t, err, c.message)
	}
}

// FuzzBytes checks that a byte-level vocabulary loses nothing.
func FuzzBytes(f *testing.F) {
	k, err := tokenizer.Load(filepath.Join("testdata", "llama3"))
	require.NoError(f, err)
	f.Add("a<|im_end|>  b\u3000é\n")
	f.Fuzz(func(t *testing.T, text string) {
		if utf8.ValidString(text) {
			assert.Equal(t, text, k.Decode(k.Encode(text)))
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, name := range []string{"llama3", "llama2"} {
		b.Run(name, func(b *testing.B) {
			k, err := tokenizer.Load(filepath.Join("testdata", name))
			require.NoError(b, err)
			text := strings.Repeat("The quick brown fox doesn't jump over 12345 dogs. ", 100)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				k.Encode(text)
			}
		})
	}
}
