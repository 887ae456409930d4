package safetensors

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
)

// Tensor is a tensor to write.
type Tensor struct {
	Name  string
	Shape []int
	Value func() ([]float32, error) // called once, when its turn comes
}

// WriteFile writes tensors in float32, in their order. The file appears under its name
// only when it is complete.
func WriteFile(path string, ts []Tensor) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = Write(file, ts)
	err = errors.Join(err, file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// Write writes tensors in float32, in their order.
func Write(w io.Writer, ts []Tensor) error {
	header := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	end := int64(0)
	for _, t := range ts {
		begin, n := end, int64(1)
		for _, d := range t.Shape {
			n *= int64(d)
		}
		end += 4 * n
		if _, twice := header[t.Name]; twice {
			return fmt.Errorf("two tensors %q", t.Name)
		}
		header[t.Name] = Info{"F32", t.Shape, [2]int64{begin, end}}
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(text)%8 != 0 { // keeps the tensors aligned
		text = append(text, ' ')
	}
	out := bufio.NewWriter(w)
	put := func(b []byte) {
		if err == nil {
			_, err = out.Write(b)
		}
	}
	put(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
	put(text)
	for _, t := range ts {
		if err != nil {
			return err
		}
		v, err := t.Value()
		if err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		info := header[t.Name].(Info)
		if size := info.Offsets[1] - info.Offsets[0]; int64(len(v))*4 != size {
			return fmt.Errorf("tensor %q: %d numbers for shape %v", t.Name, len(v), t.Shape)
		}
		put(encode(v))
	}
	return errors.Join(err, out.Flush())
}

func encode(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}
