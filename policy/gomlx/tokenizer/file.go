package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// file is tokenizer.json.
type file struct {
	Added         []addedToken `json:"added_tokens"`
	Normalizer    *part        `json:"normalizer"`
	PreTokenizer  *part        `json:"pre_tokenizer"`
	Model         modelPart    `json:"model"`
	PostProcessor *part        `json:"post_processor"`
	Decoder       *part        `json:"decoder"`
}

type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
}

// part is a normalizer, a pre-tokenizer, a post-processor or a decoder. Each type has
// some of the fields.
type part struct {
	Type string `json:"type"`

	// Sequence, by what it is a sequence of
	Normalizers   []part `json:"normalizers"`
	PreTokenizers []part `json:"pretokenizers"`
	Processors    []part `json:"processors"`
	Decoders      []part `json:"decoders"`

	Prepend     string  `json:"prepend"`
	Pattern     pattern `json:"pattern"`
	Content     string  `json:"content"`
	Behavior    string  `json:"behavior"`
	Invert      bool    `json:"invert"`
	Individual  bool    `json:"individual_digits"`
	PrefixSpace bool    `json:"add_prefix_space"`
	UseRegex    *bool   `json:"use_regex"`
	Start       int     `json:"start"`
	Stop        int     `json:"stop"`
	Replacement string  `json:"replacement"`
	Scheme      string  `json:"prepend_scheme"`
	SplitWords  *bool   `json:"split"`

	Single  []templatePiece `json:"single"`
	Special map[string]struct {
		IDs []int32 `json:"ids"`
	} `json:"special_tokens"`
}

type pattern struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

type templatePiece struct {
	SpecialToken *struct {
		ID string `json:"id"`
	} `json:"SpecialToken"`
	Sequence *struct {
		ID string `json:"id"`
	} `json:"Sequence"`
}

type modelPart struct {
	Type         string           `json:"type"`
	Dropout      *float64         `json:"dropout"`
	Unknown      *string          `json:"unk_token"`
	Prefix       *string          `json:"continuing_subword_prefix"`
	Suffix       *string          `json:"end_of_word_suffix"`
	FuseUnknown  bool             `json:"fuse_unk"`
	ByteFallback bool             `json:"byte_fallback"`
	IgnoreMerges bool             `json:"ignore_merges"`
	Vocab        map[string]int32 `json:"vocab"`
	Merges       []merge          `json:"merges"`
}

// merge is a pair of tokens: a list, or before 2024 a text with a space.
type merge [2]string

func (m *merge) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err == nil {
		var ok bool
		if m[0], m[1], ok = strings.Cut(text, " "); !ok {
			return fmt.Errorf("merge %q", text)
		}
		return nil
	}
	return json.Unmarshal(b, (*[2]string)(m))
}

// unsupported is the error about a part.
func unsupported(what string, p *part) error {
	return fmt.Errorf("%s of type %s with these options is not supported", what, p.Type)
}

func (f *file) tokenizer() (*Tokenizer, error) {
	model, err := f.Model.bpe()
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{model: model, ids: map[string]int32{}, names: map[int32]string{}}
	for name, id := range f.Model.Vocab {
		t.ids[name], t.names[id] = id, name
	}
	for i, a := range f.Added {
		switch {
		case a.Content == "":
			return nil, fmt.Errorf("added_tokens[%d] is empty", i)
		case a.SingleWord || a.LStrip || a.RStrip || a.Normalized && f.Normalizer != nil:
			return nil, fmt.Errorf("added_tokens[%d], %q: single_word, lstrip, rstrip and normalized are not supported", i, a.Content)
		}
		t.ids[a.Content], t.names[a.ID] = a.ID, a.Content
	}
	t.added = slices.Clone(f.Added)
	slices.SortStableFunc(t.added, func(a, b addedToken) int { return len(b.Content) - len(a.Content) })
	if t.normalize, err = normalizer(f.Normalizer); err != nil {
		return nil, err
	}
	if t.split, err = preTokenizer(f.PreTokenizer); err != nil {
		return nil, err
	}
	if t.decode, err = decoder(f.Decoder); err != nil {
		return nil, err
	}
	return t, t.template(f.PostProcessor)
}

// template reads the post-processor.
func (t *Tokenizer) template(p *part) error {
	switch {
	case p == nil || p.Type == "ByteLevel": // which only moves offsets
		return nil
	case p.Type == "Sequence":
		for i := range p.Processors {
			if err := t.template(&p.Processors[i]); err != nil {
				return err
			}
		}
		return nil
	case p.Type != "TemplateProcessing":
		return unsupported("post_processor", p)
	}
	side := &t.before
	for _, piece := range p.Single {
		switch {
		case piece.Sequence != nil && side == &t.before:
			side = &t.after
		case piece.SpecialToken != nil:
			s, ok := p.Special[piece.SpecialToken.ID]
			if !ok {
				return fmt.Errorf("post_processor: no special token %q", piece.SpecialToken.ID)
			}
			*side = append(*side, s.IDs...)
		default:
			return unsupported("post_processor", p)
		}
	}
	if side == &t.before {
		return errors.New("post_processor: the template has no place for the text")
	}
	return nil
}
