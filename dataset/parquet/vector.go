package parquet

import (
	"errors"

	"github.com/parquet-go/parquet-go/encoding"
)

// vector holds the values of a page or of a dictionary, nulls left out: one of texts, numbers and truth values.
type vector struct {
	data    []byte   // text i is data[ends[i]:ends[i+1]]
	ends    []uint32 // one more than there are texts
	numbers []float64
	bits    []byte // truth value i is bit i%8 of bits[i/8]

	unsigned bool // how to read integers; stays as it is
}

var errValues = errors.New("fewer values than the page announces")

// set takes over n values, which must outlive the vector, numbers apart. What it accepts can be read without a fault.
func (v *vector) set(values encoding.Values, n int) error {
	v.data, v.ends, v.bits, v.numbers = nil, nil, nil, v.numbers[:0]
	if n == 0 {
		return nil
	}
	have := 0
	switch values.Kind() {
	case encoding.ByteArray:
		v.data, v.ends = values.ByteArray()
		for i := range min(n, len(v.ends)-1) {
			if v.ends[i] > v.ends[i+1] || int64(v.ends[i+1]) > int64(len(v.data)) {
				return errValues
			}
		}
		have = len(v.ends) - 1
	case encoding.Boolean:
		v.bits = values.Boolean()
		have = 8 * len(v.bits)
	case encoding.Int32:
		if v.unsigned {
			have = widen(v, values.Uint32())
		} else {
			have = widen(v, values.Int32())
		}
	case encoding.Int64:
		if v.unsigned {
			have = widen(v, values.Uint64())
		} else {
			have = widen(v, values.Int64())
		}
	case encoding.Float:
		have = widen(v, values.Float())
	case encoding.Double:
		have = widen(v, values.Double())
	}
	if have < n {
		return errValues
	}
	return nil
}

func widen[N int32 | uint32 | int64 | uint64 | float32 | float64](v *vector, values []N) int {
	for _, x := range values {
		v.numbers = append(v.numbers, float64(x))
	}
	return len(values)
}

func (v *vector) text(i int) []byte { return v.data[v.ends[i]:v.ends[i+1]] }

func (v *vector) truth(i int) bool { return v.bits[i/8]>>(i%8)&1 != 0 }
