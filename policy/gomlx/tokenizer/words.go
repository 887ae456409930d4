package tokenizer

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/dlclark/regexp2"
)

// splitter cuts words into smaller ones. first says whether the text begins with the
// first of them.
type splitter = func(words []string, first bool) []string

// gpt2Words are the words of the byte-level pre-tokenizer.
const gpt2Words = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

func preTokenizer(p *part) (splitter, error) {
	if p == nil {
		return func(words []string, _ bool) []string { return words }, nil
	}
	switch p.Type {
	case "Sequence":
		var steps []splitter
		for i := range p.PreTokenizers {
			f, err := preTokenizer(&p.PreTokenizers[i])
			if err != nil {
				return nil, err
			}
			steps = append(steps, f)
		}
		return func(words []string, first bool) []string {
			for _, f := range steps {
				words = f(words, first)
			}
			return words
		}, nil
	case "Digits":
		return each(func(w string) []string { return digits(w, p.Individual) }), nil
	case "Split":
		if p.Behavior != "Isolated" || p.Invert {
			return nil, unsupported("pre_tokenizer", p)
		}
		e, err := p.Pattern.compile()
		if err != nil {
			return nil, fmt.Errorf("pre_tokenizer: %w", err)
		}
		return each(func(w string) []string { return matches(e, w) }), nil
	case "ByteLevel":
		return byteLevel(p)
	case "Metaspace":
		return metaspace(p)
	}
	return nil, unsupported("pre_tokenizer", p)
}

func (p pattern) compile() (*regexp2.Regexp, error) {
	switch {
	case p.Regex != nil:
		return regexp2.Compile(*p.Regex, regexp2.Unicode)
	case p.String != nil:
		return regexp2.Compile(regexp2.Escape(*p.String), regexp2.Unicode)
	}
	return nil, fmt.Errorf("no pattern")
}

// each cuts every word by itself.
func each(cut func(word string) []string) splitter {
	return func(words []string, _ bool) []string {
		var out []string
		for _, w := range words {
			out = append(out, cut(w)...)
		}
		return out
	}
}

// digits separates numbers from the rest, or each digit from the other.
func digits(word string, individual bool) []string {
	var out []string
	begin, was := 0, false
	for at, r := range word {
		is := unicode.IsNumber(r)
		if at > begin && (is != was || is && individual) {
			out = append(out, word[begin:at])
			begin = at
		}
		was = is
	}
	return append(out, word[begin:])
}

func byteLevel(p *part) (splitter, error) {
	var e *regexp2.Regexp
	if p.UseRegex == nil || *p.UseRegex {
		var err error
		if e, err = regexp2.Compile(gpt2Words, regexp2.Unicode); err != nil {
			return nil, err
		}
	}
	return each(func(w string) []string {
		if p.PrefixSpace && !strings.HasPrefix(w, " ") {
			w = " " + w
		}
		words := []string{w}
		if e != nil {
			words = matches(e, w)
		}
		for i, w := range words {
			var b strings.Builder
			for j := range len(w) {
				b.WriteRune(byteRunes[w[j]])
			}
			words[i] = b.String()
		}
		return words
	}), nil
}

func metaspace(p *part) (splitter, error) {
	if p.Replacement == "" || p.Scheme != "first" && p.Scheme != "always" && p.Scheme != "never" {
		return nil, unsupported("pre_tokenizer", p)
	}
	return func(words []string, first bool) []string {
		var out []string
		for i, w := range words {
			w = strings.ReplaceAll(w, " ", p.Replacement)
			start := p.Scheme == "always" || p.Scheme == "first" && first && i == 0
			if start && !strings.HasPrefix(w, p.Replacement) {
				w = p.Replacement + w
			}
			if p.SplitWords != nil && !*p.SplitWords {
				out = append(out, w)
				continue
			}
			for w != "" { // a word begins with the replacement
				_, rest, found := strings.Cut(w[1:], p.Replacement)
				n := len(w)
				if found {
					n -= len(rest) + len(p.Replacement)
				}
				out = append(out, w[:n])
				w = w[n:]
			}
		}
		return out
	}, nil
}
