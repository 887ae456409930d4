package gomlx

import (
	"context"
	"errors"
	"fmt"
	"math"

	g "github.com/gomlx/gomlx/core/graph"

	"github.com/prefgrad/prefgrad/policy"
)

// Pullback implements policy.TokenPass. A chunk whose weights are all 0 costs nothing.
func (p *pass) Pullback(ctx context.Context, w policy.TokenStats) error {
	if !p.ready {
		panic("gomlx: Pullback without a Forward that succeeded")
	}
	have, err := p.fields(w, len(p.batch.IDs))
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.train == nil {
		return fmt.Errorf("gomlx: pullback of a frozen model: %w", errors.ErrUnsupported)
	}
	p.train.adding.Lock()
	defer p.train.adding.Unlock()
	for i := range p.chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows, err := p.chunks[i].gather(w)
		if err != nil {
			return err
		}
		if rows == nil {
			continue
		}
		if err := p.pull(i, have, rows); err != nil {
			return err
		}
	}
	return nil
}

// gather returns the weights of a chunk's rows for each field, or nil if all are 0.
func (c *chunk) gather(w policy.TokenStats) ([][]float32, error) {
	var all [][]float32
	nonzero := false
	for f, v := range slices4(w) {
		if v == nil {
			continue
		}
		rows := make([]float32, len(c.from)) // 0 where there is only padding
		for row, at := range c.at {
			x := float32(v[at])
			if math.IsNaN(v[at]) || math.IsInf(float64(x), 0) {
				return nil, fmt.Errorf("gomlx: weight %s[%d] is %v", fieldNames[f], at, v[at])
			}
			rows[row] = x
			nonzero = nonzero || x != 0
		}
		all = append(all, rows)
	}
	if !nonzero {
		return nil, nil
	}
	return all, nil
}

// pull executes the backward pass of chunk i: the new gradient replaces the old one.
func (p *pass) pull(i int, have fields, rows [][]float32) error {
	defer p.lock()()
	m := p.train
	if m.grad == nil {
		grad, err := zeros(m.backend, m.trained().specs)
		if err != nil {
			return err
		}
		m.grad = grad
	}
	args, err := p.args(have, &p.chunks[i], p.seed(i))
	if err != nil {
		return err
	}
	for _, v := range rows {
		t, err := upload(m.backend, v, len(v))
		if err != nil {
			return err
		}
		if args, err = donate(args, m.backend, []*tensor{t}); err != nil {
			return err
		}
	}
	k := len(rows)
	if args, err = donate(args, m.backend, m.grad.t); err != nil {
		return errors.Join(err, m.dropGrad())
	}
	x, key := p.sides, program{kind: pulling, fields: have, dropout: p.seeds != nil}
	out, err := p.programs().run(m.backend, key, args, func(in []*g.Node) []*g.Node {
		r := x.build(in, key)
		old := in[len(in)-len(r.trained):]
		w := in[len(in)-len(old)-k : len(in)-len(old)]
		grad := g.Gradient(g.ReduceAllSum(g.Mul(r.z, g.StopGradient(pull(have, r, w)))), r.trained...)
		for j := range grad {
			grad[j] = g.Add(old[j], grad[j])
		}
		return grad
	})
	if err != nil {
		m.grad = nil // its buffers are gone
		return err
	}
	m.grad = &weights{m.trained().specs, out}
	return nil
}
