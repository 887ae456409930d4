package dataset

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Encoder writes records of one type as JSONL that [Reader] reads back as they are, positions apart. Not safe for
// concurrent use. Make one with [Create] or [NewEncoder].
type Encoder[T Record] struct {
	out    *bufio.Writer
	under  []io.Closer // closed in this order
	record T
	buf    []byte
}

// Create makes a file and returns an encoder that writes to it, through gzip if the path ends in ".gz". The file is
// whole only once [Encoder.Close] has returned nil.
func Create[T Record](path string) (*Encoder[T], error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(path, ".gz") {
		e := NewEncoder[T](f)
		e.under = []io.Closer{f}
		return e, nil
	}
	z := gzip.NewWriter(f)
	e := NewEncoder[T](z)
	e.under = []io.Closer{z, f}
	return e, nil
}

// NewEncoder returns an encoder that writes to w. It does not close w. It panics if w is nil.
func NewEncoder[T Record](w io.Writer) *Encoder[T] {
	if w == nil {
		panic("dataset: nil io.Writer")
	}
	return &Encoder[T]{out: bufio.NewWriterSize(w, bufferSize)}
}

// Encode writes one record as a line, after the checks of its Resolve method: what a reader would not deliver is an
// error ([*Error], or that of the writer) and is not written. The prompt is always written as a field of its own.
func (e *Encoder[T]) Encode(record T) error {
	e.record = record
	r := any(&e.record).(interface {
		Resolve() error
		write(l *line)
	})
	if err := r.Resolve(); err != nil {
		return err
	}
	l := line{buf: append(e.buf[:0], '{')}
	r.write(&l)
	e.buf = append(l.buf, "}\n"...)
	if l.err != nil {
		return l.err
	}
	_, err := e.out.Write(e.buf)
	return err
}

// Close writes out what is buffered and closes the file, if Create made one. It must be called once.
func (e *Encoder[T]) Close() error {
	err := e.out.Flush()
	for _, c := range e.under {
		err = errors.Join(err, c.Close())
	}
	return err
}

func (p *Pair) write(l *line) {
	l.at = p.At
	l.text(promptField, p.Prompt)
	l.text(chosenField, p.Chosen)
	l.text(rejectedField, p.Rejected)
	if p.Margin != nil {
		l.number(marginField, *p.Margin)
	}
	if p.Ref == nil {
		return
	}
	l.number(refChosenField, p.Ref.Chosen)
	l.number(refRejectedField, p.Ref.Rejected)
	if p.Ref.Fingerprint != "" {
		l.text(fingerprintField, Text{Plain: string(p.Ref.Fingerprint)})
	}
}

func (u *Unpaired) write(l *line) {
	l.at = u.At
	l.text(promptField, u.Prompt)
	l.text(completionField, u.Completion)
	l.name(labelField)
	l.buf = strconv.AppendBool(l.buf, u.Label)
}

func (p *PromptOnly) write(l *line) {
	l.at = p.At
	l.text(promptField, p.Prompt)
}

// line is a line in the making, with the first error on it.
type line struct {
	buf []byte
	at  Position
	err *Error
}

// name begins a member, with a comma unless it is the first.
func (l *line) name(f field) {
	if l.buf[len(l.buf)-1] != '{' {
		l.buf = append(l.buf, ',')
	}
	l.buf = append(l.buf, '"')
	l.buf = append(l.buf, f.String()...)
	l.buf = append(l.buf, `":`...)
}

func (l *line) text(f field, t Text) {
	l.name(f)
	if !t.IsChat() {
		l.quote(f, t.Plain)
		return
	}
	for i, m := range t.Messages {
		open := `,{"role":`
		if i == 0 {
			open = `[{"role":`
		}
		l.buf = append(l.buf, open...)
		l.quote(f, m.Role)
		l.buf = append(l.buf, `,"content":`...)
		l.quote(f, m.Content)
		l.buf = append(l.buf, '}')
	}
	l.buf = append(l.buf, ']')
}

func (l *line) quote(f field, s string) {
	var err error
	if l.buf, err = jsontext.AppendQuote(l.buf, s); err != nil && l.err == nil {
		l.err = fail(InvalidUTF8, f.String(), "").at(l.at)
	}
}

// number writes the shortest literal that reads back as the same number. Resolve lets no non-finite number through but
// minus infinity.
func (l *line) number(f field, x float64) {
	l.name(f)
	if math.IsInf(x, -1) {
		l.buf = append(l.buf, `"-Infinity"`...)
		return
	}
	l.buf = strconv.AppendFloat(l.buf, x, 'g', -1, 64)
}
