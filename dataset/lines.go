package dataset

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"strings"
)

// lineReader cuts a stream into lines, in memory bounded by its buffer and the longest line that is allowed.
type lineReader struct {
	in   *bufio.Reader
	max  int
	long []byte // a line that does not fit into the buffer of in
	at   Position
}

const bufferSize = 128 << 10

// newLineReader looks at the first bytes to tell gzip from text, and skips a byte order mark.
func newLineReader(r io.Reader, name string, maxLine int) (*lineReader, *Error) {
	l := &lineReader{in: bufio.NewReaderSize(r, bufferSize), max: maxLine, at: Position{File: name}}
	magic, err := l.in.Peek(1)
	switch {
	case err == nil && magic[0] == 0x1f: // gzip; no JSON text begins so
		z, err := gzip.NewReader(l.in)
		if err != nil {
			return nil, l.broken(err)
		}
		l.in = bufio.NewReaderSize(z, bufferSize)
	case err == io.EOF && strings.HasSuffix(name, ".gz"):
		return nil, l.broken(io.ErrUnexpectedEOF) // not even a header
	}
	bom, err := l.in.Peek(3)
	if err != nil && err != io.EOF {
		return nil, l.broken(err)
	}
	if string(bom) == "\uFEFF" {
		l.in.Discard(len(bom)) // cannot fail after Peek
	}
	return l, nil
}

// next returns the next line without its end, valid until the next call. At the end of the stream it returns io.EOF.
// After an error of kind LineTooLong the next line can be read; after any other it is over.
func (l *lineReader) next() ([]byte, error) {
	l.at.Line++
	line, err := l.in.ReadSlice('\n')
	if err == nil && len(line) <= l.max+1 {
		return line[:len(line)-1], nil
	}
	l.long = l.long[:0]
	tooLong := false
	for {
		tooLong = tooLong || len(l.long)+len(bytes.TrimSuffix(line, []byte("\n"))) > l.max
		if !tooLong {
			l.long = append(l.long, line...)
		}
		if err != bufio.ErrBufferFull {
			break
		}
		line, err = l.in.ReadSlice('\n')
	}
	switch {
	case err != nil && err != io.EOF:
		return nil, l.broken(err)
	case tooLong:
		return nil, fail(LineTooLong, "", "").at(l.at)
	case err == io.EOF && len(l.long) == 0:
		return nil, io.EOF
	}
	return bytes.TrimSuffix(l.long, []byte("\n")), nil
}

// broken says what an error of the stream means.
func (l *lineReader) broken(err error) *Error {
	kind := ReadFailed
	var damaged flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		kind = Truncated
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &damaged):
		kind = Corrupt
	}
	return (&Error{Kind: kind, Err: err}).at(l.at)
}
