package gomlx

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/prefgrad/prefgrad/internal/record"
)

// writeState writes an optimizer's state as one record: the description, then each
// tensor of each of the weights.
func writeState(w io.Writer, s state, all ...*weights) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("gomlx: %w", err)
	}
	sections := [][]byte{text}
	for _, w := range all {
		for i := range w.specs {
			v, err := w.read(i)
			if err != nil {
				return err
			}
			b := make([]byte, 0, 4*len(v))
			for _, x := range v {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
			}
			sections = append(sections, b)
		}
	}
	return record.Write(w, adamKind, version, sections...)
}

// readState reads what writeState wrote of parameters and two moments: the description,
// and a function for the numbers of tensor i.
func readState(r io.Reader, specs []spec) (text []byte, values func(i int) ([]float32, error), err error) {
	sections, err := record.Read(r, adamKind, version)
	if err != nil {
		return nil, nil, fmt.Errorf("gomlx: %w", err)
	}
	if len(sections) != 1+3*len(specs) {
		return nil, nil, fmt.Errorf("gomlx: a %q record of %d sections, not %d", adamKind, len(sections), 1+3*len(specs))
	}
	tensors := sections[1:]
	for i, b := range tensors {
		if s := specs[i%len(specs)]; len(b) != 4*s.size() {
			return nil, nil, fmt.Errorf("gomlx: %d bytes for %s of shape %v", len(b), s.name, s.dims)
		}
	}
	return sections[0], func(i int) ([]float32, error) {
		v := make([]float32, len(tensors[i])/4)
		for j := range v {
			v[j] = math.Float32frombits(binary.LittleEndian.Uint32(tensors[i][4*j:]))
		}
		return v, nil
	}, nil
}
