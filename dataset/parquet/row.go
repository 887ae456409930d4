package parquet

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/prefgrad/prefgrad/dataset"
)

// list reads conversations: the roles and the contents of their messages stand in two columns of the same shape.
type list struct {
	role, content          *leaf
	empty, filled, element byte // definition levels: an empty list, a list with an element, an element that is not null
}

// cell is the value of a field in one row.
type cell struct {
	text   dataset.Text
	number float64
	truth  bool
	set    bool // not null
}

var (
	errRows  = errors.New("a column ends before the last row")
	errShape = errors.New("the columns of roles and contents have different shapes")
)

// leaves calls f with each leaf of the columns.
func leaves(columns []column, f func(*leaf)) {
	for _, c := range columns {
		if c.leaf != nil {
			f(c.leaf)
		}
		if c.list != nil {
			f(c.list.role)
			f(c.list.content)
		}
	}
}

// read reads the field of the next row. bad is what is wrong with the row; after err no column can be read any further.
func (c *column) read(dst *cell) (bad *dataset.Error, err error) {
	*dst = cell{}
	switch {
	case c.list != nil:
		dst.text.Messages, bad, err = c.list.read(c.name)
		dst.set = dst.text.Messages != nil
		return bad, err
	case c.leaf == nil:
		return nil, nil
	}
	def, ok := c.leaf.next()
	if !ok {
		return nil, ended(c.leaf)
	}
	if dst.set = def == c.leaf.max; !dst.set {
		return nil, nil
	}
	switch c.kind {
	case isNumber:
		dst.number = c.leaf.number()
	case isTruth:
		dst.truth = c.leaf.truth()
	default:
		dst.text.Plain = c.leaf.text()
		switch {
		case dst.text.Plain == "" && c.kind == isText:
			return &dataset.Error{Kind: dataset.EmptyField, Field: c.name}, nil
		case !utf8.ValidString(dst.text.Plain):
			return &dataset.Error{Kind: dataset.InvalidUTF8, Field: c.name}, nil
		}
	}
	return nil, nil
}

// ended says why a leaf has no entry where a row should be.
func ended(l *leaf) error {
	if l.err != nil {
		return l.err
	}
	return errRows
}

// read reads the conversation of the next row, nil for null. It goes to the end of the row even if bad.
func (l *list) read(name string) (messages []dataset.Message, bad *dataset.Error, err error) {
	for i := 0; ; i++ {
		role, ok := l.role.next()
		if !ok {
			return nil, nil, ended(l.role)
		}
		content, ok := l.content.next()
		if !ok {
			return nil, nil, ended(l.content)
		}
		if min(role, l.element) != min(content, l.element) || i > 0 && role < l.filled {
			return nil, nil, errShape
		}
		var wrong *dataset.Error
		switch {
		case role == l.empty:
			wrong = &dataset.Error{Kind: dataset.EmptyField, Field: name}
		case role < l.empty:
			// null
		case role < l.element:
			wrong = &dataset.Error{Kind: dataset.WrongType, Field: fmt.Sprintf("%s[%d]", name, i), Err: errors.New("want a message, have null")}
		default:
			var m dataset.Message
			m, wrong = l.message(name, i, role, content)
			messages = append(messages, m)
		}
		if bad == nil {
			bad = wrong
		}
		more := l.role.more()
		if more != l.content.more() {
			if l.role.err != nil || l.content.err != nil {
				return nil, nil, errors.Join(l.role.err, l.content.err)
			}
			return nil, nil, errShape
		}
		if !more {
			return messages, bad, nil
		}
	}
}

// message reads the message whose levels were read.
func (l *list) message(name string, i int, role, content byte) (m dataset.Message, bad *dataset.Error) {
	wrong := func(kind dataset.Kind, member string) (dataset.Message, *dataset.Error) {
		return m, &dataset.Error{Kind: kind, Field: fmt.Sprintf("%s[%d].%s", name, i, member)}
	}
	if role < l.role.max {
		return wrong(dataset.MissingField, "role")
	}
	if content < l.content.max {
		return wrong(dataset.MissingField, "content")
	}
	m = dataset.Message{Role: l.role.text(), Content: l.content.text()}
	if !utf8.ValidString(m.Role) {
		return wrong(dataset.InvalidUTF8, "role")
	}
	if !utf8.ValidString(m.Content) {
		return wrong(dataset.InvalidUTF8, "content")
	}
	return m, nil
}
