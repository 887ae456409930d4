package parquet

import (
	"cmp"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// group is a group of nodes in the order of names; the library's own is in alphabetical order.
type group struct {
	parquet.Group
	names []string
}

func (g group) Fields() []parquet.Field {
	fields := g.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int {
		return cmp.Compare(slices.Index(g.names, a.Name()), slices.Index(g.names, b.Name()))
	})
	return fields
}

func (g *group) add(name string, node parquet.Node) {
	if g.Group == nil {
		g.Group = parquet.Group{}
	}
	g.Group[name] = node
	g.names = append(g.names, name)
}

// Every column may be null, as in the files of pyarrow, so that files of different origin can be read as one data set.

func textNode() parquet.Node {
	return parquet.Optional(parquet.Encoded(parquet.String(), &parquet.Plain))
}

func chatNode() parquet.Node {
	var message group
	message.add("role", parquet.Optional(parquet.Encoded(parquet.String(), &parquet.RLEDictionary)))
	message.add("content", textNode())
	return parquet.Optional(parquet.List(parquet.Optional(message)))
}

// Definition levels of a message's members in chatNode, all there; the columns of a conversation repeat at level 1.
const memberLevel = 4

// tree returns the schema of a file.
func tree(fields []field, has func(int) bool, isChat bool) *parquet.Schema {
	var root group
	for i, f := range fields {
		if !has(i) {
			continue
		}
		node := textNode()
		switch {
		case f.kind == isText && isChat:
			node = chatNode()
		case f.kind == isNumber:
			node = parquet.Optional(parquet.Leaf(parquet.DoubleType))
		case f.kind == isTruth:
			node = parquet.Optional(parquet.Leaf(parquet.BooleanType))
		}
		root.add(f.name, node)
	}
	return parquet.NewSchema("schema", root)
}
