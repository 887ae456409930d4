package parquet_test

import (
	"encoding/binary"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/prefgrad/prefgrad/dataset"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// entry is a message's role or content with its levels. In a column of prompts as pyarrow has them, definition level 4 is
// a value, 3 a null, 2 a null for the message, 1 an empty list, 0 a null for the list.
type entry struct {
	rep, def byte
	s        string
}

// page is a data page of version 1, uncompressed and without a dictionary.
func page(t *testing.T, entries []entry) []byte {
	var rep, def, values []byte
	for _, e := range entries { // runs of one
		rep, def = append(rep, 2, e.rep), append(def, 2, e.def)
		if e.def == 4 {
			values = append(binary.LittleEndian.AppendUint32(values, uint32(len(e.s))), e.s...)
		}
	}
	var data []byte
	for _, levels := range [][]byte{rep, def} {
		data = append(binary.LittleEndian.AppendUint32(data, uint32(len(levels))), levels...)
	}
	data = append(data, values...)
	header, err := thrift.Marshal(new(thrift.CompactProtocol), format.PageHeader{
		Type: format.DataPage, UncompressedPageSize: int32(len(data)), CompressedPageSize: int32(len(data)),
		DataPageHeader: thrift.New(format.DataPageHeader{NumValues: int32(len(entries)), DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE}),
	})
	require.NoError(t, err)
	return append(header, data...)
}

// handmade is a file of prompts with one row group, made of the pages of roles and of contents, because no writer at hand
// makes what it may hold.
func handmade(t *testing.T, rows int64, roles, contents [][]entry) []byte {
	data := []byte("PAR1")
	group := format.RowGroup{NumRows: rows}
	for i, column := range [][][]entry{roles, contents} {
		begin, n := len(data), 0
		for _, entries := range column {
			data = append(data, page(t, entries)...)
			n += len(entries)
		}
		group.Columns = append(group.Columns, format.ColumnChunk{MetaData: format.ColumnMetaData{
			Type: format.ByteArray, PathInSchema: []string{"prompt", "list", "element", []string{"role", "content"}[i]},
			NumValues: int64(n), TotalUncompressedSize: int64(len(data) - begin), TotalCompressedSize: int64(len(data) - begin), DataPageOffset: int64(begin),
		}})
	}
	node := func(name string, children int32, repetition format.FieldRepetitionType) format.SchemaElement {
		e := format.SchemaElement{Name: name, RepetitionType: thrift.New(repetition)}
		if children > 0 {
			e.NumChildren = thrift.New(children)
		} else {
			e.Type = thrift.New(format.ByteArray)
		}
		return e
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), format.FileMetaData{
		Version: 1, NumRows: rows, RowGroups: []format.RowGroup{group}, Schema: []format.SchemaElement{
			node("schema", 1, format.Required), node("prompt", 1, format.Optional), node("list", 1, format.Repeated), node("element", 2, format.Optional),
			node("role", 0, format.Optional), node("content", 0, format.Optional),
		},
	})
	require.NoError(t, err)
	data = append(data, footer...)
	return append(binary.LittleEndian.AppendUint32(data, uint32(len(footer))), "PAR1"...)
}

var (
	u0, u1 = entry{0, 4, "user"}, entry{1, 4, "user"}
	a0, a1 = entry{0, 4, "a"}, entry{1, 4, "b"}
)

// TestRowsAcrossPages: pages of the first version may end within a row, and of each column in another place.
func TestRowsAcrossPages(t *testing.T) {
	data := handmade(t, 3, [][]entry{{u0}, {u1, u1, u0, u1}, {u0, u1}}, [][]entry{{a0, a1}, {}, {a1}, {a0}, {a1, a0, a1}})
	good, bad := collect(inMemory[dataset.PromptOnly](data))
	require.Empty(t, bad)
	two, three := chat("user", "a", "user", "b"), chat("user", "a", "user", "b", "user", "b")
	assert.Equal(t, []dataset.PromptOnly{{Prompt: three}, {Prompt: two}, {Prompt: two}}, unplaced(good))
}

func TestBadShapes(t *testing.T) {
	for _, c := range []struct {
		name            string
		rows            int64
		roles, contents []entry
		line            int
		message         string
	}{
		{"fewer rows than announced", 3, []entry{u0, u0}, []entry{a0, a0}, 3, "a column ends before the last row"},
		{"more rows than announced", 1, []entry{u0, u0}, []entry{a0, a0}, 2, "a column goes on after the last row"},
		{"one column has more rows", 1, []entry{u0}, []entry{a0, a0}, 2, "a column goes on after the last row"},
		{"one column has fewer rows", 2, []entry{u0, u0}, []entry{a0}, 2, "a column ends before the last row"},
		{"one column has fewer messages", 1, []entry{u0, u1}, []entry{a0}, 1, "different shapes"},
		{"one list is null", 1, []entry{u0}, []entry{{0, 0, ""}}, 1, "different shapes"},
		{"one list is null, the other is empty", 1, []entry{{0, 1, ""}}, []entry{{0, 0, ""}}, 1, "different shapes"},
		{"a list goes on after its end", 1, []entry{u0, {1, 1, ""}}, []entry{a0, {1, 1, ""}}, 1, "different shapes"},
		{"a level that there is not", 1, []entry{{0, 7, ""}}, []entry{a0}, 1, "do not fit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, bad := collect(inMemory[dataset.PromptOnly](handmade(t, c.rows, [][]entry{c.roles}, [][]entry{c.contents})))
			require.Len(t, bad, 1)
			assert.Equal(t, []finding{{c.line, "", dataset.Corrupt}}, findings(t, bad))
			assert.ErrorContains(t, bad[0], c.message)
		})
	}
	_, bad := collect(inMemory[dataset.PromptOnly](handmade(t, 2, [][]entry{{{0, 2, ""}, u1, {0, 3, ""}}}, [][]entry{{{0, 2, ""}, a1, a0}})))
	assert.Equal(t, []finding{{1, "prompt[0]", dataset.WrongType}, {2, "prompt[0].role", dataset.MissingField}}, findings(t, bad), "the file is good, its rows are not")
}

// TestPagesOutsideTheFile: what the footer says of places is not believed.
func TestPagesOutsideTheFile(t *testing.T) {
	data := handmade(t, 1, [][]entry{{u0}}, [][]entry{{a0}})
	end := len(data) - 8 - int(binary.LittleEndian.Uint32(data[len(data)-8:]))
	for _, c := range []struct{ from, length int64 }{{0, 10}, {4, 2 * int64(len(data))}, {2 * int64(len(data)), 0}, {1 << 62, 1 << 62}, {4, -1}, {-4, 10}} {
		var footer format.FileMetaData
		require.NoError(t, thrift.Unmarshal(new(thrift.CompactProtocol), data[end:len(data)-8], &footer))
		m := &footer.RowGroups[0].Columns[1].MetaData
		m.DataPageOffset, m.TotalCompressedSize = c.from, c.length
		changed, err := thrift.Marshal(new(thrift.CompactProtocol), footer)
		require.NoError(t, err)
		file := append(append([]byte(nil), data[:end]...), changed...)
		_, bad := collect(inMemory[dataset.PromptOnly](append(binary.LittleEndian.AppendUint32(file, uint32(len(changed))), "PAR1"...)))
		require.Len(t, bad, 1)
		assert.EqualError(t, bad[0], "in:1: corrupt: column prompt.list.element.content of row group 0 lies outside the file")
	}
}
