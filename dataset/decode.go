package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// decoder reads lines: well-formed ones by the scanner; it reads the rest itself and finds out what is wrong with it.
type decoder struct {
	fast scanner
	json *jsontext.Decoder
}

// line reads one line into f.
func (d *decoder) line(line []byte, want fieldSet, f *values) *Error {
	f.reset(want)
	if d.fast.line(line, f) {
		return nil
	}
	f.reset(want)
	return d.full(line, f)
}

// full reads any line.
func (d *decoder) full(line []byte, f *values) *Error {
	if !utf8.Valid(line) {
		return fail(InvalidUTF8, "", "")
	}
	// Duplicate names are looked for among the fields that are read, and only there.
	in, option := bytes.NewBuffer(line), jsontext.AllowDuplicateNames(true)
	if d.json == nil {
		d.json = jsontext.NewDecoder(in, option)
	} else {
		d.json.Reset(in, option)
	}
	if kind := d.json.PeekKind(); kind != '{' {
		if err := d.json.SkipValue(); err != nil {
			return invalid(err)
		}
		return wrongType("", "an object on a line", kindName(kind))
	}
	err := d.object("", func(name string) *Error { return d.field(name, f) })
	if err != nil {
		return err
	}
	if _, err := d.json.ReadToken(); err == nil {
		return fail(InvalidJSON, "", "more than one value on the line")
	} else if !errors.Is(err, io.EOF) {
		return invalid(err)
	}
	return nil
}

// object reads an object, member being called with each name to read the value.
func (d *decoder) object(field string, member func(name string) *Error) *Error {
	if kind := d.json.PeekKind(); kind != '{' {
		return d.refuse(field, "an object")
	}
	for first := true; ; first = false {
		token, err := d.json.ReadToken()
		switch {
		case err != nil:
			return invalid(err)
		case first:
		case token.Kind() == '}':
			return nil
		default:
			if err := member(token.String()); err != nil {
				return err
			}
		}
	}
}

// field reads the value of one of the record's fields.
func (d *decoder) field(name string, f *values) *Error {
	i := f.lookup([]byte(name))
	if i == noField {
		return d.skip()
	}
	if !f.begin(i) {
		return fail(DuplicateField, name, "")
	}
	switch kind := d.json.PeekKind(); {
	case kind == '[' && i < texts:
		messages, err := d.messages(name)
		if err != nil {
			return err
		}
		f.setMessages(i, messages)
		return nil
	case kind == '[' || kind == '{':
		return d.refuse(name, i.wantedType())
	}
	token, err := d.json.ReadToken()
	if err != nil {
		return invalid(err)
	}
	switch token.Kind() {
	case '"':
		return f.setString(i, token.String())
	case '0':
		return f.setNumber(i, token.String())
	case 'n':
		return nil
	default:
		return f.setBool(i, token.Bool())
	}
}

// messages reads a list of messages.
func (d *decoder) messages(field string) ([]Message, *Error) {
	if _, err := d.json.ReadToken(); err != nil {
		return nil, invalid(err)
	}
	var list []Message
	for d.json.PeekKind() != ']' {
		m, err := d.message(fmt.Sprintf("%s[%d]", field, len(list)))
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	if _, err := d.json.ReadToken(); err != nil {
		return nil, invalid(err)
	}
	if list == nil {
		return nil, fail(EmptyField, field, "")
	}
	return list, nil
}

// message reads one message, of which only role and content count.
func (d *decoder) message(field string) (Message, *Error) {
	var role, content *string
	err := d.object(field, func(name string) *Error {
		var dst **string
		switch name {
		case "role":
			dst = &role
		case "content":
			dst = &content
		default:
			return d.skip()
		}
		path := field + "." + name
		if *dst != nil {
			return fail(DuplicateField, path, "")
		}
		if kind := d.json.PeekKind(); kind == 'n' {
			return fail(MissingField, path, "null")
		} else if kind != '"' {
			return d.refuse(path, "a string")
		}
		token, err := d.json.ReadToken()
		if err != nil {
			return invalid(err)
		}
		s := token.String()
		*dst = &s
		return nil
	})
	switch {
	case err != nil:
		return Message{}, err
	case role == nil:
		return Message{}, fail(MissingField, field+".role", "")
	case content == nil:
		return Message{}, fail(MissingField, field+".content", "")
	}
	return Message{*role, *content}, nil
}

func (d *decoder) skip() *Error {
	if err := d.json.SkipValue(); err != nil {
		return invalid(err)
	}
	return nil
}

// refuse reads a value of a type that is not wanted, so that invalid JSON in it is reported as such.
func (d *decoder) refuse(field, want string) *Error {
	kind := d.json.PeekKind()
	if err := d.skip(); err != nil {
		return err
	}
	return wrongType(field, want, kindName(kind))
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return k.String()
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	default:
		return "a list"
	}
}

// invalid wraps an error of the JSON library.
func invalid(err error) *Error {
	text := strings.TrimPrefix(err.Error(), "jsontext: ")
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		text = "the line ends within a value"
	}
	return fail(InvalidJSON, "", text)
}
