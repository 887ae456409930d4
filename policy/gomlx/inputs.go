package gomlx

import g "github.com/gomlx/gomlx/core/graph"

// args returns the inputs of an execution: parameters, those of the reference where it
// is needed, the chunk, the seed of its dropout.
func (p *pass) args(i int, want fields) ([]any, error) {
	args := p.s.args()
	if want&klDiv != 0 {
		ref := p.ref()
		if ref.base != p.s.base {
			args = appendTensors(args, ref.base.t)
		}
		if ref.adapter != nil {
			args = appendTensors(args, ref.adapter.t)
		}
	}
	c := &p.chunks[i]
	ids, err := upload(p.s.backend, c.ids, c.rows, c.length)
	if err != nil {
		return nil, err
	}
	from, err := upload(p.s.backend, c.from, len(c.from), 1)
	if err != nil {
		return nil, err
	}
	label, err := upload(p.s.backend, c.label, len(c.label))
	if err != nil {
		return nil, err
	}
	args, err = donate(args, p.s.backend, []*tensor{ids, from, label})
	if err == nil && p.seeds != nil {
		args = append(args, p.seeds[i].state())
	}
	return args, err
}

// args returns a model's parameters.
func (s *scorer) args() []any {
	args := appendTensors(nil, s.base.t)
	if s.adapter != nil {
		args = appendTensors(args, s.adapter.t)
	}
	return args
}

// build turns the inputs into the logits of the rows of a chunk, their labels, the
// reference's logits if key wants KL, and the nodes of the trained parameters.
func (p *pass) build(in []*g.Node, key program) (z, labels, ref *g.Node, trained []*g.Node) {
	n, in := p.s.net(in, nil)
	trained = n.base
	if n.lora != nil {
		trained = n.adapter
	}
	var r *net
	if key.fields&klDiv != 0 {
		shared := n.base
		if p.ref().base != p.s.base {
			shared = nil
		}
		r, in = p.ref().net(in, shared)
	}
	ids, from, labels := in[0], in[1], in[2]
	if key.dropout {
		n.dropout = in[3]
	}
	at := n.causal(ids.Graph(), ids.Shape().Dim(1))
	h, _ := n.hidden(ids, at)
	z = n.logits(g.Gather(h, from))
	if r != nil {
		h, _ := r.hidden(ids, r.causal(ids.Graph(), ids.Shape().Dim(1)))
		ref = g.StopGradient(r.logits(g.Gather(h, from)))
	}
	return z, labels, ref, trained
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
