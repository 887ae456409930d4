package parquet

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/prefgrad/prefgrad/dataset"
)

// Writer makes encoders. The zero value is ready.
type Writer[T dataset.Record] struct {
	// RowGroup is the greatest number of rows in a row group, which an [Encoder] holds in memory; a row group also ends
	// where its texts have 64 MiB. 0 means 10,000; a negative value is an error.
	RowGroup int

	// Margin and Ref make columns for the margin and for the reference's log-probabilities and fingerprint of pairs, even
	// if the first pair has none.
	Margin, Ref bool
}

const (
	defaultRowGroup = 10_000
	rowGroupBytes   = 64 << 20
)

// Encoder writes records of one type as a Parquet file (Snappy) that [Reader] reads back as they are, positions apart.
// The first record decides the columns: texts or conversations, and which of the optional ones there are (but see
// [Writer]). Not safe for concurrent use. Make one with [Create], [NewEncoder] or a [Writer].
type Encoder[T dataset.Record] struct {
	config Writer[T]
	to     io.Writer
	file   io.Closer // nil if the caller's
	out    *parquet.GenericWriter[any]
	fields []field
	start  []int // of each field, its first column; −1: the file does not have it
	isChat bool
	row    parquet.Row
	rows   int // of the row group
	bytes  int
	err    error // of the configuration or the writer, for good
}

// Create makes a file and returns an encoder that writes to it, with default settings. The file is whole only once
// [Encoder.Close] has returned nil.
func Create[T dataset.Record](path string) (*Encoder[T], error) { return Writer[T]{}.Create(path) }

// NewEncoder returns an encoder that writes to w, with default settings. It does not close w. It
// panics if w is nil.
func NewEncoder[T dataset.Record](w io.Writer) *Encoder[T] { return Writer[T]{}.NewEncoder(w) }

// Create is as the function of this name.
func (wr Writer[T]) Create(path string) (*Encoder[T], error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	e := wr.NewEncoder(f)
	e.file = f
	return e, nil
}

// NewEncoder is as the function of this name.
func (wr Writer[T]) NewEncoder(w io.Writer) *Encoder[T] {
	if w == nil {
		panic("parquet: nil io.Writer")
	}
	e := &Encoder[T]{config: wr, to: w}
	if wr.RowGroup < 0 {
		e.err = fmt.Errorf("parquet: Writer.RowGroup is %d, must not be negative", wr.RowGroup)
	}
	return e
}

// Encode writes one record, after the checks of its Resolve method: what a reader would not deliver is an error, as is a
// record that has no place in the columns of the first ([*dataset.Error], or that of the writer), and is not written. The
// prompt is always written as a column of its own.
func (e *Encoder[T]) Encode(record T) error {
	if e.err != nil {
		return e.err
	}
	cells, at, err := cellsOf(record)
	if err != nil {
		return err
	}
	if e.out == nil {
		e.begin(cells)
	}
	if bad := e.fill(cells); bad != nil {
		return located(bad, at)
	}
	if _, e.err = e.out.WriteRows([]parquet.Row{e.row}); e.err != nil {
		return e.err
	}
	limit := e.config.RowGroup
	if limit == 0 {
		limit = defaultRowGroup
	}
	if e.rows++; e.rows == limit || e.bytes >= rowGroupBytes {
		e.err = e.out.Flush()
		e.rows, e.bytes = 0, 0
	}
	return e.err
}

// Close writes the footer and closes the file, if Create made one. It must be called once. Without any record the file has
// the columns that every record has, as texts, and no rows.
func (e *Encoder[T]) Close() error {
	err := e.err
	if err == nil {
		if e.out == nil {
			e.begin(make([]cell, len(fieldsOf[T]())))
		}
		err = e.out.Close()
	}
	if e.file != nil {
		err = errors.Join(err, e.file.Close())
	}
	return err
}

// begin takes the columns from the first record.
func (e *Encoder[T]) begin(first []cell) {
	e.fields = fieldsOf[T]()
	e.isChat = first[prompt].text.IsChat()
	e.start = make([]int, len(e.fields))
	has := func(i int) bool {
		f := e.fields[i]
		switch {
		case f.required || i == prompt:
			return true
		case i == margin:
			return e.config.Margin || first[i].set
		}
		return e.config.Ref || first[refChosen].set
	}
	next := 0
	for i, f := range e.fields {
		switch {
		case !has(i):
			e.start[i] = -1
		case f.kind == isText && e.isChat:
			e.start[i] = next
			next += 2
		default:
			e.start[i] = next
			next++
		}
	}
	e.out = parquet.NewGenericWriter[any](e.to, tree(e.fields, has, e.isChat), parquet.Compression(&parquet.Snappy),
		parquet.DataPageVersion(1), parquet.DataPageStatistics(false), parquet.CreatedBy("prefgrad", "1", ""))
}

// fill makes the row of the cells.
func (e *Encoder[T]) fill(cells []cell) *dataset.Error {
	e.row = e.row[:0]
	for i, f := range e.fields {
		c, col := cells[i], e.start[i]
		if col < 0 {
			if c.set {
				return &dataset.Error{Kind: dataset.WrongType, Field: f.name, Err: errors.New("the first record has none, so the file has no such column; see Writer")}
			}
			continue
		}
		if c.text.IsChat() != e.isChat && f.kind == isText {
			return &dataset.Error{Kind: dataset.WrongType, Field: f.name, Err: errors.New("text and conversations in one file; the first record decides which")}
		}
		var v parquet.Value
		switch {
		case c.text.IsChat():
			if bad := e.chat(f.name, c.text.Messages, col); bad != nil {
				return bad
			}
			continue
		case !c.set: // null
		case f.kind == isNumber:
			v = parquet.DoubleValue(c.number)
		case f.kind == isTruth:
			v = parquet.BooleanValue(c.truth)
		case !utf8.ValidString(c.text.Plain):
			return &dataset.Error{Kind: dataset.InvalidUTF8, Field: f.name}
		default:
			v = e.text(c.text.Plain)
		}
		e.row = append(e.row, v.Level(0, definition(c.set), col))
	}
	return nil
}

func definition(set bool) int {
	if set {
		return 1
	}
	return 0
}

func (e *Encoder[T]) text(s string) parquet.Value {
	e.bytes += len(s)
	return parquet.ValueOf(s)
}

// chat adds the values of a conversation: all roles, then all contents.
func (e *Encoder[T]) chat(name string, messages []dataset.Message, col int) *dataset.Error {
	for i, m := range messages {
		if !utf8.ValidString(m.Role) {
			return &dataset.Error{Kind: dataset.InvalidUTF8, Field: fmt.Sprintf("%s[%d].role", name, i)}
		}
		e.row = append(e.row, e.text(m.Role).Level(min(i, 1), memberLevel, col))
	}
	for i, m := range messages {
		if !utf8.ValidString(m.Content) {
			return &dataset.Error{Kind: dataset.InvalidUTF8, Field: fmt.Sprintf("%s[%d].content", name, i)}
		}
		e.row = append(e.row, e.text(m.Content).Level(min(i, 1), memberLevel, col+1))
	}
	return nil
}
