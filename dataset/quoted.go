package dataset

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// str reads a string, the opening quote at pos. The result is valid until the next call.
func (s *scanner) str() ([]byte, bool) {
	s.pos++
	b, i := s.buf, s.pos
	run := i // begins what is not yet in tmp
	s.tmp = s.tmp[:0]
	for {
		i += plain(b[i:])
		if i == len(b) {
			return nil, false
		}
		switch c := b[i]; {
		case c == '"':
			s.pos = i + 1
			if len(s.tmp) == 0 {
				return b[run:i], true
			}
			s.tmp = append(s.tmp, b[run:i]...)
			return s.tmp, true
		case c == '\\':
			s.tmp = append(s.tmp, b[run:i]...)
			n := s.escape(b[i:])
			if n == 0 {
				return nil, false
			}
			i += n
			run = i
		case c < ' ':
			return nil, false
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return nil, false
			}
			i += n
		}
	}
}

// plain returns how many bytes at the beginning of b are ASCII that a JSON string holds as it is. Eight bytes at a
// time: the high bit of a byte in m is set if that byte is a control character or a quote (both below 0x21 once bit 1
// is flipped, and nothing else is), a backslash (0 after the exclusive or) or not ASCII. A borrow can set it wrongly
// only above a byte where it is rightly set, so the lowest one is exact.
func plain(b []byte) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		m := (((x ^ 0x02*each) - 0x21*each) | ((x ^ '\\'*each) - each) | x) & high
		if m != 0 {
			return n + bits.TrailingZeros64(m)/8
		}
		n += 8
	}
	for _, c := range b {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
		n++
	}
	return n
}

// escapes maps the letter of a short escape to its byte.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape appends the character of the escape that b begins with and returns the escape's length, or 0 if it is none
// or a lone surrogate.
func (s *scanner) escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	if c := escapes[b[1]]; c != 0 {
		s.tmp = append(s.tmp, c)
		return 2
	}
	r, n := unicodeEscape(b), 6
	if utf16.IsSurrogate(r) {
		r, n = utf16.DecodeRune(r, unicodeEscape(b[n:])), 12
		if r == utf8.RuneError {
			return 0
		}
	}
	if r < 0 {
		return 0
	}
	s.tmp = utf8.AppendRune(s.tmp, r)
	return n
}

// unicodeEscape returns the code unit of \uhhhh at the beginning of b, or −1.
func unicodeEscape(b []byte) (r rune) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
