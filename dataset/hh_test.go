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
	// The line numbers come from a Python script that splits at the last marker.
	assert.Equal(t, map[dataset.Kind][]int{
		dataset.PromptsDiffer: {1255, 1689, 1951, 1953, 2037},
		dataset.BlankReply:    {87, 517, 926, 1104},
	}, lines)
}

func TestHHTurnsAndRepetitions(t *testing.T) {
	var (
		sum         dataset.Summary
		census      dataset.Census
		parts       [3]int
		turns, same int
	)
	split, err := dataset.NewSplit(0.6, 0.3, 0.1)
	require.NoError(t, err)
	for p, err := range dataset.Usable(dataset.Pairs(hhFile(t)), false, &sum) {
		require.NoError(t, err)
		census.Add(p)
		parts[split.Part(p.Prompt)]++
		talk, err := p.AsChat()
		require.NoError(t, err)
		require.Equal(t, split.Part(p.Prompt), split.Part(talk.Prompt), p.At)
		turns += len(talk.Prompt.Messages) + len(talk.Chosen.Messages)
		if back := talk.AsText(); back.Prompt.Equal(p.Prompt) && back.Chosen.Equal(p.Chosen) && back.Rejected.Equal(p.Rejected) {
			same++
		}
	}
	// The same counts come out of a Python script that uses json and hashlib.
	assert.Equal(t, [3]int{1379, 678, 246}, parts)
	assert.Equal(t, 11482, turns)
	assert.Equal(t, 2303, same)
	assert.Equal(t, []int{2303, 2301, 0, 0}, []int{census.Pairs, census.Prompts, census.Duplicates, census.Contradictions})
}
