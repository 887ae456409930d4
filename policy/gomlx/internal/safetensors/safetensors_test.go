package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy/gomlx/internal/safetensors"
)

// file writes a file with the given header and data.
func file(t testing.TB, header string, data []byte) string {
	t.Helper()
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	path := filepath.Join(t.TempDir(), "x.safetensors")
	require.NoError(t, os.WriteFile(path, append(append(b, header...), data...), 0o600))
	return path
}

func tensor(name string, shape []int, v ...float32) safetensors.Tensor {
	return safetensors.Tensor{Name: name, Shape: shape, Value: func() ([]float32, error) { return v, nil }}
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	nan := float32(math.NaN())
	require.NoError(t, safetensors.WriteFile(path, []safetensors.Tensor{
		tensor("b", []int{2, 2}, 1, -2, 3.5, nan), tensor("a", []int{0}), tensor("scalar", []int{}, 7),
	}))
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, []string{"a", "b", "scalar"}, f.Names())
	v, err := f.Read("b", []int{2, 2})
	require.NoError(t, err)
	assert.Equal(t, []float32{1, -2, 3.5}, v[:3])
	assert.True(t, math.IsNaN(float64(v[3])))
	v, err = f.Read("scalar", []int{})
	require.NoError(t, err)
	assert.Equal(t, []float32{7}, v)
	_, err = f.Read("b", []int{4})
	assert.ErrorContains(t, err, `"b" has shape [2 2], not [4]`)
	_, err = f.Read("c", nil)
	assert.ErrorContains(t, err, `no tensor "c"`)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, left, 1, "no temporary file stays")
}

func TestTypes(t *testing.T) {
	for _, c := range []struct {
		dtype string
		data  []byte
		want  []float32
	}{
		{"F64", binary.LittleEndian.AppendUint64(nil, math.Float64bits(-0.1)), []float32{-0.1}},
		{"BF16", []byte{0x80, 0x3f, 0x49, 0xc0}, []float32{1, -3.140625}},
		{"F16", []byte{0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0xff, 0x7b, 0x00, 0xfc, 0x00, 0x04, 0x55, 0x35}, []float32{
			1, -2, 0x1p-24, 65504, float32(math.Inf(-1)), 0x1p-14, 0.333251953125,
		}},
	} {
		t.Run(c.dtype, func(t *testing.T) {
			header := map[int]string{1: "[1]", 2: "[2]", 7: "[7]"}[len(c.want)]
			path := file(t, `{"x":{"dtype":"`+c.dtype+`","shape":`+header+`,"data_offsets":[0,`+map[int]string{8: "8", 4: "4", 14: "14"}[len(c.data)]+`]}}`, c.data)
			f, err := safetensors.Open(path)
			require.NoError(t, err)
			defer f.Close()
			got, err := f.Read("x", []int{len(c.want)})
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
	path := file(t, `{"x":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`, make([]byte, 8))
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Read("x", []int{1})
	assert.ErrorContains(t, err, "of type I64")
}

func TestBadFiles(t *testing.T) {
	for name, header := range map[string]string{
		"beyond the end":   `{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`,
		"backwards":        `{"x":{"dtype":"F32","shape":[0],"data_offsets":[4,0]}}`,
		"negative":         `{"x":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`,
		"another size":     `{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`,
		"negative shape":   `{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`,
		"overflow":         `{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`,
		"not an object":    `[]`,
		"not JSON":         `{`,
		"tensor is a text": `{"x":"y"}`,
	} {
		_, err := safetensors.Open(file(t, header, make([]byte, 4)))
		assert.Error(t, err, name)
	}
	for name, data := range map[string][]byte{"empty": nil, "short": {1, 2}, "long header": {255, 0, 0, 0, 0, 0, 0, 0, '{', '}'}, "huge": bytes.Repeat([]byte{255}, 20)} {
		path := filepath.Join(t.TempDir(), "x")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		_, err := safetensors.Open(path)
		assert.Error(t, err, name)
	}
	assert.Error(t, safetensors.Write(&bytes.Buffer{}, []safetensors.Tensor{tensor("a", []int{2}, 1)}))
	assert.Error(t, safetensors.Write(&bytes.Buffer{}, []safetensors.Tensor{tensor("a", []int{1}, 1), tensor("a", []int{1}, 1)}))
	path := filepath.Join(t.TempDir(), "x")
	assert.Error(t, safetensors.WriteFile(path, []safetensors.Tensor{tensor("a", []int{2}, 1)}))
	assert.NoFileExists(t, path)
}

// FuzzOpen checks that no header makes the reader panic or read outside the file.
func FuzzOpen(f *testing.F) {
	f.Add(`{"x":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}`, []byte{1, 2, 3, 4})
	f.Add(`{"__metadata__":{"format":"pt"},"x":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, []byte{1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, header string, data []byte) {
		s, err := safetensors.Open(file(t, header, data))
		if err != nil {
			return
		}
		defer s.Close()
		for _, name := range s.Names() {
			info, ok := s.Lookup(name)
			require.True(t, ok)
			v, err := s.Read(name, info.Shape)
			if err == nil {
				assert.LessOrEqual(t, 2*len(v), len(data))
			}
		}
	})
}
