package gomlx

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// LoRA describes a low-rank adapter (Hu et al. 2021, arXiv:2106.09685): beside each
// matrix W that it targets stand A, R × inputs, and B, outputs × R, and
//
//	y = W·x + (Alpha/R)·B·A·drop(x).
//
// Only A and B are trained. A begins uniform in ±1/√inputs and B at 0, so that a new
// adapter changes nothing. R must be set.
type LoRA struct {
	R     int
	Alpha float64 // Default: R, a factor of 1

	// Dropout is the probability with which an input of A is 0 in passes of a [View] with
	// Dropout, in [0, 1).
	Dropout float64

	// Targets are the modules that get matrices: q_proj, k_proj, v_proj, o_proj,
	// gate_proj, up_proj, down_proj. Default: q_proj and v_proj.
	Targets []string

	Seed uint64 // of A

	which []int // places of the targets within a layer, in order
}

// AllLinear are the names of all matrices of a layer.
func AllLinear() []string {
	var names []string
	for which := range layerNames {
		if isMatrix(which) {
			names = append(names, moduleName(which))
		}
	}
	return names
}

func isMatrix(which int) bool { return which != attentionNorm && which != hiddenNorm }

// moduleName returns the last part of a name: q_proj.
func moduleName(which int) string {
	name := layerNames[which]
	return name[strings.LastIndexByte(name, '.')+1:]
}

// withDefaults returns l with its defaults filled in, or an error that names the field
// and its value.
func (l LoRA) withDefaults() (LoRA, error) {
	if l.Alpha == 0 {
		l.Alpha = float64(l.R)
	}
	if l.Targets == nil {
		l.Targets = []string{"q_proj", "v_proj"}
	}
	if l.R < 1 {
		return l, fmt.Errorf("gomlx: LoRA.R is %d, must be positive", l.R)
	}
	if !(l.Alpha > 0 && l.Alpha <= math.MaxFloat32) {
		return l, fmt.Errorf("gomlx: LoRA.Alpha is %v, must be positive and finite", l.Alpha)
	}
	if !(l.Dropout >= 0 && l.Dropout < 1) {
		return l, fmt.Errorf("gomlx: LoRA.Dropout is %v, must be in [0, 1)", l.Dropout)
	}
	if len(l.Targets) == 0 {
		return l, errors.New("gomlx: LoRA.Targets is empty")
	}
	l.which = nil
	for which := range layerNames {
		if isMatrix(which) && slices.Contains(l.Targets, moduleName(which)) {
			l.which = append(l.which, which)
		}
	}
	for i, t := range l.Targets {
		if !slices.Contains(AllLinear(), t) || slices.Contains(l.Targets[:i], t) {
			return l, fmt.Errorf("gomlx: LoRA.Targets[%d] is %q, must be one of %v, once", i, t, AllLinear())
		}
	}
	return l, nil
}

func (l *LoRA) scale() float64 { return l.Alpha / float64(l.R) }

// place returns the place of A of a matrix, whose B is the next, or −1.
func (l *LoRA) place(layer, which int) int {
	i := slices.Index(l.which, which)
	if i < 0 {
		return -1
	}
	return 2 * (layer*len(l.which) + i)
}

// specs returns the matrices of the adapter in their order. Their names are those of
// PEFT's files.
func (l *LoRA) specs(c Config) []spec {
	var s []spec
	for layer := range c.Layers {
		for _, which := range l.which {
			name := fmt.Sprintf("base_model.model.model.layers.%d.%s.", layer, layerNames[which])
			shape := c.shape(which)
			s = append(s,
				spec{name + "lora_A.weight", []int{l.R, shape[1]}},
				spec{name + "lora_B.weight", []int{shape[0], l.R}})
		}
	}
	return s
}

// LoRA returns a model that computes what m does, with a new adapter that alone is
// trained. It shares m's weights, which are its frozen base: m still scores and writes,
// but its optimizer returns an error from now on. Any number of adapters may stand on
// one base. m must not be an adapter itself.
func (m *Model) LoRA(l LoRA) (*Model, error) {
	l, err := l.withDefaults()
	if err != nil {
		return nil, err
	}
	specs := l.specs(m.cfg)
	r := rand.New(rand.NewPCG(l.Seed, 0))
	return m.adapt(l, func(i int) ([]float32, error) {
		v := make([]float32, specs[i].size())
		if i%2 == 0 {
			bound := 1 / math.Sqrt(float64(specs[i].dims[1]))
			for j := range v {
				v[j] = float32(bound * (2*r.Float64() - 1))
			}
		}
		return v, nil
	})
}

// adapt returns a model with an adapter of the given weights. l has its defaults.
func (m *Model) adapt(l LoRA, value func(i int) ([]float32, error)) (*Model, error) {
	if m.adapter != nil {
		return nil, errors.New("gomlx: a model with an adapter cannot be the base of another")
	}
	adapter, err := newWeights(m.backend, l.specs(m.cfg), value)
	if err != nil {
		return nil, err
	}
	m.isBase.Store(true)
	return &Model{scorer: scorer{backend: m.backend, cfg: m.cfg, base: m.base, lora: &l, adapter: adapter, limits: m.limits}}, nil
}

// Base returns the model without its adapter, to serve as the reference. It shares the
// weights: there is no second copy. It panics if m has no adapter.
func (m *Model) Base() *Frozen {
	if m.adapter == nil {
		panic("gomlx: Base of a model without an adapter")
	}
	return &Frozen{scorer{backend: m.backend, cfg: m.cfg, base: m.base, limits: m.limits}}
}
