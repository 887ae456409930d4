package parquet_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	library "github.com/parquet-go/parquet-go"
	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/dataset/parquet"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// encoded writes records and returns the file.
func encoded[T dataset.Record](tb testing.TB, wr parquet.Writer[T], records []T) []byte {
	tb.Helper()
	var b bytes.Buffer
	e := wr.NewEncoder(&b)
	for _, r := range records {
		require.NoError(tb, e.Encode(r))
	}
	require.NoError(tb, e.Close())
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	for _, name := range []string{"plain", "chat", "implicit", "numbers"} {
		pairs := whole(t, dataset.Pairs(golden(name+".jsonl")))
		same(t, pairs, whole(t, inMemory[dataset.Pair](encoded(t, parquet.Writer[dataset.Pair]{}, pairs))))
		same(t, pairs, whole(t, inMemory[dataset.Pair](encoded(t, parquet.Writer[dataset.Pair]{RowGroup: 7, Margin: true, Ref: true}, pairs))))
	}
	unpaired := whole(t, dataset.Open[dataset.Unpaired](golden("unpaired.jsonl")))
	assert.Equal(t, unpaired, whole(t, inMemory[dataset.Unpaired](encoded(t, parquet.Writer[dataset.Unpaired]{}, unpaired))))
	prompts := whole(t, dataset.Open[dataset.PromptOnly](golden("prompts.jsonl")))
	assert.Equal(t, prompts, whole(t, inMemory[dataset.PromptOnly](encoded(t, parquet.Writer[dataset.PromptOnly]{}, prompts))))
}

// TestLargeTexts: a text may be longer than a page, and than what is read at a time.
func TestLargeTexts(t *testing.T) {
	var pairs []dataset.Pair
	for i := range 4 {
		pairs = append(pairs, dataset.Pair{Prompt: text(strings.Repeat(fmt.Sprint("long ", i, " "), 120_000*i+1)), Chosen: text("yes"), Rejected: text("no")})
	}
	same(t, pairs, whole(t, inMemory[dataset.Pair](encoded(t, parquet.Writer[dataset.Pair]{}, pairs))))
	for i := range pairs {
		pairs[i].Prompt = chat("system", pairs[i].Prompt.Plain, "user", "so?")
		pairs[i].Chosen, pairs[i].Rejected = chat("assistant", "yes"), chat("assistant", "no")
	}
	same(t, pairs, whole(t, inMemory[dataset.Pair](encoded(t, parquet.Writer[dataset.Pair]{RowGroup: 3}, pairs))))
}

// TestFile: what the file looks like to others.
func TestFile(t *testing.T) {
	pairs := whole(t, dataset.Pairs(golden("chat.jsonl")))
	data := encoded(t, parquet.Writer[dataset.Pair]{RowGroup: 10}, pairs)
	f, err := library.OpenFile(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	assert.Equal(t, `message schema {
	optional group prompt (LIST) {
		repeated group list {
			optional group element {
				optional binary role (STRING);
				optional binary content (STRING);
			}
		}
	}
	optional group chosen (LIST) {
		repeated group list {
			optional group element {
				optional binary role (STRING);
				optional binary content (STRING);
			}
		}
	}
	optional group rejected (LIST) {
		repeated group list {
			optional group element {
				optional binary role (STRING);
				optional binary content (STRING);
			}
		}
	}
	optional double margin;
}`, f.Schema().String())
	var rows []int64
	for _, g := range f.RowGroups() {
		rows = append(rows, g.NumRows())
	}
	assert.Equal(t, []int64{10, 10, 4}, rows)
	assert.Equal(t, data, encoded(t, parquet.Writer[dataset.Pair]{RowGroup: 10}, pairs), "the same records make the same file")
}

func TestNoRecords(t *testing.T) {
	for range inMemory[dataset.Pair](encoded[dataset.Pair](t, parquet.Writer[dataset.Pair]{}, nil)) {
		t.Error("a record from nowhere")
	}
	for range inMemory[dataset.Unpaired](encoded[dataset.Unpaired](t, parquet.Writer[dataset.Unpaired]{}, nil)) {
		t.Error("a record from nowhere")
	}
}

func TestNotEncoded(t *testing.T) {
	good := dataset.Pair{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no"), At: dataset.Position{File: "f", Line: 3}}
	with := func(change func(p *dataset.Pair)) dataset.Pair {
		p := good
		change(&p)
		return p
	}
	var b bytes.Buffer
	e := parquet.NewEncoder[dataset.Pair](&b)
	require.NoError(t, e.Encode(good))
	for _, c := range []struct {
		name string
		pair dataset.Pair
		want string
	}{
		{"blank", with(func(p *dataset.Pair) { p.Chosen = text(" ") }), "f:3: chosen: blank reply"},
		{"NaN", with(func(p *dataset.Pair) { p.Margin = ptr(math.NaN()) }), "f:3: margin: bad number: NaN"},
		{"not UTF-8", with(func(p *dataset.Pair) { p.Rejected = text("\xff") }), "f:3: rejected: invalid UTF-8"},
		{"a margin without a column", with(func(p *dataset.Pair) { p.Margin = ptr(1.0) }), "f:3: margin: wrong type: the first record has none, so the file has no such column; see Writer"},
		{"log-probs without a column", with(func(p *dataset.Pair) { p.Ref = new(dataset.Ref) }), "f:3: ref_chosen_logps: wrong type: the first record has none, so the file has no such column; see Writer"},
		{"a conversation", dataset.Pair{Prompt: chat("user", "Hi"), Chosen: chat("assistant", "yes"), Rejected: chat("assistant", "no")}, "prompt: wrong type: text and conversations in one file; the first record decides which"},
	} {
		assert.EqualError(t, e.Encode(c.pair), c.want, c.name)
	}
	require.NoError(t, e.Encode(good))
	require.NoError(t, e.Close())
	assert.Equal(t, unplaced([]dataset.Pair{good, good}), whole(t, inMemory[dataset.Pair](b.Bytes())), "nothing of what was refused")

	talk := parquet.NewEncoder[dataset.PromptOnly](&b)
	assert.EqualError(t, talk.Encode(dataset.PromptOnly{Prompt: chat("user", "Hi", "tool", "\xff")}), "prompt[1].content: invalid UTF-8")
	assert.EqualError(t, talk.Encode(dataset.PromptOnly{Prompt: chat("\xff", "Hi")}), "prompt[0].role: invalid UTF-8")
}

// broken is a disk that is full after n bytes.
type broken struct{ n int }

func (w *broken) Write(b []byte) (int, error) {
	if w.n -= len(b); w.n < 0 {
		return 0, errDisk
	}
	return len(b), nil
}

func TestWriteFailed(t *testing.T) {
	e := parquet.Writer[dataset.PromptOnly]{RowGroup: 10}.NewEncoder(&broken{500})
	var err error
	for i := 0; err == nil; i++ {
		require.Less(t, i, 1000)
		err = e.Encode(dataset.PromptOnly{Prompt: text(strings.Repeat("x", i+1))})
	}
	assert.ErrorIs(t, err, errDisk)
	assert.ErrorIs(t, e.Encode(dataset.PromptOnly{Prompt: text("x")}), errDisk)
	assert.ErrorIs(t, e.Close(), errDisk)

	e = parquet.Writer[dataset.PromptOnly]{RowGroup: -1}.NewEncoder(&broken{500})
	assert.EqualError(t, e.Encode(dataset.PromptOnly{Prompt: text("x")}), "parquet: Writer.RowGroup is -1, must not be negative")
	assert.Error(t, e.Close())
	_, err = parquet.Create[dataset.Pair](filepath.Join(t.TempDir(), "no", "such"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestOthersRead holds what pyarrow and datasets read from a file of this package against the records as JSONL. It needs a
// Python that has them (testdata/requirements.txt), named by PREFGRAD_PYTHON.
func TestOthersRead(t *testing.T) {
	python := os.Getenv("PREFGRAD_PYTHON")
	if python == "" {
		t.Skip("PREFGRAD_PYTHON is not set")
	}
	for _, name := range []string{"plain", "chat"} {
		pairs := whole(t, dataset.Pairs(golden(name+".jsonl")))
		path := filepath.Join(t.TempDir(), "out.parquet")
		e, err := parquet.Writer[dataset.Pair]{RowGroup: 7}.Create(path)
		require.NoError(t, err)
		for _, p := range pairs {
			require.NoError(t, e.Encode(p))
		}
		require.NoError(t, e.Close())
		out, err := exec.Command(python, golden("check.py"), path, golden(name+".jsonl")).CombinedOutput()
		var failed *exec.ExitError
		require.False(t, errors.As(err, &failed), "%s", out)
		require.NoError(t, err)
	}
}
