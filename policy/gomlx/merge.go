package gomlx

import (
	"slices"

	g "github.com/gomlx/gomlx/core/graph"
)

// Merge returns a model without an adapter that computes what m does: W + (α/r)·B·A in
// the place of each matrix W that the adapter targets. It is a copy. It panics if m has
// no adapter.
func (m *Model) Merge() (*Model, error) {
	if m.adapter == nil {
		panic("gomlx: Merge of a model without an adapter")
	}
	m.changing.RLock()
	defer m.changing.RUnlock()
	return newModel(m.backend, m.cfg, func(i int) ([]float32, error) {
		layer, which := (i-firstLayer)/perLayer, (i-firstLayer)%perLayer
		at := -1
		if i >= firstLayer && i < m.cfg.lastNorm() && slices.Contains(m.lora.which, which) {
			at = m.lora.place(layer, which)
		}
		if at < 0 {
			return m.base.read(i)
		}
		args := []any{m.base.t[i], m.adapter.t[at], m.adapter.t[at+1]}
		out, err := m.programs.run(m.backend, program{kind: merging}, args, func(in []*g.Node) []*g.Node {
			change := g.DotGeneral(in[2], []int{1}, nil, in[1], []int{0}, nil)
			return []*g.Node{g.Add(in[0], g.MulScalar(change, m.lora.scale()))}
		})
		if err != nil {
			return nil, err
		}
		merged := weights{specs: m.base.specs[i : i+1], t: out}
		v, err := merged.read(0)
		if err != nil {
			return nil, err
		}
		return v, merged.close()
	})
}
