package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// headers walks over the pages of a column in a row group ahead of the decoder, so that no page is decoded whose header
// asks for more memory than is allowed.
type headers struct {
	in      io.ReaderAt
	at, end int64
	max     int // bytes of a page, and of its values' levels
	buf     []byte
}

// errTooLarge is the error of a page beyond the limit.
var errTooLarge = errors.New("page too large")

const (
	firstPeek = 512     // where most headers end
	lastPeek  = 1 << 20 // a header holds the least and the greatest value at most
)

// next looks at the headers up to that of the next data page, and passes over it. At the end it returns nil: that there is
// no further page the decoder finds out itself.
func (h *headers) next() error {
	for h.at < h.end {
		header, length, err := h.peek()
		if err != nil {
			return err
		}
		if err := h.check(&header, h.end-h.at-length); err != nil {
			return err
		}
		h.at += length + int64(header.CompressedPageSize)
		if header.Type != format.DictionaryPage {
			return nil
		}
	}
	return nil
}

// peek decodes the header at h.at and returns its length.
func (h *headers) peek() (header format.PageHeader, length int64, err error) {
	for n := int64(firstPeek); ; n *= 8 {
		h.buf = append(h.buf[:0], make([]byte, min(n, h.end-h.at))...)
		got, err := h.in.ReadAt(h.buf, h.at)
		if got < len(h.buf) {
			return header, 0, err
		}
		used, err := structLen(h.buf)
		if errors.Is(err, errShort) && n < min(lastPeek, h.end-h.at) {
			continue
		}
		if err == nil {
			err = thrift.Unmarshal(new(thrift.CompactProtocol), h.buf[:used], &header)
		}
		if err != nil {
			return header, 0, fmt.Errorf("the header of a page at byte %d: %w", h.at, err)
		}
		return header, int64(used), nil
	}
}

// check holds a header against the rest of the column and the limit.
func (h *headers) check(header *format.PageHeader, rest int64) error {
	values := int32(0)
	switch {
	case header.DataPageHeader.Valid:
		values = header.DataPageHeader.V.NumValues
	case header.DataPageHeaderV2.Valid:
		values = header.DataPageHeaderV2.V.NumValues
	case header.DictionaryPageHeader.Valid:
		values = header.DictionaryPageHeader.V.NumValues
	}
	switch packed, size := header.CompressedPageSize, header.UncompressedPageSize; {
	case packed < 0 || size < 0 || values < 0 || int64(packed) > rest:
		return fmt.Errorf("a page of %d bytes, unpacked %d, with %d values, at byte %d, where the column has %d bytes left", packed, size, values, h.at, rest)
	case int(size) > h.max || int(values) > h.max:
		return fmt.Errorf("%w: %d bytes, %d values; Reader.MaxPage is %d", errTooLarge, size, values, h.max)
	}
	return nil
}
