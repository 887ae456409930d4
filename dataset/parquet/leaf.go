package parquet

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"
)

// leaf reads one column of values, entry by entry, and holds one page of it and the dictionary. An entry is a value or a
// null: one a row, or several for a list. An entry's definition level says how much of its path is there, its repetition
// level is 0 where a row begins.
type leaf struct {
	col    *parquet.Column
	max    byte // the definition level of a value
	ahead  headers
	pages  *parquet.FilePages
	page   parquet.Page
	rep    []byte // levels of the page's entries, where the column has such
	def    []byte
	pos, n int // the next entry of the page, and how many there are
	val    int // the next value of the page
	values vector
	index  []int32 // into dict, if the page has one
	dict   vector
	known  parquet.Dictionary // what dict was made from
	texts  []string           // of dict, made when first used
	err    error              // why there is no further entry; nil at the end
}

func newLeaf(col *parquet.Column, maxPage int) *leaf {
	l := &leaf{col: col, max: byte(col.MaxDefinitionLevel()), ahead: headers{max: maxPage}}
	if t, ok := logical(col).(*format.IntType); ok {
		l.values.unsigned = !t.IsSigned
	}
	l.dict.unsigned = l.values.unsigned
	return l
}

// open begins with a row group.
func (l *leaf) open(f *file, group int) {
	l.close()
	from, length, err := f.chunk(group, l.col.Index())
	if err == nil {
		err = guard(func() error {
			chunk := f.RowGroups()[group].ColumnChunks()[l.col.Index()].(*parquet.FileColumnChunk)
			l.pages = chunk.PagesFrom(f.in)
			return nil
		})
	}
	l.ahead.in, l.ahead.at, l.ahead.end = f.in, from, from+length
	l.err = err
}

// close gives back what the row group needed.
func (l *leaf) close() {
	l.drop()
	if l.pages != nil {
		l.pages.Close() // only read: nothing is lost if this fails
	}
	l.pages, l.known, l.texts = nil, nil, nil
}

// drop gives back the page.
func (l *leaf) drop() {
	if l.page != nil {
		parquet.Release(l.page)
	}
	l.page, l.rep, l.def, l.index, l.pos, l.n, l.val = nil, nil, nil, nil, 0, 0, 0
}

// next passes to the next entry. Its value, if it is one, is at l.val − 1.
func (l *leaf) next() (def byte, ok bool) {
	if l.pos == l.n && !l.load() {
		return 0, false
	}
	def = l.max
	if l.def != nil {
		def = l.def[l.pos]
	}
	if def == l.max {
		l.val++
	}
	l.pos++
	return def, true
}

// more reports whether another entry of the same row follows.
func (l *leaf) more() bool {
	return (l.pos < l.n || l.load()) && l.rep != nil && l.rep[l.pos] != 0
}

// load reads pages up to one that has entries.
func (l *leaf) load() bool {
	for l.err == nil && l.pages != nil {
		l.drop()
		err := guard(l.read)
		if err == io.EOF {
			return false
		}
		if l.err = err; err == nil && l.n > 0 {
			return true
		}
	}
	return false
}

var errLevels = errors.New("the levels of a page do not fit its column")

// read reads a page and makes sure that every entry of it can be read without a fault.
func (l *leaf) read() (err error) {
	if err := l.ahead.next(); err != nil {
		return err
	}
	if l.page, err = l.pages.ReadPage(); err != nil {
		return err
	}
	l.n = int(l.page.NumValues())
	values := l.n
	if l.max > 0 {
		l.def = l.page.DefinitionLevels()
		if len(l.def) != l.n || l.n > 0 && slices.Max(l.def) > l.max {
			return errLevels
		}
		values = bytes.Count(l.def, []byte{l.max})
	}
	if l.col.MaxRepetitionLevel() > 0 {
		if l.rep = l.page.RepetitionLevels(); len(l.rep) != l.n {
			return errLevels
		}
	}
	dict := l.page.Dictionary()
	if dict == nil {
		return l.values.set(l.page.Data(), values)
	}
	if dict != l.known {
		if err := l.dict.set(dict.Page().Data(), dict.Len()); err != nil {
			return err
		}
		l.known, l.texts = dict, nil
		if l.col.Type().Kind() == parquet.ByteArray {
			l.texts = make([]string, dict.Len())
		}
	}
	if data := l.page.Data(); data.Kind() == encoding.Int32 {
		l.index = data.Int32()
	}
	if len(l.index) < values {
		return errValues
	}
	for _, i := range l.index[:values] {
		if uint(i) >= uint(dict.Len()) {
			return errValues
		}
	}
	return nil
}

// text returns the value that next passed. Equal values of a dictionary share their memory.
func (l *leaf) text() string {
	i := l.val - 1
	if l.index == nil {
		return role(l.values.text(i))
	}
	i = int(l.index[i])
	if l.texts[i] == "" {
		l.texts[i] = string(l.dict.text(i))
	}
	return l.texts[i]
}

// role is string(b), without an allocation for what every message says.
func role(b []byte) string {
	switch string(b) {
	case "user":
		return "user"
	case "assistant":
		return "assistant"
	case "system":
		return "system"
	}
	return string(b)
}

func (l *leaf) number() float64 {
	if i := l.val - 1; l.index == nil {
		return l.values.numbers[i]
	}
	return l.dict.numbers[l.index[l.val-1]]
}

func (l *leaf) truth() bool {
	if i := l.val - 1; l.index == nil {
		return l.values.truth(i)
	}
	return l.dict.truth(int(l.index[l.val-1]))
}
