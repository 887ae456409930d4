package tokenizer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Tokenizer is a tokenizer.json. It is safe for concurrent use. The zero value is of no
// use: see [Load].
type Tokenizer struct {
	added     []addedToken // by length, the longest first
	normalize func(string) string
	split     func(words []string, first bool) []string
	model     *bpe
	before    []int32 // what EncodePrompt puts before the text, and after it
	after     []int32
	decode    func(tokens []string) []string
	names     map[int32]string
	ids       map[string]int32
}

// Load reads tokenizer.json from a model's folder. An error names what the file has that
// this package does not.
func Load(dir string) (*Tokenizer, error) {
	text, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	t, err := f.tokenizer()
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	return t, nil
}

// Encode returns the ids of a text. Special tokens that the text contains by name, such
// as <|im_end|>, become their ids; none is added. This is for replies, and for prompts
// that a chat template wrote.
func (t *Tokenizer) Encode(text string) []int32 {
	ids := []int32{}
	for at := 0; at < len(text); {
		next, token := t.special(text[at:])
		if next > 0 {
			for _, word := range t.split([]string{t.normalize(text[at : at+next])}, at == 0) {
				ids = t.model.encode(ids, word)
			}
		}
		at += next
		if token != nil {
			ids = append(ids, token.ID)
			at += len(token.Content)
		}
	}
	return ids
}

// EncodePrompt is Encode with the special tokens that tokenizer.json puts around a text:
// for Llama, the begin-of-sequence token.
func (t *Tokenizer) EncodePrompt(text string) []int32 {
	ids := append([]int32{}, t.before...)
	return append(append(ids, t.Encode(text)...), t.after...)
}

// special returns where the first special token of a text begins, and which it is; the
// length of the text and nil if there is none.
func (t *Tokenizer) special(text string) (int, *addedToken) {
	first, token := len(text), (*addedToken)(nil)
	for i := range t.added {
		if at := strings.Index(text[:min(len(text), first+len(t.added[i].Content))], t.added[i].Content); at >= 0 && at < first {
			first, token = at, &t.added[i]
		}
	}
	return first, token
}

// Decode returns the text of ids. Special tokens appear by their names. An id outside the
// vocabulary is nothing; bytes that are not UTF-8 become U+FFFD.
func (t *Tokenizer) Decode(ids []int32) string {
	var tokens []string
	for _, id := range ids {
		if name, ok := t.names[id]; ok {
			tokens = append(tokens, name)
		}
	}
	return strings.Join(t.decode(tokens), "")
}

// ID returns the id of a token by its name, and whether there is one. Names are as in
// the file: in a byte-level vocabulary, a space is Ġ.
func (t *Tokenizer) ID(name string) (int32, bool) {
	id, ok := t.ids[name]
	return id, ok
}

// Token returns the name of an id, and whether there is one.
func (t *Tokenizer) Token(id int32) (string, bool) {
	name, ok := t.names[id]
	return name, ok
}

// Vocab returns the number of tokens.
func (t *Tokenizer) Vocab() int { return len(t.names) }
