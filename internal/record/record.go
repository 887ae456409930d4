// Package record writes and reads what the library stores: a kind, a format version,
// byte sections, and a checksum over all of it.
//
// The layout, little-endian: "PFGR", uint16 length of the kind, the kind, uint32
// version, uint32 number of sections, for each a uint64 length and its bytes, and at
// the end the CRC-32C of everything before.
package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

const magic = "PFGR"

// ErrChecksum says that the bytes are not those that were written.
var ErrChecksum = errors.New("checksum does not match")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Write writes one record.
func Write(w io.Writer, kind string, version uint32, sections ...[]byte) error {
	var b bytes.Buffer
	b.WriteString(magic)
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) } // a Buffer does not fail
	put(uint16(len(kind)))
	b.WriteString(kind)
	put(version)
	put(uint32(len(sections)))
	for _, s := range sections {
		put(uint64(len(s)))
		b.Write(s)
	}
	put(crc32.Checksum(b.Bytes(), castagnoli))
	_, err := w.Write(b.Bytes())
	return err
}

// Read reads the one record that Write wrote and returns its sections. Another kind,
// another version, a truncated record or a wrong checksum is an error.
func Read(r io.Reader, kind string, version uint32) ([][]byte, error) {
	seen := crc32.New(castagnoli)
	in := io.TeeReader(r, seen)
	fail := func(err error) ([][]byte, error) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("reading a %q record: %w", kind, err)
	}
	take := func(n uint64) ([]byte, error) {
		if n > math.MaxInt32*64 {
			return nil, fmt.Errorf("section of %d bytes", n)
		}
		var b bytes.Buffer // grows with what is really there, not with a claimed length
		_, err := io.CopyN(&b, in, int64(n))
		return b.Bytes(), err
	}
	u := func(size int) (uint64, error) {
		b, err := take(uint64(size))
		if err != nil {
			return 0, err
		}
		var v [8]byte
		copy(v[:], b)
		return binary.LittleEndian.Uint64(v[:]), nil
	}
	m, err := take(uint64(len(magic)))
	if err != nil {
		return fail(err)
	}
	if string(m) != magic {
		return fail(fmt.Errorf("not a record: it begins with %q", m))
	}
	n, err := u(2)
	if err != nil {
		return fail(err)
	}
	k, err := take(n)
	if err != nil {
		return fail(err)
	}
	if string(k) != kind {
		return fail(fmt.Errorf("the record is a %q", k))
	}
	v, err := u(4)
	if err != nil {
		return fail(err)
	}
	if uint32(v) != version {
		return fail(fmt.Errorf("format version %d, this program reads %d", v, version))
	}
	count, err := u(4)
	if err != nil {
		return fail(err)
	}
	var sections [][]byte
	for range count {
		size, err := u(8)
		if err != nil {
			return fail(err)
		}
		s, err := take(size)
		if err != nil {
			return fail(err)
		}
		sections = append(sections, s)
	}
	want := seen.Sum32()
	sum, err := u(4)
	if err != nil {
		return fail(err)
	}
	if uint32(sum) != want {
		return fail(ErrChecksum)
	}
	return sections, nil
}

// Floats encodes x, bits preserved.
func Floats(x []float64) []byte {
	b := make([]byte, 0, 8*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// Uints encodes x, for sizes and counters.
func Uints(x ...uint64) []byte {
	b := make([]byte, 0, 8*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// PutUints decodes what Uints encoded into dst; the lengths must agree.
func PutUints(dst []uint64, b []byte) error {
	if len(b) != 8*len(dst) {
		return fmt.Errorf("%d bytes for %d numbers", len(b), len(dst))
	}
	for i := range dst {
		dst[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return nil
}

// PutFloats decodes what Floats encoded into dst; the lengths must agree.
func PutFloats(dst []float64, b []byte) error {
	if len(b) != 8*len(dst) {
		return fmt.Errorf("%d bytes for %d numbers", len(b), len(dst))
	}
	for i := range dst {
		dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return nil
}
