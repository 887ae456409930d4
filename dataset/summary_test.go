package dataset_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const mixed = `{"prompt":"Hi","chosen":"yes","rejected":"no"}
{"prompt":"Hi","chosen":" ","rejected":"no"}
{"prompt":"Hi","chosen":"yes","rejected":"yes"}
{"prompt":"Hi","chosen":"  ","rejected":"no"}
oops
{"prompt":"Hi","chosen":"yes"}
{"prompt":"Hi","chosen":"yes","rejected":"maybe"}
`

func mixedPairs() func(func(dataset.Pair, error) bool) {
	return dataset.Read[dataset.Pair](strings.NewReader(mixed), "in")
}

func TestUsable(t *testing.T) {
	var sum dataset.Summary
	good, bad := collect(dataset.Usable(mixedPairs(), true, &sum))
	assert.Len(t, good, 2)
	assert.Empty(t, bad)
	assert.Equal(t, dataset.Summary{Read: 7, Malformed: 2, Unusable: 3, Reasons: map[string]int{
		"blank reply: chosen": 2, "identical replies": 1, "invalid JSON": 1, "missing field: rejected": 1}}, sum)
	assert.Equal(t, 5, sum.Skipped())
	assert.Equal(t, "7 read, 2 used, 5 skipped (2 blank reply: chosen, 1 identical replies, 1 invalid JSON, 1 missing field: rejected)", sum.String())
	out, err := json.Marshal(sum)
	require.NoError(t, err)
	assert.JSONEq(t, `{"read":7,"skipped":5,"malformed":2,"unusable":3,"reasons":{"blank reply: chosen":2,"identical replies":1,"invalid JSON":1,"missing field: rejected":1}}`, string(out))

	sum = dataset.Summary{}
	good, bad = collect(dataset.Usable(mixedPairs(), false, &sum))
	assert.Len(t, good, 1)
	require.Len(t, bad, 1, "the first malformed line ends it")
	assert.ErrorIs(t, bad[0], dataset.InvalidJSON)
	assert.ErrorContains(t, bad[0], "in:5: ")
	assert.Equal(t, dataset.Summary{Read: 4, Unusable: 3, Reasons: map[string]int{"blank reply: chosen": 2, "identical replies": 1}}, sum)
}

func TestUsableStopsAtOtherErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, err := range []error{broken, &dataset.Error{Kind: dataset.ReadFailed}, &dataset.Error{Kind: dataset.FingerprintMismatch}} {
		var sum dataset.Summary
		good, bad := collect(dataset.Usable(func(yield func(int, error) bool) {
			_ = yield(1, nil) && yield(0, err) && yield(2, nil)
		}, true, &sum))
		assert.Equal(t, []int{1}, good)
		assert.Equal(t, []error{err}, bad)
		assert.Equal(t, dataset.Summary{Read: 1}, sum)
	}
	for range dataset.Usable(mixedPairs(), true, new(dataset.Summary)) {
		break // leaving the loop early is fine
	}
}

func TestEmptySummary(t *testing.T) {
	var sum dataset.Summary
	assert.Equal(t, "0 read, 0 used, 0 skipped", sum.String())
	out, err := json.Marshal(sum)
	require.NoError(t, err)
	assert.Equal(t, `{"read":0,"skipped":0,"malformed":0,"unusable":0,"reasons":{}}`, string(out))
}

func TestMap(t *testing.T) {
	lines := `{"prompt":"\n\nHuman: a\n\nAssistant:"}` + "\n" + `{"prompt":"b"}` + "\nbad\n" + `{"prompt":"\n\nHuman: c\n\nAssistant:"}`
	var sum dataset.Summary
	records := dataset.Map(dataset.Read[dataset.PromptOnly](strings.NewReader(lines), "in"), dataset.PromptOnly.AsChat)
	good, bad := collect(dataset.Usable(records, true, &sum))
	assert.Empty(t, bad)
	require.Len(t, good, 2)
	assert.Equal(t, chat("user", "c"), good[1].Prompt)
	assert.Equal(t, map[string]int{"not in turns: prompt": 1, "invalid JSON": 1}, sum.Reasons)
}
