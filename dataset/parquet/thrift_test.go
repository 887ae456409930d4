package parquet

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStructLen: of every footer the length is right, and no beginning of it passes for the whole.
func TestStructLen(t *testing.T) {
	files, err := filepath.Glob("testdata/*.parquet")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		n := int(binary.LittleEndian.Uint32(data[len(data)-8:]))
		footer := data[len(data)-8-n : len(data)-8]
		got, err := structLen(append(bytes.Clone(footer), "more"...))
		require.NoError(t, err)
		require.Equal(t, n, got)
		for i := 0; i < n; i += 1 + n/50 {
			_, err := structLen(footer[:i])
			require.ErrorIs(t, err, errShort)
		}
	}
}

func TestStructLenRefuses(t *testing.T) {
	many := []byte{0xff, 0xff, 0xff, 0xff, 0x07} // 2³¹ − 1
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"a long string", append([]byte{0x10 | typeBinary}, many...), errShort},
		{"a long list", append([]byte{0x10 | typeList, 0xf0 | typeStruct}, many...), errShort},
		{"a long map", append(append([]byte{0x10 | typeMap}, many...), typeByte<<4|typeByte), errShort},
		{"a list of a short one", []byte{0x10 | typeList, 0x30 | typeByte, 1, 2}, errShort},
		{"an unknown type", []byte{0x1e, 0}, errThrift},
		{"a number without end", append([]byte{0x10 | typeInt64}, bytes.Repeat([]byte{0xff}, 11)...), errThrift},
		{"too deep", bytes.Repeat([]byte{0x10 | typeStruct}, 1000), errThrift},
		{"lists too deep", append([]byte{0x10 | typeList}, bytes.Repeat([]byte{0x10 | typeList}, 1000)...), errThrift},
	} {
		_, err := structLen(c.b)
		assert.ErrorIs(t, err, c.want, c.name)
	}
	whole := []byte{0x10 | typeTrue, 0x10 | typeDouble, 1, 2, 3, 4, 5, 6, 7, 8, 0x10 | typeMap, 0, 0x10 | typeUUID, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
		typeByte, 0x80, 0x02, 9, 0x10 | typeMap, 1, typeFalse<<4 | typeInt16, 1, 0x7f, 0x10 | typeSet, 0x10 | typeTrue, 1, 0}
	n, err := structLen(whole)
	require.NoError(t, err)
	assert.Equal(t, len(whole), n)
}
