package parquet

import (
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
	"github.com/prefgrad/prefgrad/dataset"
)

// kind is what a column of a record holds.
type kind uint8

const (
	isText   kind = iota // text or a conversation
	isString             // text only
	isNumber
	isTruth
)

var wants = [...]string{isText: "texts or lists of messages", isString: "texts", isNumber: "numbers", isTruth: "truth values"}

// field is a column that records of a type have.
type field struct {
	name     string
	kind     kind
	required bool
}

const (
	prompt = iota
	chosen
	rejected
	margin
	refChosen
	refRejected
	fingerprint
	completion = 1 // of an unpaired record
	label      = 2
)

var (
	pairFields = []field{
		prompt: {"prompt", isText, false}, chosen: {"chosen", isText, true}, rejected: {"rejected", isText, true},
		margin:    {"margin", isNumber, false},
		refChosen: {"ref_chosen_logps", isNumber, false}, refRejected: {"ref_rejected_logps", isNumber, false},
		fingerprint: {"ref_fingerprint", isString, false},
	}
	unpairedFields = []field{prompt: {"prompt", isText, true}, completion: {"completion", isText, true}, label: {"label", isTruth, true}}
	promptFields   = []field{prompt: {"prompt", isText, true}}
)

func fieldsOf[T dataset.Record]() []field {
	switch any(*new(T)).(type) {
	case dataset.Pair:
		return pairFields
	case dataset.Unpaired:
		return unpairedFields
	}
	return promptFields
}

// column reads one field of every record. Without leaf and list, the file does not have the column.
type column struct {
	field
	leaf *leaf
	list *list
}

// columns finds the columns of a file. The error is about the whole file.
func (f *file) columns(fields []field, maxPage int) (columns []column, bad *dataset.Error) {
	err := guard(func() error {
		columns, bad = f.find(fields, maxPage)
		return nil
	})
	if err != nil {
		return nil, f.in.broken(err)
	}
	return columns, bad
}

func (f *file) find(fields []field, maxPage int) ([]column, *dataset.Error) {
	columns := make([]column, len(fields))
	for i, want := range fields {
		columns[i].field = want
		same := slices.DeleteFunc(slices.Clone(f.Root().Columns()), func(c *parquet.Column) bool { return c.Name() != want.name })
		switch {
		case len(same) > 1:
			return nil, &dataset.Error{Field: want.name, Kind: dataset.DuplicateField}
		case len(same) == 0 && want.required:
			return nil, &dataset.Error{Field: want.name, Kind: dataset.MissingField, Err: fmt.Errorf("the file has no such column")}
		case len(same) == 0 || onlyNulls(same[0]):
			continue
		}
		if err := columns[i].find(same[0], maxPage); err != nil {
			return nil, err
		}
	}
	return columns, nil
}

// find takes the field's column, if its type is right.
func (c *column) find(col *parquet.Column, maxPage int) *dataset.Error {
	if col.Leaf() && !col.Repeated() && holds(col, c.kind) {
		c.leaf = newLeaf(col, maxPage)
		return nil
	}
	if c.kind == isText {
		if item, wrapped := element(col); item != nil && (item.Column("role") != nil || item.Column("content") != nil) {
			return c.messages(col, item, wrapped, maxPage)
		}
	}
	return wrongColumn(c.name, wants[c.kind], col)
}

// messages takes a list of messages.
func (c *column) messages(col, item *parquet.Column, wrapped bool, maxPage int) *dataset.Error {
	c.list = &list{element: byte(item.MaxDefinitionLevel())}
	repeated := item
	if wrapped {
		repeated = col.Columns()[0]
	}
	c.list.filled = byte(repeated.MaxDefinitionLevel())
	c.list.empty = c.list.filled - 1
	for _, part := range []struct {
		name string
		leaf **leaf
	}{{"role", &c.list.role}, {"content", &c.list.content}} {
		path := c.name + "[]." + part.name
		switch col := item.Column(part.name); {
		case col == nil:
			return &dataset.Error{Field: path, Kind: dataset.MissingField, Err: fmt.Errorf("the messages have no such member")}
		case !col.Leaf() || col.Repeated() || !holds(col, isString):
			return wrongColumn(path, wants[isString], col)
		default:
			*part.leaf = newLeaf(col, maxPage)
		}
	}
	return nil
}

// element returns the column of a list's elements, nil if it is no list. Lists of today have a repeated group around each
// element; older ones repeat the element itself, within a group or bare.
func element(col *parquet.Column) (item *parquet.Column, wrapped bool) {
	if col.Repeated() {
		return col, false
	}
	if len(col.Columns()) != 1 || !col.Columns()[0].Repeated() {
		return nil, false
	}
	repeated := col.Columns()[0]
	if len(repeated.Columns()) == 1 && !repeated.Columns()[0].Repeated() {
		return repeated.Columns()[0], true
	}
	return repeated, true
}

func logical(col *parquet.Column) format.LogicalTypeValue {
	if t := col.Type().LogicalType(); t != nil {
		return t.Value
	}
	return nil
}

// onlyNulls reports whether the column was written without a type, because all its values are null.
func onlyNulls(col *parquet.Column) bool {
	_, ok := logical(col).(*format.NullType)
	return col.Leaf() && ok
}

// holds reports whether the values of a leaf are of a kind.
func holds(col *parquet.Column, k kind) bool {
	bare, whole := false, false
	switch logical(col).(type) {
	case nil, *format.StringType, *format.EnumType:
		bare = true
	case *format.IntType:
		whole = true
	}
	switch col.Type().Kind() {
	case parquet.ByteArray:
		return bare && (k == isText || k == isString)
	case parquet.Boolean:
		return bare && k == isTruth
	case parquet.Int32, parquet.Int64:
		return (bare || whole) && k == isNumber
	case parquet.Float, parquet.Double:
		return bare && k == isNumber
	}
	return false
}

func wrongColumn(field, want string, col *parquet.Column) *dataset.Error {
	return &dataset.Error{Field: field, Kind: dataset.WrongType, Err: fmt.Errorf("want a column of %s, have %s", want, describe(col))}
}

// describe names the type of a column.
func describe(col *parquet.Column) string {
	item, _ := element(col)
	_, isMap := logical(col).(*format.MapType)
	switch t := logical(col); {
	case item != nil && item != col && !isMap:
		return "lists of " + describe(item)
	case t != nil:
		return t.String()
	case col.Leaf():
		return col.Type().Kind().String()
	case col.Repeated():
		return "repeated groups"
	}
	return "groups"
}
