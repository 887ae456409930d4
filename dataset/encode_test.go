package dataset_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var encodable = []dataset.Pair{
	{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no")},
	{Prompt: text("\"\\\b\f\n\r\t\x00\x1f<é😀>\u2028"), Chosen: text(" yes"), Rejected: text("yes ")},
	{Prompt: chat("system", "", "user", "Hi\n"), Chosen: chat("assistant", "yes"), Rejected: chat("assistant", "?", "tool", "", "assistant", "no")},
	{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no"), Margin: ptr(0.1),
		Ref: &dataset.Ref{Chosen: -1.0 / 3, Rejected: math.Inf(-1), Fingerprint: "sha256:00"}},
	{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no"), Margin: ptr(-math.MaxFloat64),
		Ref: &dataset.Ref{Chosen: -math.SmallestNonzeroFloat64, Rejected: math.Copysign(0, -1)}},
}

// encode returns the records as lines.
func encode[T dataset.Record](t *testing.T, records ...T) string {
	t.Helper()
	var b bytes.Buffer
	e := dataset.NewEncoder[T](&b)
	for _, r := range records {
		require.NoError(t, e.Encode(r))
	}
	require.NoError(t, e.Close())
	return b.String()
}

func TestEncodePairs(t *testing.T) {
	lines := encode(t, encodable...)
	good, bad := read[dataset.Pair](lines)
	require.Empty(t, bad)
	require.Len(t, good, len(encodable))
	for i, p := range good {
		p.At = dataset.Position{}
		assert.Equal(t, encodable[i], p)
	}
	assert.True(t, math.Signbit(good[4].Ref.Rejected), "minus zero")
	for line := range strings.Lines(lines) {
		assert.True(t, json.Valid([]byte(line)), line)
	}
	assert.Equal(t, `{"prompt":"Hi","chosen":"yes","rejected":"no","margin":0.1,"ref_chosen_logps":-0.3333333333333333,"ref_rejected_logps":"-Infinity","ref_fingerprint":"sha256:00"}`+"\n",
		encode(t, encodable[3]))
	assert.Equal(t, `{"prompt":"a b","chosen":" c","rejected":" d"}`+"\n",
		encode(t, dataset.Pair{Chosen: text("a b c"), Rejected: text("a b d")}), "an implicit prompt becomes explicit")
}

func TestEncodeOthers(t *testing.T) {
	assert.Equal(t, `{"prompt":"Hi","completion":"yes","label":true}`+"\n"+`{"prompt":"Hi","completion":"no","label":false}`+"\n",
		encode(t, dataset.Unpaired{Prompt: text("Hi"), Completion: text("yes"), Label: true}, dataset.Unpaired{Prompt: text("Hi"), Completion: text("no")}))
	assert.Equal(t, `{"prompt":[{"role":"user","content":"Hi"},{"role":"x","content":""}]}`+"\n",
		encode(t, dataset.PromptOnly{Prompt: chat("user", "Hi", "x", "")}))
}

func TestEncodeRefuses(t *testing.T) {
	var b bytes.Buffer
	e := dataset.NewEncoder[dataset.Pair](&b)
	for _, c := range []struct {
		pair dataset.Pair
		kind dataset.Kind
	}{
		{dataset.Pair{Prompt: text("Hi"), Chosen: text("yes")}, dataset.MissingField},
		{dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("yes")}, dataset.IdenticalReplies},
		{dataset.Pair{Prompt: text("Hi"), Chosen: text("\xff"), Rejected: text("no")}, dataset.InvalidUTF8},
		{dataset.Pair{Prompt: chat("us\xffer", "Hi"), Chosen: chat("a", "yes"), Rejected: chat("a", "no")}, dataset.InvalidUTF8},
		{dataset.Pair{Prompt: chat("", "Hi"), Chosen: chat("a", "yes"), Rejected: chat("a", "no")}, dataset.EmptyField},
		{dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no"), Margin: ptr(math.NaN())}, dataset.BadNumber},
		{dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no"), Ref: &dataset.Ref{Rejected: math.Inf(1)}}, dataset.BadNumber},
		{dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no"), Ref: &dataset.Ref{Fingerprint: "\xff"}}, dataset.InvalidUTF8},
	} {
		assert.ErrorIs(t, e.Encode(c.pair), c.kind)
	}
	require.NoError(t, e.Encode(encodable[0]))
	require.NoError(t, e.Close())
	assert.Equal(t, encode(t, encodable[0]), b.String(), "nothing of the refused ones is written")
}

func TestCreate(t *testing.T) {
	for _, name := range []string{"a.jsonl", "a.jsonl.gz"} {
		path := filepath.Join(t.TempDir(), name)
		e, err := dataset.Create[dataset.Pair](path)
		require.NoError(t, err)
		for _, p := range encodable {
			require.NoError(t, e.Encode(p))
		}
		require.NoError(t, e.Close())
		good, bad := collect(dataset.Pairs(path))
		assert.Empty(t, bad)
		assert.Len(t, good, len(encodable))
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		if strings.HasSuffix(name, ".gz") {
			data = unzip(t, data)
		}
		assert.Equal(t, encode(t, encodable...), string(data))
	}
	_, err := dataset.Create[dataset.Pair](filepath.Join(t.TempDir(), "no", "such", "folder"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestEncodeWriteError(t *testing.T) {
	e := dataset.NewEncoder[dataset.Pair](full{})
	require.NoError(t, e.Encode(encodable[0]), "still in the buffer")
	require.ErrorContains(t, e.Close(), "disk full")
	require.ErrorContains(t, e.Encode(encodable[0]), "disk full")
}

// FuzzRead: no stream, gzip or not, makes the readers panic; every item is a record or an error with a kind; what was
// read is written and read back as it was.
func FuzzRead(f *testing.F) {
	for _, format := range formats {
		f.Add([]byte(format.line("Hi", "yes", "no") + "\n\n" + format.line("so", "1", "2") + "\r\nbad"))
	}
	f.Add(zip(f, []byte("\uFEFF"+prompts(3))))
	f.Add([]byte("\x1f\x8b"))
	f.Add([]byte(`{"chosen":"The sky is blue","rejected":"The sky is red","ref_chosen_logps":"-Infinity","ref_rejected_logps":-1}`))
	f.Add([]byte(`{"prompt":"a","chosen":[{"role":"user","content":"a"},{"role":"x","content":"b"}],"rejected":[{"role":"user","content":"a"},{"role":"x","content":"c"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		roundTrip(t, data, func(p *dataset.Pair) *dataset.Position { return &p.At })
		roundTrip(t, data, func(u *dataset.Unpaired) *dataset.Position { return &u.At })
		roundTrip(t, data, func(p *dataset.PromptOnly) *dataset.Position { return &p.At })
	})
}

func roundTrip[T dataset.Record](t *testing.T, data []byte, at func(*T) *dataset.Position) {
	good, bad := collect(dataset.Reader[T]{MaxLine: 1 << 20}.Read(bytes.NewReader(data), "in"))
	last := 0
	for i := range good {
		require.Greater(t, at(&good[i]).Line, last)
		last = at(&good[i]).Line
		*at(&good[i]) = dataset.Position{}
	}
	for _, err := range bad {
		var e *dataset.Error
		require.ErrorAs(t, err, &e)
		require.True(t, e.Kind.Malformed() || e.Kind.Unusable(), err)
	}
	again, bad := read[T](encode(t, good...))
	require.Empty(t, bad)
	for i := range again {
		*at(&again[i]) = dataset.Position{}
	}
	require.Equal(t, good, again)
}
