package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t testing.TB, kind string, version uint32, sections ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Write(&b, kind, version, sections...))
	return b.Bytes()
}

func sample(t testing.TB) []byte {
	return write(t, "kind", 3, []byte("one"), nil, Floats([]float64{1, math.Inf(-1)}))
}

// The layout is a promise to files that exist.
func TestLayout(t *testing.T) {
	want := []byte("PFGR\x04\x00kind\x03\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00ab")
	want = append(want, 0x38, 0x6b, 0xfa, 0x60) // CRC-32C by another program
	assert.Equal(t, want, write(t, "kind", 3, []byte("ab")))
}

func TestRoundTrip(t *testing.T) {
	b := sample(t)
	for name, r := range map[string]io.Reader{
		"at once": bytes.NewReader(b), "byte by byte": iotest.OneByteReader(bytes.NewReader(b)),
		"with the last bytes and EOF": iotest.DataErrReader(bytes.NewReader(b)),
	} {
		got, err := Read(r, "kind", 3)
		require.NoError(t, err, name)
		assert.Equal(t, "one", string(got[0]), name)
		assert.Empty(t, got[1], name)
		assert.Equal(t, Floats([]float64{1, math.Inf(-1)}), got[2], name)
	}
	none, err := Read(bytes.NewReader(write(t, "", 0)), "", 0)
	assert.NoError(t, err)
	assert.Empty(t, none)
}

// Records stand one after another in a stream: Read takes its own bytes and no more.
func TestReadTakesOneRecord(t *testing.T) {
	r := bytes.NewReader(append(sample(t), "rest"...))
	_, err := Read(r, "kind", 3)
	require.NoError(t, err)
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "rest", string(rest))
}

func TestTruncationIsAnError(t *testing.T) {
	b := sample(t)
	for n := range b {
		_, err := Read(bytes.NewReader(b[:n]), "kind", 3)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d of %d bytes", n, len(b))
	}
}

func TestEveryFlippedBitIsAnError(t *testing.T) {
	b := sample(t)
	for i := range b {
		for bit := range 8 {
			c := bytes.Clone(b)
			c[i] ^= 1 << bit
			_, err := Read(bytes.NewReader(c), "kind", 3)
			assert.Error(t, err, "byte %d, bit %d", i, bit)
		}
	}
	b[len(b)-10] ^= 1 // inside the last section
	_, err := Read(bytes.NewReader(b), "kind", 3)
	assert.ErrorIs(t, err, ErrChecksum)
}

func TestOtherRecordsAreErrors(t *testing.T) {
	b := sample(t)
	_, err := Read(bytes.NewReader(b), "other", 3)
	assert.EqualError(t, err, `reading a "other" record: the record is a "kind"`)
	_, err = Read(bytes.NewReader(b), "kind", 4)
	assert.EqualError(t, err, `reading a "kind" record: format version 3, this program reads 4`)
	_, err = Read(bytes.NewReader([]byte("GIF89a")), "kind", 3)
	assert.EqualError(t, err, `reading a "kind" record: not a record: it begins with "GIF8"`)
	broken := errors.New("connection lost")
	_, err = Read(iotest.ErrReader(broken), "kind", 3)
	assert.ErrorIs(t, err, broken)
}

// A claimed length costs no memory.
func TestHugeLength(t *testing.T) {
	b := write(t, "kind", 3, []byte("one"))
	for _, size := range []uint64{1 << 31, 1 << 36, 1 << 40, 1 << 63, math.MaxUint64} {
		binary.LittleEndian.PutUint64(b[18:], size)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(bytes.NewReader(b), "kind", 3)
		runtime.ReadMemStats(&after)
		assert.Error(t, err, size)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), size)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestWriteReturnsTheError(t *testing.T) {
	full := errors.New("full")
	assert.ErrorIs(t, Write(failingWriter{full}, "kind", 1), full)
}

func TestNumbers(t *testing.T) {
	x := []float64{0, math.Copysign(0, -1), math.NaN(), math.Float64frombits(0x7ff8dead00000001), math.Inf(1), 5e-324, math.Pi}
	y := make([]float64, len(x))
	require.NoError(t, PutFloats(y, Floats(x)))
	for i := range x {
		assert.Equal(t, math.Float64bits(x[i]), math.Float64bits(y[i]))
	}
	assert.EqualError(t, PutFloats(y[:2], Floats(x)), "56 bytes for 2 numbers")
	assert.Error(t, PutFloats(y[:1], Floats(x[:1])[:7]))

	u, v := []uint64{0, 1, math.MaxUint64}, make([]uint64, 3)
	require.NoError(t, PutUints(v, Uints(u...)))
	assert.Equal(t, u, v)
	assert.EqualError(t, PutUints(v, Uints(1)), "8 bytes for 3 numbers")
}

// Whatever the bytes are, Read returns an error or what Write writes as these bytes.
func FuzzRead(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(sample(f))
	f.Add(write(f, "kind", 3))
	f.Add(sample(f)[:30])
	f.Fuzz(func(t *testing.T, b []byte) {
		sections, err := Read(bytes.NewReader(b), "kind", 3)
		if err != nil {
			assert.Nil(t, sections)
			return
		}
		again := write(t, "kind", 3, sections...)
		assert.Equal(t, b[:len(again)], again)
	})
}
