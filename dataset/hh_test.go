package dataset_test

import (
	"os"
	"strings"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hhFile returns the path of the test split of HH-RLHF's harmlessness data, which is not part of the project.
func hhFile(tb testing.TB) string {
	path := os.Getenv("PREFGRAD_HH")
	if path == "" {
		tb.Skip("PREFGRAD_HH does not name hh-rlhf-harmless-test.jsonl.gz")
	}
	return path
}

func TestHHSummary(t *testing.T) {
	var sum dataset.Summary
	used := 0
	for p, err := range dataset.Usable(dataset.Pairs(hhFile(t)), false, &sum) {
		require.NoError(t, err)
		used++
		require.True(t, strings.HasPrefix(p.Prompt.Plain, "\n\nHuman:"), p.At)
		require.True(t, strings.HasSuffix(p.Prompt.Plain, "\n\nAssistant:"), p.At)
		require.False(t, strings.Contains(p.Chosen.Plain+p.Rejected.Plain, "\n\nAssistant:"), p.At)
	}
	assert.Equal(t, 2303, used)
	assert.Equal(t, dataset.Summary{Read: 2312, Unusable: 9, Reasons: map[string]int{"prompts differ": 5, "blank reply: chosen": 4}}, sum)
	assert.Equal(t, "2312 read, 2303 used, 9 skipped (5 prompts differ, 4 blank reply: chosen)", sum.String())
}

func TestHHBadLines(t *testing.T) {
	lines := map[dataset.Kind][]int{}
	for _, err := range dataset.Pairs(hhFile(t)) {
		var e *dataset.Error
		if err != nil {
			require.ErrorAs(t, err, &e)
			lines[e.Kind] = append(lines[e.Kind], e.Line)
		}
	}
	// Line numbers found with a Python script of ten lines, not with this package.
	assert.Equal(t, map[dataset.Kind][]int{
		dataset.PromptsDiffer: {1255, 1689, 1951, 1953, 2037},
		dataset.BlankReply:    {87, 517, 926, 1104},
	}, lines)
}
