package gomlx

import g "github.com/gomlx/gomlx/core/graph"

// sides are the model that a pass scores and the reference.
type sides struct {
	s   *scorer
	ref *scorer // nil: none
}

// lock keeps parameters from changing until the function that it returns is called.
func (x sides) lock() (unlock func()) {
	x.s.changing.RLock()
	if x.ref == nil {
		return x.s.changing.RUnlock
	}
	x.ref.changing.RLock()
	return func() {
		x.ref.changing.RUnlock()
		x.s.changing.RUnlock()
	}
}

// args returns the inputs of an execution: parameters, those of the reference where it
// is needed, the chunk, the seed of its dropout if there is one.
func (x sides) args(want fields, c *chunk, drop *seed) ([]any, error) {
	args, b := x.s.args(), x.s.backend
	if want&klDiv != 0 {
		if x.ref.base != x.s.base {
			args = appendTensors(args, x.ref.base.t)
		}
		if x.ref.adapter != nil {
			args = appendTensors(args, x.ref.adapter.t)
		}
	}
	ids, err := upload(b, c.ids, c.rows, c.length)
	if err != nil {
		return nil, err
	}
	if args, err = donate(args, b, []*tensor{ids}); err != nil {
		return nil, err
	}
	if args, err = uploadInts(args, b, c.from, c.label); err != nil {
		return nil, err
	}
	if drop != nil {
		args = append(args, drop.state())
	}
	return args, nil
}

// args returns a model's parameters.
func (s *scorer) args() []any {
	args := appendTensors(nil, s.base.t)
	if s.adapter != nil {
		args = appendTensors(args, s.adapter.t)
	}
	return args
}

// rows are the rows of logits of a chunk in a graph.
type rows struct {
	z, labels, ref *g.Node   // ref: the reference's logits; nil if they are not wanted
	trained        []*g.Node // the parameters to differentiate
}

// build turns the inputs into the rows of a chunk.
func (x sides) build(in []*g.Node, key program) rows {
	n, in := x.s.net(in, nil)
	out := rows{trained: n.base}
	if n.lora != nil {
		out.trained = n.adapter
	}
	var r *net
	if key.fields&klDiv != 0 {
		shared := n.base
		if x.ref.base != x.s.base {
			shared = nil
		}
		r, in = x.ref.net(in, shared)
	}
	ids, from := in[0], g.ExpandAxes(in[1], -1)
	out.labels = in[2]
	if key.dropout {
		n.dropout = in[3]
	}
	h, _ := n.hidden(ids, n.causal(ids.Graph(), ids.Shape().Dim(1)))
	out.z = n.logits(g.Gather(h, from))
	if r != nil {
		h, _ := r.hidden(ids, r.causal(ids.Graph(), ids.Shape().Dim(1)))
		out.ref = g.StopGradient(r.logits(g.Gather(h, from)))
	}
	return out
}

// net takes a model's parameters from the front of in and returns the rest. shared, if
// not nil, is its base.
func (s *scorer) net(in, shared []*g.Node) (*net, []*g.Node) {
	n := &net{cfg: s.cfg, base: shared}
	if shared == nil {
		k := len(s.base.specs)
		n.base, in = in[:k], in[k:]
	}
	if s.adapter != nil {
		k := len(s.adapter.specs)
		n.lora, n.adapter, in = s.lora, in[:k], in[k:]
	}
	return n, in
}
