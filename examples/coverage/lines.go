package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

const maxLine = 16 << 20 // bytes

// eachLine calls f with every line of a file that is not blank, plain or gzip; "-" is
// standard input. The line is valid during the call. An error of f comes back with file and
// line, unless it is a lineError and skip is there to take it.
func eachLine(ctx context.Context, path string, stdin io.Reader, f func(line []byte) error, skip func()) error {
	in, name := stdin, "standard input"
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close() // only read: nothing is lost if this fails
		in, name = file, path
	}
	n := 0
	fail := func(err error) error { return fmt.Errorf("%s:%d: %w", name, n, err) }
	text, err := plain(in)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	lines := bufio.NewScanner(text)
	lines.Buffer(make([]byte, 128<<10), maxLine)
	for lines.Scan() {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := f(lines.Bytes()); err != nil {
			if e := (*lineError)(nil); skip == nil || !errors.As(err, &e) {
				return fail(err)
			}
			skip()
		}
	}
	n++
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fail(fmt.Errorf("a line of more than %d bytes", maxLine))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fail(errors.New("the gzip stream ends early"))
	case err != nil:
		return fail(err)
	}
	return nil
}

// plain undoes gzip, which is told from text by content, and skips a byte order mark.
func plain(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 128<<10)
	if magic, _ := in.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		in = bufio.NewReaderSize(z, 128<<10)
	}
	if bom, _ := in.Peek(3); string(bom) == "\uFEFF" {
		in.Discard(len(bom)) // cannot fail after Peek
	}
	return in, nil // an error of Peek comes again with the first read
}
