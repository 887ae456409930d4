package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// fields reads the members of JSON objects, one object on each line.
type fields struct{ dec *jsontext.Decoder }

// lineError says what is wrong with a line. Every other error ends the program, whatever it
// is told about bad lines.
type lineError struct{ field, what string }

func (e *lineError) Error() string {
	if e.field == "" {
		return e.what
	}
	return e.field + ": " + e.what
}

// bad is an error that names a field, "" for the line as a whole.
func bad(field, format string, args ...any) error {
	return &lineError{field, fmt.Sprintf(format, args...)}
}

// line reads an object that fills a line. member is called at each value, and reads it.
func (d *fields) line(line []byte, member func(name string) error) error {
	in := bytes.NewBuffer(line)
	if d.dec == nil {
		d.dec = jsontext.NewDecoder(in)
	} else {
		d.dec.Reset(in)
	}
	if err := d.object(member); err != nil {
		return err
	}
	switch _, err := d.dec.ReadToken(); {
	case err == nil:
		return bad("", "more than one value on the line")
	case err != io.EOF:
		return syntax(err)
	}
	return nil
}

func (d *fields) object(member func(name string) error) error {
	if kind := d.dec.PeekKind(); kind != '{' {
		value, err := d.value()
		if err != nil {
			return err
		}
		return bad("", "want an object, have %.40s", value)
	}
	for first := true; ; first = false {
		token, err := d.dec.ReadToken()
		switch {
		case err != nil:
			return syntax(err)
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

// value reads any value; it is valid until the next one is read.
func (d *fields) value() (jsontext.Value, error) {
	v, err := d.dec.ReadValue()
	if err != nil {
		return nil, syntax(err)
	}
	return v, nil
}

func syntax(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		return bad("", "the line ends within a value")
	}
	return bad("", "%s", strings.TrimPrefix(err.Error(), "jsontext: "))
}

// number reads a number, or one of the strings that stand for those that JSON lacks.
// null is NaN, as if the field were not there.
func (d *fields) number(field string) (float64, error) {
	v, err := d.value()
	if err != nil {
		return 0, err
	}
	switch v.Kind() {
	case '0':
		x, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return 0, bad(field, "out of range: %s", v)
		}
		return x, nil
	case 'n':
		return math.NaN(), nil
	}
	switch string(v) {
	case `"Infinity"`:
		return math.Inf(1), nil
	case `"-Infinity"`:
		return math.Inf(-1), nil
	}
	return 0, bad(field, "want a number, have %.40s", v)
}

// logProb reads a log-probability: a number or −Inf.
func (d *fields) logProb(field string) (float64, error) {
	x, err := d.number(field)
	if err == nil && math.IsInf(x, 1) {
		return 0, bad(field, "+Inf is no log-probability")
	}
	return x, err
}

// numbers reads a list of finite numbers; null is nil.
func (d *fields) numbers(field string) ([]float64, error) {
	if kind := d.dec.PeekKind(); kind != '[' {
		v, err := d.value()
		if err == nil && kind != 'n' {
			err = bad(field, "want a list of numbers, have %.40s", v)
		}
		return nil, err
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return nil, syntax(err)
	}
	list := []float64{}
	for d.dec.PeekKind() != ']' {
		at := field + "[" + strconv.Itoa(len(list)) + "]"
		x, err := d.number(at)
		if err != nil {
			return nil, err
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, bad(at, "must be a finite number")
		}
		list = append(list, x)
	}
	_, err := d.dec.ReadToken()
	if err != nil {
		return nil, syntax(err)
	}
	if len(list) == 0 {
		return nil, bad(field, "is empty")
	}
	return list, nil
}

// id reads the name of a prompt, a string or a number, as it is spelled.
func (d *fields) id(dst []byte) ([]byte, error) {
	v, err := d.value()
	if err != nil {
		return nil, err
	}
	if k := v.Kind(); k != '"' && k != '0' {
		return nil, bad("prompt", "want a string or a number, have %.40s", v)
	}
	return append(dst, v...), nil
}
