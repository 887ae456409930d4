package gomlx

import (
	"errors"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	g "github.com/gomlx/gomlx/core/graph"
)

// kv is a key–value cache: of each layer keys and values of shape
// [rows, KVHeads, length, HeadDim].
type kv struct {
	rows, length int
	t            []*tensor // keys and values of layer 0, of layer 1, …; of slots, 0 beyond the tokens fed
}

func (c *kv) close() error {
	err := release(c.t)
	*c = kv{}
	return err
}

// flatten returns keys and values in the order of kv.
func flatten(caches []cache) []*g.Node {
	var out []*g.Node
	for _, c := range caches {
		out = append(out, c.k, c.v)
	}
	return out
}

// prefill processes the prompts.
func (d *decode) prefill() error {
	s := d.s
	rows, longest := bucket(len(d.prompts), 1), 0
	for _, p := range d.prompts {
		longest = max(longest, len(p))
	}
	length := bucket(longest, shortest)
	ids, last := make([]int32, rows*length), make([]int32, rows)
	for i, p := range d.prompts {
		copy(ids[i*length:], p)
		last[i] = int32(i*length + len(p) - 1)
	}
	s.changing.RLock()
	defer s.changing.RUnlock()
	args, err := uploadInts(s.args(), s.backend, ids, last)
	if err != nil {
		return err
	}
	out, err := s.programs.run(s.backend, program{kind: prefilling}, args, func(in []*g.Node) []*g.Node {
		n, in := s.net(in, nil)
		last := g.ExpandAxes(in[1], -1)
		ids := g.Reshape(in[0], last.Shape().Dim(0), -1)
		h, caches := n.hidden(ids, n.causal(ids.Graph(), ids.Shape().Dim(1)))
		return append([]*g.Node{n.logits(g.Gather(h, last))}, flatten(caches)...)
	})
	if err != nil {
		return err
	}
	d.start = kv{rows, length, out[1:]}
	d.first = make([]float32, rows*s.cfg.Vocab)
	return errors.Join(download(d.first, out[0]), release(out[:1]))
}

// move makes d.slots of the given rows of a cache, at least longest long. rows says what
// they hold.
func (d *decode) move(source *kv, from []int32, rows []slot, longest int) error {
	s, v := d.s, d.s.cfg.Vocab
	width, length := bucket(len(from), 1), max(source.length, bucket(longest, shortest))
	index, fed := make([]int32, width), make([]int32, width)
	copy(index, from)
	for i, r := range rows {
		fed[i] = int32(r.fed)
	}
	args, err := uploadInts(nil, s.backend, index, fed)
	if err != nil {
		return err
	}
	args = appendTensors(args, source.t)
	out, err := s.programs.run(s.backend, program{kind: moving, grow: length}, args, func(in []*g.Node) []*g.Node {
		from, fed := g.ExpandAxes(in[0], -1), g.ExpandAxes(in[1], -1)
		width := from.Shape().Dim(0) // of this shape, not of the call that made the program
		var out []*g.Node
		for _, x := range in[2:] {
			old := x.Shape().Dim(2)
			at := g.Iota(x.Graph(), shapes.Make(dtypes.Int32, width, old), 1)
			there := g.LessThan(at, g.BroadcastToDims(fed, width, old))
			keep := g.Reshape(g.ConvertDType(there, dtypes.Float32), width, 1, old, 1)
			x = g.Mul(g.Gather(x, from), keep)
			if length > old {
				x = g.GrowRight(x, 2, length-old, 0)
			}
			out = append(out, x)
		}
		return out
	})
	if err != nil {
		return err
	}
	logits := make([]float32, width*v)
	if source == &d.slots {
		for i, r := range from {
			copy(logits[i*v:(i+1)*v], d.logits[int(r)*v:])
		}
	}
	err = d.slots.close()
	d.slots, d.rows, d.logits = kv{width, length, out}, rows, logits
	return err
}

// step feeds every row that is behind its next token.
func (d *decode) step() error {
	s, v := d.s, d.s.cfg.Vocab
	width := d.slots.rows
	ids, at, write := make([]int32, width), make([]int32, width), make([]int32, width)
	for r := range width {
		write[r] = -1 // nowhere
	}
	for r, row := range d.rows {
		// A row that is not behind has its last token again, and writes nothing.
		p := row.fed - 1
		if row.fed < d.length(row.sequence) {
			p = row.fed
			write[r] = int32(p)
		}
		at[r], ids[r] = int32(p), d.token(row.sequence, p)
	}
	s.changing.RLock()
	defer s.changing.RUnlock()
	args, err := uploadInts(s.args(), s.backend, ids, at, write)
	if err != nil {
		return err
	}
	args, err = donate(args, s.backend, d.slots.t)
	if err != nil {
		return errors.Join(err, d.slots.close())
	}
	out, err := s.programs.run(s.backend, program{kind: stepping}, args, s.buildStep)
	if err != nil {
		d.slots, d.rows = kv{}, nil // the buffers are gone
		return err
	}
	d.slots.t = out[1:]
	logits := make([]float32, width*v)
	if err := errors.Join(download(logits, out[0]), release(out[:1])); err != nil {
		return err
	}
	for r := range d.rows {
		if write[r] >= 0 {
			row := &d.rows[r]
			row.fed++
			d.fed[row.sequence] = max(d.fed[row.sequence], row.fed-len(d.prompts[row.sequence/d.k]))
			copy(d.logits[r*v:(r+1)*v], logits[r*v:])
		}
	}
	return nil
}

// buildStep makes the graph of one more token for each row: ids, positions, the
// positions to write at, the cache.
func (s *scorer) buildStep(in []*g.Node) []*g.Node {
	n, in := s.net(in, nil)
	ids, at, write, caches := in[0], in[1], in[2], in[3:]
	graph := ids.Graph()
	rows, length := ids.Shape().Dim(0), caches[0].Shape().Dim(2)
	half := s.cfg.HeadDim / 2
	cos, sin := s.cfg.turns(length)
	turn := func(table []float32) *g.Node {
		t := g.Reshape(g.Const(graph, table), length, half)
		return g.Reshape(g.Gather(t, g.ExpandAxes(at, -1)), rows, 1, 1, half)
	}
	key := g.Iota(graph, shapes.Make(dtypes.Int32, rows, length), 1)
	seen := g.LessOrEqual(key, g.BroadcastToDims(g.ExpandAxes(at, -1), rows, length))
	heads := s.cfg.KVHeads
	// Where each row and head writes: a place that holds 0, or with nothing to write the
	// first, to which it adds 0.
	writes := g.BroadcastToDims(g.Reshape(g.GreaterOrEqual(write, g.ZerosLike(write)), rows, 1, 1, 1), rows, heads, 1, s.cfg.HeadDim)
	line := g.MulScalar(g.Iota(graph, shapes.Make(dtypes.Int32, rows, heads), 0), heads)
	line = g.MulScalar(g.Add(line, g.Iota(graph, shapes.Make(dtypes.Int32, rows, heads), 1)), length)
	line = g.Add(line, g.ExpandAxes(g.MaxScalar(write, 0), -1))
	put := func(old, x *g.Node) *g.Node {
		x = g.Where(writes, x, g.ZerosLike(x))
		flat := g.Reshape(old, rows*heads*length, s.cfg.HeadDim)
		flat = g.ScatterSum(flat, g.Reshape(line, rows*heads, 1), g.Reshape(x, rows*heads, s.cfg.HeadDim), true, true)
		return g.ReshapeWithShape(flat, old.Shape())
	}
	h, all := n.hidden(g.ExpandAxes(ids, -1), site{
		cos:  turn(cos),
		sin:  turn(sin),
		mask: g.Reshape(mask(seen), rows, 1, 1, 1, length),
		with: func(layer int, own cache) cache {
			return cache{put(caches[2*layer], own.k), put(caches[2*layer+1], own.v)}
		},
	})
	return append([]*g.Node{n.logits(h)}, flatten(all)...)
}
