package dataset_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/dataset"
)

// TestNilParts: what is missing is named when the sequence is made, not when it is ranged over.
func TestNilParts(t *testing.T) {
	records := upTo(1)
	same := func(n int) (int, error) { return n, nil }
	for _, c := range []struct {
		name, want string
		call       func()
	}{
		{"Read", "dataset: nil io.Reader", func() { dataset.Read[dataset.Pair](nil, "") }},
		{"Reader.Read", "dataset: nil io.Reader", func() { dataset.Reader[dataset.Pair]{}.Read(nil, "") }},
		{"NewEncoder", "dataset: nil io.Writer", func() { dataset.NewEncoder[dataset.Pair](nil) }},
		{"Map without records", "dataset: Map without records or function", func() { dataset.Map(nil, same) }},
		{"Map without function", "dataset: Map without records or function", func() { dataset.Map[int, int](records, nil) }},
		{"Usable without records", "dataset: Usable without records or Summary", func() { dataset.Usable[int](nil, false, &dataset.Summary{}) }},
		{"Usable without summary", "dataset: Usable without records or Summary", func() { dataset.Usable(records, false, nil) }},
		{"Shuffle", "dataset: Shuffle without records", func() { dataset.Shuffle[int](nil, 1, 1) }},
	} {
		assert.PanicsWithValue(t, c.want, c.call, c.name)
	}
}
