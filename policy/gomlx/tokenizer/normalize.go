package tokenizer

import (
	"strings"

	"github.com/dlclark/regexp2"
	"golang.org/x/text/unicode/norm"
)

// normalizer returns what rewrites a text before it is cut into words.
func normalizer(p *part) (func(string) string, error) {
	if p == nil {
		return func(s string) string { return s }, nil
	}
	switch p.Type {
	case "Sequence":
		var steps []func(string) string
		for i := range p.Normalizers {
			f, err := normalizer(&p.Normalizers[i])
			if err != nil {
				return nil, err
			}
			steps = append(steps, f)
		}
		return func(s string) string {
			for _, f := range steps {
				s = f(s)
			}
			return s
		}, nil
	case "Prepend":
		return func(s string) string {
			if s == "" {
				return s
			}
			return p.Prepend + s
		}, nil
	case "Replace":
		return replace(p, "normalizer")
	case "NFC":
		return norm.NFC.String, nil
	case "NFD":
		return norm.NFD.String, nil
	case "NFKC":
		return norm.NFKC.String, nil
	case "NFKD":
		return norm.NFKD.String, nil
	}
	return nil, unsupported("normalizer", p)
}

// replace returns what puts a text in the place of another.
func replace(p *part, what string) (func(string) string, error) {
	if p.Pattern.String == nil || *p.Pattern.String == "" {
		return nil, unsupported(what, p)
	}
	return func(s string) string { return strings.ReplaceAll(s, *p.Pattern.String, p.Content) }, nil
}

// matches cuts a text into the matches of an expression and what lies between them.
func matches(e *regexp2.Regexp, text string) []string {
	var out []string
	runes := []rune(text) // regexp2 counts in runes
	at := 0
	for m, err := e.FindRunesMatch(runes); err == nil && m != nil; m, err = e.FindNextMatch(m) {
		if m.Length == 0 {
			continue
		}
		if m.Index > at {
			out = append(out, string(runes[at:m.Index]))
		}
		at = m.Index + m.Length
		out = append(out, string(runes[m.Index:at]))
	}
	if at < len(runes) {
		out = append(out, string(runes[at:]))
	}
	return out
}
