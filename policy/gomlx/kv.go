package gomlx

import (
	"errors"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	g "github.com/gomlx/gomlx/core/graph"
)

// kv is a key–value cache: of each layer keys and values of shape
// [rows, length, KVHeads, HeadDim].
type kv struct {
	rows, length int
	t            []*tensor // keys and values of layer 0, of layer 1, …
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
	args := s.args()
	for _, in := range []struct {
		data []int32
		dims []int
	}{{ids, []int{rows, length}}, {last, []int{rows, 1}}} {
		t, err := upload(s.backend, in.data, in.dims...)
		if err != nil {
			return err
		}
		if args, err = donate(args, s.backend, []*tensor{t}); err != nil {
			return err
		}
	}
	out, err := s.programs.run(s.backend, program{kind: prefilling}, args, func(in []*g.Node) []*g.Node {
		n, in := s.net(in, nil)
		ids, last := in[0], in[1]
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
	index := make([]int32, width)
	copy(index, from)
	t, err := upload(s.backend, index, width, 1)
	if err != nil {
		return err
	}
	args := appendTensors([]any{t}, source.t)
	out, err := s.programs.run(s.backend, program{kind: moving, grow: length}, args, func(in []*g.Node) []*g.Node {
		var out []*g.Node
		for _, x := range in[1:] {
			x = g.Gather(x, in[0])
			if more := length - x.Shape().Dim(1); more > 0 {
				x = g.GrowRight(x, 1, more, 0)
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
	err = errors.Join(d.slots.close(), release([]*tensor{t}))
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
	args := s.args()
	for _, data := range [][]int32{ids, at, write} {
		t, err := upload(s.backend, data, width)
		if err != nil {
			return err
		}
		if args, err = donate(args, s.backend, []*tensor{t}); err != nil {
			return err
		}
	}
	args, err := donate(args, s.backend, d.slots.t)
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
	rows, length := ids.Shape().Dim(0), caches[0].Shape().Dim(1)
	half := s.cfg.HeadDim / 2
	cos, sin := s.cfg.turns(length)
	turn := func(table []float32) *g.Node {
		t := g.Reshape(g.Const(graph, table), length, half)
		return g.Reshape(g.Gather(t, g.ExpandAxes(at, -1)), rows, 1, 1, half)
	}
	key := g.Iota(graph, shapes.Make(dtypes.Int32, rows, length), 1)
	spread := func(x *g.Node) *g.Node { return g.BroadcastToDims(g.ExpandAxes(x, -1), rows, length) }
	here := g.Reshape(g.Equal(key, spread(write)), rows, length, 1, 1)
	h, all := n.hidden(g.ExpandAxes(ids, -1), site{
		cos:  turn(cos),
		sin:  turn(sin),
		mask: g.Reshape(g.LessOrEqual(key, spread(at)), rows, 1, 1, 1, length),
		with: func(layer int, own cache) cache {
			put := func(old, x *g.Node) *g.Node {
				dims := old.Shape().Dimensions
				return g.Where(g.BroadcastToDims(here, dims...), g.BroadcastToDims(x, dims...), old)
			}
			return cache{put(caches[2*layer], own.k), put(caches[2*layer+1], own.v)}
		},
	})
	return append([]*g.Node{n.logits(h)}, flatten(all)...)
}
