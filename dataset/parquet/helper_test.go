package parquet_test

import (
	"bytes"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/dataset/parquet"
	"github.com/stretchr/testify/require"
)

// golden returns the path of a file in testdata.
func golden(name string) string { return filepath.Join("testdata", name) }

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

// whole reads everything from files that must hold good records.
func whole[T dataset.Record](tb testing.TB, records iter.Seq2[T, error]) []T {
	tb.Helper()
	good, bad := collect(records)
	require.Empty(tb, bad)
	require.NotEmpty(tb, good)
	return unplaced(good)
}

// unplaced takes the positions away.
func unplaced[T dataset.Record](records []T) []T {
	for i := range records {
		switch r := any(&records[i]).(type) {
		case *dataset.Pair:
			r.At = dataset.Position{}
		case *dataset.Unpaired:
			r.At = dataset.Position{}
		case *dataset.PromptOnly:
			r.At = dataset.Position{}
		}
	}
	return records
}

// inMemory reads a file that is in memory.
func inMemory[T dataset.Record](data []byte) iter.Seq2[T, error] {
	return parquet.Read[T](bytes.NewReader(data), int64(len(data)), "in")
}

// contents returns a golden file.
func contents(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(golden(name))
	require.NoError(tb, err)
	return data
}

func text(s string) dataset.Text { return dataset.Text{Plain: s} }

// chat makes a conversation from roles and contents in turn.
func chat(s ...string) (t dataset.Text) {
	for i := 0; i < len(s); i += 2 {
		t.Messages = append(t.Messages, dataset.Message{Role: s[i], Content: s[i+1]})
	}
	return t
}

func ptr[T any](x T) *T { return &x }
