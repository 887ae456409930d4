package tokenizer

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// byteRunes are the characters that stand for bytes in a byte-level vocabulary: itself
// for a byte that prints, else the next character from U+0100 on.
var byteRunes, runeBytes = func() (to [256]rune, from map[rune]byte) {
	from = map[rune]byte{}
	next := rune(0x100)
	for b := range to {
		to[b] = rune(b)
		if b < '!' || b > '~' && b < 0xa1 || b == 0xad {
			to[b] = next
			next++
		}
		from[to[b]] = byte(b)
	}
	return to, from
}()

// decoder returns what turns tokens into pieces of text.
func decoder(p *part) (func([]string) []string, error) {
	if p == nil {
		return func(tokens []string) []string { return tokens }, nil
	}
	switch p.Type {
	case "Sequence":
		var steps []func([]string) []string
		for i := range p.Decoders {
			f, err := decoder(&p.Decoders[i])
			if err != nil {
				return nil, err
			}
			steps = append(steps, f)
		}
		return func(tokens []string) []string {
			for _, f := range steps {
				tokens = f(tokens)
			}
			return tokens
		}, nil
	case "ByteLevel":
		return fromByteLevel, nil
	case "ByteFallback":
		return fromBytes, nil
	case "Fuse":
		return func(tokens []string) []string { return []string{strings.Join(tokens, "")} }, nil
	case "Replace":
		f, err := replace(p, "decoder")
		return perToken(f), err
	case "Strip":
		return perToken(func(s string) string {
			for range p.Start {
				s = strings.TrimPrefix(s, p.Content)
			}
			for range p.Stop {
				s = strings.TrimSuffix(s, p.Content)
			}
			return s
		}), nil
	case "Metaspace":
		return func(tokens []string) []string {
			out := make([]string, len(tokens))
			for i, s := range tokens {
				if i == 0 && p.Scheme != "never" {
					s = strings.TrimPrefix(s, p.Replacement)
				}
				out[i] = strings.ReplaceAll(s, p.Replacement, " ")
			}
			return out
		}, nil
	}
	return nil, unsupported("decoder", p)
}

func perToken(f func(string) string) func([]string) []string {
	return func(tokens []string) []string {
		out := make([]string, len(tokens))
		for i, s := range tokens {
			out[i] = f(s)
		}
		return out
	}
}

// fromByteLevel joins the bytes of tokens. A token that has other characters, a special
// one, is its own text.
func fromByteLevel(tokens []string) []string {
	var all []byte
	for _, s := range tokens {
		n := len(all)
		for _, r := range s {
			b, ok := runeBytes[r]
			if !ok {
				all = append(all[:n], s...)
				break
			}
			all = append(all, b)
		}
	}
	return []string{lossy(all)}
}

// lossy returns text with U+FFFD in the place of each longest part that could begin a
// character but does not make one.
func lossy(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			for n < len(b) && n < 4 && !utf8.RuneStart(b[n]) && begins(b[:n+1]) {
				n++
			}
		}
		out.WriteRune(r)
		b = b[n:]
	}
	return out.String()
}

// begins reports whether some character begins with b.
func begins(b []byte) bool {
	return !utf8.FullRune(b)
}

// fromBytes joins the bytes of neighbouring tokens <0x00> … <0xFF> into characters, or
// U+FFFD for each byte if they make none.
func fromBytes(tokens []string) []string {
	var out []string
	var run []byte
	flush := func() {
		if utf8.Valid(run) {
			out = append(out, string(run))
		} else {
			out = append(out, strings.Repeat("\uFFFD", len(run)))
		}
		run = nil
	}
	for _, s := range tokens {
		if len(s) == 6 && strings.HasPrefix(s, "<0x") && s[5] == '>' {
			if b, err := strconv.ParseUint(s[3:5], 16, 8); err == nil {
				run = append(run, byte(b))
				continue
			}
		}
		if len(run) > 0 {
			flush()
		}
		out = append(out, s)
	}
	if len(run) > 0 {
		flush()
	}
	return out
}
