package parquet_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/dataset/parquet"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The files in testdata were written by pyarrow and datasets (generate.py); beside them stands what they hold, as JSONL.
// Both must read the same, bit for bit.

func TestGoldenPairs(t *testing.T) {
	for _, group := range []string{"plain", "chat", "implicit", "numbers"} {
		want := whole(t, dataset.Pairs(golden(group+".jsonl")))
		files, err := parquet.Glob(golden(group+"*.parquet"), golden("*-"+group+".parquet"))
		if group != "plain" && group != "chat" {
			files, err = parquet.Glob(golden(group + "*.parquet"))
		}
		require.NoError(t, err)
		for _, path := range files {
			if strings.HasPrefix(filepath.Base(path), "bad-") {
				continue
			}
			t.Run(strings.TrimSuffix(filepath.Base(path), ".parquet"), func(t *testing.T) {
				good, bad := collect(parquet.Pairs(path))
				require.Empty(t, bad)
				for i, p := range good {
					require.Equal(t, dataset.Position{File: path, Line: i + 1}, p.At)
				}
				same(t, want, unplaced(good))
			})
		}
	}
}

// same compares pairs, numbers by their bits.
func same(t *testing.T, want, got []dataset.Pair) {
	t.Helper()
	require.Equal(t, len(want), len(got))
	for i := range want {
		require.Equal(t, want[i], got[i], "row %d", i+1)
		if m := want[i].Margin; m != nil {
			require.Equal(t, math.Float64bits(*m), math.Float64bits(*got[i].Margin))
		}
		if r := want[i].Ref; r != nil {
			require.Equal(t, math.Float64bits(r.Chosen), math.Float64bits(got[i].Ref.Chosen))
			require.Equal(t, math.Float64bits(r.Rejected), math.Float64bits(got[i].Ref.Rejected))
		}
	}
}

func TestGoldenOthers(t *testing.T) {
	unpaired := whole(t, dataset.Open[dataset.Unpaired](golden("unpaired.jsonl")))
	for _, name := range []string{"unpaired-v1.parquet", "unpaired-v2.parquet"} {
		assert.Equal(t, unpaired, whole(t, parquet.Open[dataset.Unpaired](golden(name))))
	}
	prompts := whole(t, dataset.Open[dataset.PromptOnly](golden("prompts.jsonl")))
	assert.Equal(t, prompts, whole(t, parquet.Open[dataset.PromptOnly](golden("prompts.parquet"))))
	assert.Equal(t, prompts, whole(t, parquet.Open[dataset.PromptOnly](golden("chat-rich.parquet"))), "other columns do not count")
}

func TestShards(t *testing.T) {
	for _, group := range []string{"plain", "chat"} {
		files, err := parquet.Glob(golden("datasets-" + group + "-*-of-00003.parquet"))
		require.NoError(t, err)
		require.Len(t, files, 3)
		good, bad := collect(parquet.Pairs(files...))
		require.Empty(t, bad)
		assert.Equal(t, dataset.Position{File: files[1], Line: 1}, good[8].At)
		same(t, whole(t, dataset.Pairs(golden(group+".jsonl"))), unplaced(good))
	}
}
