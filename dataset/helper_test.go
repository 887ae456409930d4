package dataset_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/require"
)

func text(s string) dataset.Text { return dataset.Text{Plain: s} }

// chat makes a conversation from roles and contents in turn.
func chat(s ...string) (t dataset.Text) {
	for i := 0; i < len(s); i += 2 {
		t.Messages = append(t.Messages, dataset.Message{Role: s[i], Content: s[i+1]})
	}
	return t
}

func ptr[T any](x T) *T { return &x }

// read returns all records and errors of lines given as one string.
func read[T dataset.Record](lines string) ([]T, []error) {
	return collect(dataset.Read[T](strings.NewReader(lines), "in"))
}

func collect[T any](records iter.Seq2[T, error]) (good []T, bad []error) {
	for record, err := range records {
		if err != nil {
			bad = append(bad, err)
		} else {
			good = append(good, record)
		}
	}
	return good, bad
}

// one reads a single line that must hold one good record.
func one[T dataset.Record](t *testing.T, line string) T {
	t.Helper()
	good, bad := read[T](line)
	require.Empty(t, bad)
	require.Len(t, good, 1)
	return good[0]
}

// failure reads a single line that must be bad.
func failure[T dataset.Record](t *testing.T, line string) *dataset.Error {
	t.Helper()
	good, bad := read[T](line)
	require.Empty(t, good)
	require.Len(t, bad, 1)
	var e *dataset.Error
	require.ErrorAs(t, bad[0], &e)
	return e
}

func zip(tb testing.TB, data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(data)
	require.NoError(tb, err)
	require.NoError(tb, z.Close())
	return b.Bytes()
}

func unzip(tb testing.TB, data []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(data))
	require.NoError(tb, err)
	out, err := io.ReadAll(z)
	require.NoError(tb, err)
	return out
}

// file writes a file of its own for the test.
func file(tb testing.TB, name string, data []byte) string {
	path := filepath.Join(tb.TempDir(), name)
	require.NoError(tb, os.WriteFile(path, data, 0o600))
	return path
}
