package parquet_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/dataset/parquet"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// finding is an error without its file and its detail.
type finding struct {
	Line  int
	Field string
	Kind  dataset.Kind
}

func findings(t *testing.T, errs []error) (found []finding) {
	for _, err := range errs {
		var e *dataset.Error
		require.ErrorAs(t, err, &e)
		found = append(found, finding{e.Line, e.Field, e.Kind})
	}
	return found
}

// TestBadRows: what is wrong with a row is the same error as for the line of JSONL that says the same, and the rows around
// it are read all the same.
func TestBadRows(t *testing.T) {
	t.Run("plain", badRows[dataset.Pair]("bad-plain", 14))
	t.Run("chat", badRows[dataset.Pair]("bad-chat", 14))
	t.Run("unpaired", badRows[dataset.Unpaired]("bad-unpaired", 5))
}

func badRows[T dataset.Record](name string, n int) func(t *testing.T) {
	return func(t *testing.T) {
		good, bad := collect(dataset.Open[T](golden(name + ".jsonl")))
		require.Len(t, bad, n)
		gotGood, gotBad := collect(parquet.Open[T](golden(name + ".parquet")))
		assert.Equal(t, findings(t, bad), findings(t, gotBad))
		for i := range good {
			setFile(&good[i], golden(name+".parquet"))
		}
		assert.Equal(t, good, gotGood)

		// So the policy and the account of package dataset are the same, too.
		var want, got dataset.Summary
		for range dataset.Usable(dataset.Open[T](golden(name+".jsonl")), true, &want) {
		}
		for range dataset.Usable(parquet.Open[T](golden(name+".parquet")), true, &got) {
		}
		assert.Equal(t, want, got)
		assert.Equal(t, n, got.Skipped())
	}
}

func setFile[T dataset.Record](record *T, file string) {
	switch r := any(record).(type) {
	case *dataset.Pair:
		r.At.File = file
	case *dataset.Unpaired:
		r.At.File = file
	}
}

func TestWrongTypes(t *testing.T) {
	files, err := parquet.Glob(golden("types/*-*.parquet"))
	require.NoError(t, err)
	require.Greater(t, len(files), 20)
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".parquet")
		t.Run(name, func(t *testing.T) {
			want := finding{Kind: dataset.WrongType}
			want.Field, name, _ = strings.Cut(name, "-")
			switch name {
			case "missing":
				want.Kind = dataset.MissingField
			case "norole":
				want.Kind, want.Field = dataset.MissingField, "prompt[].role"
			case "nocontent":
				want.Kind, want.Field = dataset.MissingField, "prompt[].content"
			case "parts":
				want.Field = "prompt[].content"
			case "twice":
				want.Kind = dataset.DuplicateField
			}
			var bad []error
			if want.Field == "label" {
				_, bad = collect(parquet.Open[dataset.Unpaired](path))
			} else {
				_, bad = collect(parquet.Pairs(path))
			}
			require.Equal(t, []finding{want}, findings(t, bad))
			t.Log(bad[0])
		})
	}
}

// TestGoesOn: a file that cannot be read takes none of the others with it.
func TestGoesOn(t *testing.T) {
	paths := []string{golden("types/chosen-int.parquet"), golden("missing.parquet"), golden("implicit.parquet"), golden("generate.py")}
	good, bad := collect(parquet.Pairs(paths...))
	assert.Len(t, good, 24)
	assert.Equal(t, []finding{{0, "chosen", dataset.WrongType}, {0, "", dataset.ReadFailed}, {0, "", dataset.Corrupt}}, findings(t, bad))
	assert.ErrorIs(t, bad[1], fs.ErrNotExist)
	assert.EqualError(t, bad[0], golden("types/chosen-int.parquet")+": chosen: wrong type: want a column of texts or lists of messages, have INT(64,true)")

	for range parquet.Pairs(paths...) { // and whoever leaves the loop has left it
		break
	}
	_, bad = collect(parquet.Pairs(golden("types/lz4.parquet")))
	assert.ErrorIs(t, bad[0], errors.ErrUnsupported)
	assert.Equal(t, []finding{{1, "", dataset.ReadFailed}}, findings(t, bad))
}

func TestDamagedFiles(t *testing.T) {
	data := contents(t, "plain-zstd-v2-dict.parquet")
	change := func(at int, b string) []byte {
		out := append([]byte(nil), data...)
		if at < 0 {
			at += len(out)
		}
		copy(out[at:], b)
		return out
	}
	for _, c := range []struct {
		name string
		data []byte
		kind dataset.Kind
	}{
		{"empty", nil, dataset.Truncated},
		{"head alone", data[:4], dataset.Truncated},
		{"cut in the middle", data[:len(data)/2], dataset.Truncated},
		{"cut at the last byte", data[:len(data)-1], dataset.Truncated},
		{"text", []byte("prompt,chosen,rejected\n"), dataset.Corrupt},
		{"other head", change(0, "PAR2"), dataset.Corrupt},
		{"encrypted", change(-4, "PARE"), dataset.ReadFailed},
		{"footer as long as the file", change(-8, "\xff\xff\xff\x7f"), dataset.Corrupt},
		{"footer too short", change(-8, "\x10\x00\x00\x00"), dataset.Corrupt},
		{"a hole", append(append([]byte(nil), data[:1000]...), data[2000:]...), dataset.Corrupt},
		{"zeros for pages", change(4, strings.Repeat("\x00", 3000)), dataset.Corrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			good, bad := collect(inMemory[dataset.Pair](c.data))
			require.Len(t, bad, 1)
			assert.Empty(t, good)
			assert.ErrorIs(t, bad[0], c.kind, "%v", bad[0])
			assert.True(t, strings.HasPrefix(bad[0].Error(), "in:"), bad[0])
			t.Log(bad[0])
		})
	}
}

// TestChecksum: with checksums every damaged page is found, and the row groups before it are delivered.
func TestChecksum(t *testing.T) {
	data := contents(t, "plain-checksum.parquet")
	whole, _ := collect(inMemory[dataset.Pair](data))
	length := int(data[len(data)-8]) | int(data[len(data)-7])<<8
	found := 0
	for at := 4; at < len(data)-8-length; at += 193 {
		broken := append([]byte(nil), data...)
		broken[at] ^= 0x10
		good, bad := collect(inMemory[dataset.Pair](broken))
		require.LessOrEqual(t, len(bad), 1)
		if len(bad) == 0 { // in the page index, which nobody reads, or a field of a header that does not matter
			assert.Equal(t, whole, good)
			continue
		}
		found++
		require.ErrorIs(t, bad[0], dataset.Corrupt)
		require.Equal(t, whole[:len(good)], append([]dataset.Pair{}, good...))
	}
	assert.Greater(t, found, 25)
}

// faulty is a file on a disk that fails.
type faulty struct {
	io.ReaderAt
	from int64
}

var errDisk = errors.New("the disk is gone")

func (f faulty) ReadAt(b []byte, at int64) (int, error) {
	if at+int64(len(b)) > f.from && at < f.from+1000 {
		return 0, errDisk
	}
	return f.ReaderAt.ReadAt(b, at)
}

func TestReadFailed(t *testing.T) {
	path := golden("plain-none-v1-dict.parquet")
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	for _, at := range []int64{0, 5000, info.Size() - 8, info.Size() - 1008} {
		_, bad := collect(parquet.Read[dataset.Pair](faulty{f, at}, info.Size(), "in"))
		require.Len(t, bad, 1, at)
		assert.ErrorIs(t, bad[0], dataset.ReadFailed, bad[0])
		assert.ErrorIs(t, bad[0], errDisk, bad[0])
	}
	_, bad := collect(parquet.Read[dataset.Pair](f, info.Size()+10, "in")) // a file that has become shorter
	require.Len(t, bad, 1)
	_, bad = collect(parquet.Pairs("testdata"))
	require.Len(t, bad, 1)
	assert.ErrorIs(t, bad[0], dataset.ReadFailed)
}

func TestMaxPage(t *testing.T) {
	path := golden("plain-none-v1-dict.parquet")
	_, bad := collect(parquet.Reader[dataset.Pair]{MaxPage: 100}.Open(path))
	require.Len(t, bad, 1)
	assert.ErrorIs(t, bad[0], dataset.ReadFailed)
	assert.ErrorContains(t, bad[0], "Reader.MaxPage is 100")
	good, bad := collect(parquet.Reader[dataset.Pair]{MaxPage: 10_000}.Open(path))
	assert.Len(t, good, 24)
	assert.Empty(t, bad)
	_, bad = collect(parquet.Reader[dataset.Pair]{MaxPage: -1}.Open(path))
	require.Len(t, bad, 1)
	assert.EqualError(t, bad[0], path+": read failed: Reader.MaxPage is -1, must not be negative")
}

func TestGlob(t *testing.T) {
	files, err := parquet.Glob(golden("datasets-plain-0*.parquet"), golden("implicit.parquet"))
	require.NoError(t, err)
	assert.Equal(t, []string{golden("datasets-plain-00000-of-00003.parquet"), golden("datasets-plain-00001-of-00003.parquet"),
		golden("datasets-plain-00002-of-00003.parquet"), golden("implicit.parquet")}, files)
	for _, pattern := range []string{golden("none-*.parquet"), "[", golden("none.parquet")} {
		_, err := parquet.Glob(golden("implicit.parquet"), pattern)
		assert.ErrorIs(t, err, dataset.ReadFailed)
		assert.ErrorContains(t, err, pattern)
	}
	files, err = parquet.Glob()
	assert.NoError(t, err)
	assert.Empty(t, files)
}
