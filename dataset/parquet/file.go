package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
	"github.com/prefgrad/prefgrad/dataset"
)

// file is an open Parquet file.
type file struct {
	*parquet.File
	in *source
}

// source is where a file is read from. It remembers the error of reading, to tell a bad disk from a bad file.
type source struct {
	r    io.ReaderAt
	size int64
	err  error
}

func (s *source) ReadAt(b []byte, at int64) (int, error) {
	n, err := s.r.ReadAt(b, at)
	if err != nil && err != io.EOF && s.err == nil {
		s.err = err
	}
	return n, err
}

const magic = "PAR1"

// open reads the footer of a file. The error is a *dataset.Error without a position.
func open(r io.ReaderAt, size int64) (*file, *dataset.Error) {
	in := &source{r: r, size: size}
	if err := checkFooter(in); err != nil {
		return nil, in.broken(err)
	}
	var f *parquet.File
	err := guard(func() (err error) {
		f, err = parquet.OpenFile(in, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(readBuffer))
		return err
	})
	if err != nil {
		return nil, in.broken(err)
	}
	return &file{f, in}, nil
}

// readBuffer is what is read at a time of each column, in bytes.
const readBuffer = 128 << 10

// checkFooter tells a file that was cut off, and what is no Parquet file, from a damaged one.
func checkFooter(in *source) error {
	head, tail := make([]byte, 4), make([]byte, 8)
	if in.size < int64(len(head)+len(tail)) {
		return truncated(fmt.Errorf("%d bytes are too few for a Parquet file", in.size))
	}
	if err := readFull(in, head, 0); err != nil {
		return err
	}
	if err := readFull(in, tail, in.size-int64(len(tail))); err != nil {
		return err
	}
	length, end := int64(binary.LittleEndian.Uint32(tail)), tail[4:]
	switch {
	case string(head) == "PARE" || string(end) == "PARE":
		return fmt.Errorf("%w: the file is encrypted", errors.ErrUnsupported)
	case string(head) != magic:
		return fmt.Errorf("not a Parquet file: it begins with %q", head)
	case string(end) != magic:
		return truncated(errors.New("the file ends before its footer"))
	case length > in.size-int64(len(head)+len(tail)) || length > math.MaxInt32:
		return fmt.Errorf("a footer of %d bytes in a file of %d", length, in.size)
	}
	footer := make([]byte, length)
	if err := readFull(in, footer, in.size-int64(len(tail))-length); err != nil {
		return err
	}
	if _, err := structLen(footer); err != nil {
		return fmt.Errorf("the footer: %w", err)
	}
	return nil
}

func readFull(in *source, b []byte, at int64) error {
	n, err := in.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	return err
}

func truncated(err error) error { return &dataset.Error{Kind: dataset.Truncated, Err: err} }

// broken says what an error of reading means.
func (in *source) broken(err error) *dataset.Error {
	var known *dataset.Error
	switch {
	case in.err != nil:
		return &dataset.Error{Kind: dataset.ReadFailed, Err: in.err}
	case errors.As(err, &known):
		return known
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, errTooLarge):
		return &dataset.Error{Kind: dataset.ReadFailed, Err: err}
	}
	return &dataset.Error{Kind: dataset.Corrupt, Err: err}
}

// guard runs f, which reads what may be damaged, and returns as an error what a panic says.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("beyond decoding: %v", r)
		}
	}()
	return f()
}

// chunk returns where the pages of a column lie in a row group, dictionary included, after a look that they lie in the
// file and that their compression is one that can be relied on.
func (f *file) chunk(group, column int) (from, length int64, err error) {
	m := &f.Metadata().RowGroups[group].Columns[column].MetaData
	switch m.Codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd:
	default: // the decoder may return, for a page in LZ4, what another page left behind
		return 0, 0, fmt.Errorf("%w: compression %v", errors.ErrUnsupported, m.Codec)
	}
	from, length = m.DataPageOffset, m.TotalCompressedSize
	if m.DictionaryPageOffset != 0 {
		from = m.DictionaryPageOffset
	}
	if from < int64(len(magic)) || length < 0 || from > f.in.size || length > f.in.size-from {
		return 0, 0, fmt.Errorf("column %s of row group %d lies outside the file", strings.Join(m.PathInSchema, "."), group)
	}
	return from, length, nil
}
