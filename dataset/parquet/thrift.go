package parquet

import (
	"encoding/binary"
	"errors"
)

// The footer of a file and the headers of its pages are structures in Thrift's compact protocol. A decoder allocates
// what a length in them announces; a damaged length can ask for more memory than there is, which no program survives.
// So every structure is walked first, and each length held against the bytes that are there.

var (
	errShort  = errors.New("the structure is longer than its place")
	errThrift = errors.New("not a Thrift structure")
)

// structLen returns how many bytes of b the structure takes that b begins with.
func structLen(b []byte) (int, error) {
	w := walker{b: b}
	if err := w.object(0); err != nil {
		return 0, err
	}
	return len(b) - len(w.b), nil
}

// walker passes over values; b is what is left.
type walker struct{ b []byte }

const maxThriftDepth = 32

// Types of the compact protocol.
const (
	typeTrue = iota + 1
	typeFalse
	typeByte
	typeInt16
	typeInt32
	typeInt64
	typeDouble
	typeBinary
	typeList
	typeSet
	typeMap
	typeStruct
	typeUUID
)

func (w *walker) object(depth int) error {
	for {
		head, err := w.byte()
		if err != nil || head == 0 {
			return err
		}
		if head>>4 == 0 { // the number of the field follows
			if _, err := w.varint(); err != nil {
				return err
			}
		}
		if kind := head & 15; kind != typeTrue && kind != typeFalse { // whose value is in the type
			if err := w.value(kind, depth); err != nil {
				return err
			}
		}
	}
}

// value passes over one value; a truth value in a list is a byte.
func (w *walker) value(kind byte, depth int) error {
	if depth > maxThriftDepth {
		return errThrift
	}
	switch kind {
	case typeTrue, typeFalse, typeByte:
		return w.skip(1)
	case typeInt16, typeInt32, typeInt64:
		_, err := w.varint()
		return err
	case typeDouble:
		return w.skip(8)
	case typeUUID:
		return w.skip(16)
	case typeBinary:
		n, err := w.varint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case typeList, typeSet:
		head, err := w.byte()
		if err != nil {
			return err
		}
		n := uint64(head >> 4)
		if n == 15 {
			if n, err = w.varint(); err != nil {
				return err
			}
		}
		return w.values(n, depth, head&15)
	case typeMap:
		n, err := w.varint()
		if err != nil || n == 0 {
			return err
		}
		kinds, err := w.byte()
		if err != nil {
			return err
		}
		return w.values(n, depth, kinds>>4, kinds&15)
	case typeStruct:
		return w.object(depth + 1)
	}
	return errThrift
}

// values passes over n times one value of each kind; each takes a byte at least.
func (w *walker) values(n uint64, depth int, kinds ...byte) error {
	if n > uint64(len(w.b)) {
		return errShort
	}
	for range n {
		for _, kind := range kinds {
			if err := w.value(kind, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walker) byte() (byte, error) {
	if len(w.b) == 0 {
		return 0, errShort
	}
	c := w.b[0]
	w.b = w.b[1:]
	return c, nil
}

func (w *walker) varint() (uint64, error) {
	x, n := binary.Uvarint(w.b)
	switch {
	case n == 0:
		return 0, errShort
	case n < 0:
		return 0, errThrift
	}
	w.b = w.b[n:]
	return x, nil
}

func (w *walker) skip(n uint64) error {
	if n > uint64(len(w.b)) {
		return errShort
	}
	w.b = w.b[n:]
	return nil
}
