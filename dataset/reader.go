package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

// DefaultMaxLine is the longest line that a [Reader] accepts by default, in bytes: 16 MiB.
const DefaultMaxLine = 16 << 20

// Reader reads records of one type from JSONL. The zero value is ready; it holds no state, so that one Reader serves any
// number of goroutines.
type Reader[T Record] struct {
	// MaxLine is the longest line accepted, in bytes after decompression, the line's end not counted. Memory is bounded
	// by it. 0 means DefaultMaxLine; a negative value is an error.
	MaxLine int
}

// Pairs reads preference pairs, as Open[Pair] does:
//
//	for p, err := range dataset.Pairs("train.jsonl.gz") { … }
func Pairs(paths ...string) iter.Seq2[Pair, error] { return Open[Pair](paths...) }

// Open reads records from files, one after another, by a [Reader] with default settings.
func Open[T Record](paths ...string) iter.Seq2[T, error] { return Reader[T]{}.Open(paths...) }

// Read reads records from r by a [Reader] with default settings.
func Read[T Record](r io.Reader, name string) iter.Seq2[T, error] { return Reader[T]{}.Read(r, name) }

// Open returns the records of the files, in order. Each range over the sequence opens the files anew.
//
// Every error is an [*Error]. After an error the sequence goes on with the next line, or, where the file cannot be read
// any further (the kinds [Truncated], [Corrupt] and [ReadFailed]), with the next file: whoever wants to stop at an error
// leaves the loop. The record beside an error is the zero value. See [Usable] for the usual policy.
func (rd Reader[T]) Open(paths ...string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, path := range paths {
			if !rd.file(path, yield) {
				return
			}
		}
	}
}

// file reads one file; it reports whether to go on with the next one.
func (rd Reader[T]) file(path string, yield func(T, error) bool) bool {
	f, err := os.Open(path)
	if err != nil {
		var none T
		return yield(none, &Error{File: path, Kind: ReadFailed, Err: errors.Unwrap(err)})
	}
	defer f.Close() // only read: nothing is lost if this fails
	return rd.stream(f, path, yield)
}

// Read returns the records of one stream, under a name for messages. It is as Open is, but can be ranged over only once.
// It panics if r is nil.
func (rd Reader[T]) Read(r io.Reader, name string) iter.Seq2[T, error] {
	if r == nil {
		panic("dataset: nil io.Reader")
	}
	return func(yield func(T, error) bool) { rd.stream(r, name, yield) }
}

func (rd Reader[T]) stream(r io.Reader, name string, yield func(T, error) bool) bool {
	var none, record T
	if rd.MaxLine < 0 {
		return yield(none, &Error{File: name, Kind: ReadFailed, Err: fmt.Errorf("Reader.MaxLine is %d, must not be negative", rd.MaxLine)})
	}
	maxLine := rd.MaxLine
	if maxLine == 0 {
		maxLine = DefaultMaxLine
	}
	lines, broken := newLineReader(r, name, maxLine)
	if broken != nil {
		return yield(none, broken)
	}
	var (
		dst = any(&record).(source)
		dec decoder
		val values
	)
	for {
		line, err := lines.next()
		switch {
		case err == io.EOF:
			return true
		case errors.Is(err, LineTooLong):
			if !yield(none, err) {
				return false
			}
			continue
		case err != nil:
			return yield(none, err)
		case len(bytes.TrimSpace(line)) == 0:
			continue
		}
		bad := dec.line(line, dst.wanted(), &val)
		if bad == nil {
			bad = dst.load(&val, lines.at)
		}
		if bad != nil {
			if !yield(none, bad.at(lines.at)) {
				return false
			}
			continue
		}
		if !yield(record, nil) {
			return false
		}
	}
}
