package dataset

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner is the fast path: it reads a line that holds what is expected. Whatever it does not understand, errors
// included, it leaves to the decoder, which alone decides what is wrong.
type scanner struct {
	buf   []byte // the line
	pos   int
	depth int
	tmp   []byte // a string without its escapes
}

// maxDepth is the nesting that the scanner follows; the decoder follows it further.
const maxDepth = 64

// line reads the line into v. On false, v is to be reset and the line given to the decoder.
func (s *scanner) line(line []byte, v *values) bool {
	s.buf, s.pos, s.depth = line, 0, 0
	ok := s.token() == '{' && s.object(func(name []byte) bool {
		i := v.lookup(name)
		return i == noField && s.skip() || i != noField && v.begin(i) && s.value(v, i)
	})
	return ok && s.token() == 0 && s.pos == len(line)
}

// object reads an object, the brace at pos, and calls member at each value.
func (s *scanner) object(member func(name []byte) bool) bool {
	return s.list('}', func() bool {
		if s.token() != '"' {
			return false
		}
		name, ok := s.str()
		if !ok || s.token() != ':' {
			return false
		}
		s.pos++
		return member(name)
	})
}

// list reads what stands between the bracket or brace at pos and the closing one, and calls element at each.
func (s *scanner) list(closing byte, element func() bool) bool {
	s.pos++
	s.depth++
	if s.depth > maxDepth {
		return false
	}
	if s.token() == closing {
		s.pos++
		s.depth--
		return true
	}
	for element() {
		c := s.token()
		s.pos++
		if c == closing {
			s.depth--
			return true
		}
		if c != ',' {
			return false
		}
	}
	return false
}

// value reads a value and stores it in field i.
func (s *scanner) value(v *values, i field) bool {
	switch c := s.token(); c {
	case '"':
		text, ok := s.str()
		return ok && v.setString(i, string(text)) == nil
	case 't', 'f':
		return (s.literal("true") || s.literal("false")) && v.setBool(i, c == 't') == nil
	case 'n':
		return s.literal("null")
	case '[':
		return i < texts && s.messages(v, i)
	default:
		digits, ok := s.number()
		return ok && v.setNumber(i, string(digits)) == nil
	}
}

// messages reads a list of messages into field i.
func (s *scanner) messages(v *values, i field) bool {
	list := make([]Message, 0, 4)
	ok := s.list(']', func() bool {
		var m Message
		var hasRole, hasContent bool
		ok := s.token() == '{' && s.object(func(name []byte) bool {
			dst, has := &m.Role, &hasRole
			switch string(name) {
			case "role":
			case "content":
				dst, has = &m.Content, &hasContent
			default:
				return s.skip()
			}
			if *has || s.token() != '"' {
				return false
			}
			text, ok := s.str()
			*dst, *has = string(text), true
			return ok
		})
		list = append(list, m)
		return ok && hasRole && hasContent
	})
	if !ok || len(list) == 0 {
		return false
	}
	v.setMessages(i, list)
	return true
}

// skip reads any value.
func (s *scanner) skip() bool {
	switch s.token() {
	case '"':
		_, ok := s.str()
		return ok
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	case '[':
		return s.list(']', s.skip)
	case '{':
		return s.object(func([]byte) bool { return s.skip() })
	default:
		_, ok := s.number()
		return ok
	}
}

// token skips white space and returns the byte there, or 0 at the end.
func (s *scanner) token() byte {
	for ; s.pos < len(s.buf); s.pos++ {
		switch c := s.buf[s.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) literal(word string) bool {
	ok := bytes.HasPrefix(s.buf[s.pos:], []byte(word))
	if ok {
		s.pos += len(word)
	}
	return ok
}

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) number() ([]byte, bool) {
	begin := s.pos
	s.oneOf("-")
	zero := s.oneOf("0")
	if !zero && s.digits() == 0 {
		return nil, false
	}
	if s.oneOf(".") && s.digits() == 0 {
		return nil, false
	}
	if s.oneOf("eE") {
		s.oneOf("+-")
		if s.digits() == 0 {
			return nil, false
		}
	}
	return s.buf[begin:s.pos], true
}

func (s *scanner) oneOf(set string) bool {
	ok := s.pos < len(s.buf) && bytes.IndexByte([]byte(set), s.buf[s.pos]) >= 0
	if ok {
		s.pos++
	}
	return ok
}

func (s *scanner) digits() (n int) {
	for s.pos < len(s.buf) && '0' <= s.buf[s.pos] && s.buf[s.pos] <= '9' {
		s.pos++
		n++
	}
	return n
}

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

// unicodeEscape returns the code unit of \uXXXX at the beginning of b, or −1.
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
