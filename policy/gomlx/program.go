package gomlx

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"
	g "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

type tensor = tensors.Tensor

// kind says what a program computes.
type kind uint8

const (
	scoring    kind = iota // statistics
	pulling                // gradient + Σ weight × ∇ statistic
	prefilling             // keys and values of prompts, and the logits after them
	stepping               // the same of one more token each
	moving                 // choice of rows and growth of the cache
	merging                // a matrix with its adapter
	norming                // Σ g² of the gradient
	updating               // parameters and moments of the next step
)

// program names a computation of a model. Its graph is compiled once for each shape.
type program struct {
	kind    kind
	fields  fields
	dropout bool
	grow    int // moving: positions of the new cache
}

// programs keeps a model's executors. The zero value is empty.
type programs struct {
	mu     sync.Mutex
	exec   map[program]*g.Exec
	graphs atomic.Int64 // compiled so far
}

// run executes a program, whose graph build makes where it is not there yet.
func (p *programs) run(b compute.Backend, key program, args []any, build func([]*g.Node) []*g.Node) ([]*tensor, error) {
	e, err := p.get(b, key, build)
	if err != nil {
		return nil, fmt.Errorf("gomlx: %w", err)
	}
	out, err := e.Call(args...)
	if err != nil {
		return nil, fmt.Errorf("gomlx: %w", err)
	}
	return out, nil
}

func (p *programs) get(b compute.Backend, key program, build func([]*g.Node) []*g.Node) (*g.Exec, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.exec[key]; e != nil {
		return e, nil
	}
	e, err := g.NewExec(b, func(in []*g.Node) []*g.Node {
		p.graphs.Add(1)
		return build(in)
	})
	if err != nil {
		return nil, err
	}
	if p.exec == nil {
		p.exec = map[program]*g.Exec{}
	}
	p.exec[key] = e.SetMaxCache(-1) // buckets bound the number of shapes
	return e, nil
}

func (p *programs) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.exec {
		e.Finalize()
	}
	p.exec = nil
}
