package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

// maxHeader bounds the header, as the reference implementation does.
const maxHeader = 100 << 20

// Info is what the header says of a tensor.
type Info struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // begin and end, from the end of the header
}

// File is an open file. It is safe for concurrent use.
type File struct {
	file    *os.File
	data    int64 // where the tensors begin
	tensors map[string]Info
}

// Open reads the header of a file and checks that the tensors lie within it.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := readHeader(file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return f, nil
}

func readHeader(file *os.File) (*File, error) {
	stat, err := file.Stat()
	if err != nil {
		return nil, err
	}
	var length [8]byte
	if _, err := io.ReadFull(file, length[:]); err != nil {
		return nil, fmt.Errorf("no header: %w", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader || int64(n) > stat.Size()-8 {
		return nil, fmt.Errorf("a header of %d bytes in a file of %d", n, stat.Size())
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(file, header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(header, &raw); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	f := &File{file: file, data: 8 + int64(n), tensors: map[string]Info{}}
	for name, text := range raw {
		if name == "__metadata__" {
			continue
		}
		var info Info
		if err := json.Unmarshal(text, &info); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if err := info.check(stat.Size() - f.data); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		f.tensors[name] = info
	}
	return f, nil
}

// bytesPer gives the size of a number of the types that can be read.
var bytesPer = map[string]int64{"F64": 8, "F32": 4, "F16": 2, "BF16": 2}

func (i Info) check(available int64) error {
	if i.Offsets[0] < 0 || i.Offsets[0] > i.Offsets[1] || i.Offsets[1] > available {
		return fmt.Errorf("data_offsets %v in %d bytes", i.Offsets, available)
	}
	n := int64(1)
	for _, d := range i.Shape {
		if d < 0 || d > 0 && n > available/int64(d) {
			return fmt.Errorf("shape %v in %d bytes", i.Shape, available)
		}
		n *= int64(d)
	}
	if size, known := bytesPer[i.DType]; known && n*size != i.Offsets[1]-i.Offsets[0] {
		return fmt.Errorf("shape %v of %s in %d bytes", i.Shape, i.DType, i.Offsets[1]-i.Offsets[0])
	}
	return nil
}

// Names returns the names of the tensors in order.
func (f *File) Names() []string {
	var names []string
	for name := range f.tensors {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Lookup returns what the header says of a tensor.
func (f *File) Lookup(name string) (Info, bool) {
	info, ok := f.tensors[name]
	return info, ok
}

// Read returns the numbers of a tensor of the given shape as float32. Another shape, and
// a type that is none of floating-point numbers, is an error.
func (f *File) Read(name string, shape []int) ([]float32, error) {
	info, ok := f.tensors[name]
	if !ok {
		return nil, fmt.Errorf("no tensor %q", name)
	}
	if !slices.Equal(info.Shape, shape) {
		return nil, fmt.Errorf("tensor %q has shape %v, not %v", name, info.Shape, shape)
	}
	size, known := bytesPer[info.DType]
	if !known {
		return nil, fmt.Errorf("tensor %q is of type %s", name, info.DType)
	}
	b := make([]byte, info.Offsets[1]-info.Offsets[0])
	if _, err := f.file.ReadAt(b, f.data+info.Offsets[0]); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	v := make([]float32, int64(len(b))/size)
	for i := range v {
		at := b[int64(i)*size:]
		switch info.DType {
		case "F64":
			v[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(at)))
		case "F32":
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(at))
		case "BF16":
			v[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(at)) << 16)
		case "F16":
			v[i] = half(binary.LittleEndian.Uint16(at))
		}
	}
	return v, nil
}

// half widens a float16.
func half(h uint16) float32 {
	sign, exp, frac := float64(1), int(h>>10&31), float64(h&1023)
	if h>>15 == 1 {
		sign = -1
	}
	switch exp {
	case 0:
		return float32(sign * math.Ldexp(frac, -24))
	case 31:
		if frac != 0 {
			return float32(math.NaN())
		}
		return float32(math.Inf(int(sign)))
	}
	return float32(sign * math.Ldexp(1024+frac, exp-25))
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }
