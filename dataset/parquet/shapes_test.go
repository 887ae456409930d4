package parquet_test

import (
	"bytes"
	"testing"

	library "github.com/parquet-go/parquet-go"
	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type message struct {
	Role    string `parquet:"role"`
	Content string `parquet:"content"`
}

// made writes rows by the library alone.
func made[R any](t *testing.T, schema *library.Schema, rows ...R) []byte {
	var b bytes.Buffer
	w := library.NewGenericWriter[R](&b, schema)
	_, err := w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// TestOldLists: lists of two levels, where the repeated group is the element itself, and of one.
func TestOldLists(t *testing.T) {
	type row struct {
		Prompt   string    `parquet:"prompt"`
		Chosen   []message `parquet:"chosen"`
		Rejected []message `parquet:"rejected"`
	}
	yes := []message{{"user", "Hi"}, {"assistant", "yes"}}
	no := []message{{"user", "Hi"}, {"assistant", "no"}, {"tool", ""}}
	rows := []row{{"Hi", yes, no}, {"Hi", nil, no}, {"Hi", no, yes}}
	want := []dataset.Pair{
		{Prompt: chat("user", "Hi"), Chosen: chat("assistant", "yes"), Rejected: chat("assistant", "no", "tool", ""), At: dataset.Position{File: "in", Line: 1}},
		{Prompt: chat("user", "Hi"), Chosen: chat("assistant", "no", "tool", ""), Rejected: chat("assistant", "yes"), At: dataset.Position{File: "in", Line: 3}},
	}
	element := library.Repeated(library.Group{"role": library.String(), "content": library.Optional(library.String())})
	for _, c := range []struct {
		name string
		node library.Node
	}{
		{"bare", element},
		{"array", library.Optional(library.Group{"array": element})},
		{"required", library.Group{"array": element}},
	} {
		t.Run(c.name, func(t *testing.T) {
			schema := library.NewSchema("old", library.Group{"prompt": library.String(), "chosen": c.node, "rejected": c.node})
			var data bytes.Buffer
			w := library.NewGenericWriter[any](&data, schema)
			for _, r := range rows {
				_, err := w.WriteRows([]library.Row{oldRow(schema, r.Chosen, r.Prompt, r.Rejected)})
				require.NoError(t, err)
			}
			require.NoError(t, w.Close())
			good, bad := collect(inMemory[dataset.Pair](data.Bytes()))
			assert.Equal(t, want, good)
			assert.Equal(t, []finding{{2, "chosen", dataset.EmptyField}}, findings(t, bad))
		})
	}
	good, bad := collect(inMemory[dataset.Pair](made(t, nil, rows...)))
	assert.Equal(t, want, good, "as the library writes slices")
	assert.Equal(t, []finding{{2, "chosen", dataset.EmptyField}}, findings(t, bad))
}

// oldRow makes the row of columns in alphabetical order: content and role of chosen, prompt, content and role of rejected.
func oldRow(schema *library.Schema, chosen []message, prompt string, rejected []message) (row library.Row) {
	level := func(path ...string) int {
		leaf, _ := schema.Lookup(path...)
		return leaf.MaxDefinitionLevel
	}
	path := []string{"chosen"}
	if _, ok := schema.Lookup("chosen", "role"); !ok {
		path = append(path, "array")
	}
	roles := level(append(path, "role")...)
	list := func(ms []message, column int) {
		for _, part := range []func(m message) (string, int){
			func(m message) (string, int) { return m.Content, roles + 1 },
			func(m message) (string, int) { return m.Role, roles },
		} {
			if len(ms) == 0 {
				row = append(row, library.NullValue().Level(0, roles-1, column))
			}
			for i, m := range ms {
				s, def := part(m)
				row = append(row, library.ValueOf(s).Level(min(i, 1), def, column))
			}
			column++
		}
	}
	list(chosen, 0)
	row = append(row, library.ValueOf(prompt).Level(0, 0, 2))
	list(rejected, 3)
	return row
}

func TestInvalidUTF8(t *testing.T) {
	type plain struct {
		Prompt   string `parquet:"prompt"`
		Chosen   []byte `parquet:"chosen"` // a bare byte array
		Rejected string `parquet:"rejected,dict"`
	}
	good, bad := collect(inMemory[dataset.Pair](made(t, nil, plain{"Hi", []byte("yes"), "no"}, plain{"Hi", []byte("\xff"), "no"}, plain{"Hi", []byte("yes"), "\xff"}, plain{"H\xed\xa0\x80", []byte("yes"), "no"})))
	assert.Equal(t, []dataset.Pair{{Prompt: text("Hi"), Chosen: text("yes"), Rejected: text("no"), At: dataset.Position{File: "in", Line: 1}}}, good)
	assert.Equal(t, []finding{{2, "chosen", dataset.InvalidUTF8}, {3, "rejected", dataset.InvalidUTF8}, {4, "prompt", dataset.InvalidUTF8}}, findings(t, bad))

	type talk struct {
		Prompt []message `parquet:"prompt"`
	}
	_, bad = collect(inMemory[dataset.PromptOnly](made(t, nil, talk{[]message{{"user", "a"}, {"user", "\xff"}}}, talk{[]message{{"\xff", "a"}}})))
	assert.Equal(t, []finding{{1, "prompt[1].content", dataset.InvalidUTF8}, {2, "prompt[0].role", dataset.InvalidUTF8}}, findings(t, bad))
}
