package dataset

import "bytes"

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
