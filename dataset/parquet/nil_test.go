package parquet_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/dataset/parquet"
)

// TestNilParts: what is missing is named at once, not at the first record.
func TestNilParts(t *testing.T) {
	for _, c := range []struct {
		name, want string
		call       func()
	}{
		{"Read", "parquet: nil io.ReaderAt", func() { parquet.Read[dataset.Pair](nil, 0, "") }},
		{"Reader.Read", "parquet: nil io.ReaderAt", func() { parquet.Reader[dataset.Pair]{}.Read(nil, 0, "") }},
		{"NewEncoder", "parquet: nil io.Writer", func() { parquet.NewEncoder[dataset.Pair](nil) }},
		{"Writer.NewEncoder", "parquet: nil io.Writer", func() { parquet.Writer[dataset.Pair]{}.NewEncoder(nil) }},
	} {
		assert.PanicsWithValue(t, c.want, c.call, c.name)
	}
}
