package lm

import (
	"context"
	"errors"
	"fmt"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/logits"
)

// blockLogits bounds the logits whose gradients are held at a time, blockRows the rows.
// Sums over rows are float32 within a block and float64 across blocks.
const (
	blockLogits = 1 << 22
	blockRows   = 8 * tileRows
)

// rowsPerBlock returns a multiple of tileRows.
func (l *layer) rowsPerBlock() int {
	return max(1, min(blockRows, blockLogits/l.stride)/tileRows) * tileRows
}

// Pullback implements policy.TokenPass.
func (p *pass) Pullback(ctx context.Context, w policy.TokenStats) error {
	if !p.ready {
		panic("lm: Pullback without a Forward")
	}
	for _, f := range fields(w) {
		if f != nil && len(f) != len(p.batch.IDs) {
			panic("lm: weights not as long as the tokens of the last Forward")
		}
	}
	if p.train == nil {
		return fmt.Errorf("lm: pullback of a frozen model: %w", errors.ErrUnsupported)
	}
	p.trains = true
	if w.KL != nil {
		if p.q.net == nil {
			return errReference
		}
		if !p.q.done {
			if err := p.prepare(ctx, &p.q, p.baseQ, p.hiddenQ); err != nil {
				return err
			}
		}
	}
	p.w = w
	defer func() { p.w = policy.TokenStats{} }()
	p.train.adding.Lock()
	defer p.train.adding.Unlock()

	l := p.p.layer
	l.transpose()
	rows := l.rowsPerBlock()
	p.dbase = grow(p.dbase, p.batch.Len()*l.dim)
	clear(p.dbase)
	p.dh = grow(p.dh, rows*l.dim)
	kept := p.kept
	p.kept = false // the gradient overwrites the logits
	for lo := 0; lo < len(p.pos); lo += rows {
		hi := min(lo+rows, len(p.pos))
		p.block = block{lo: lo, hi: hi, hasLogits: kept}
		if kept {
			p.block.dz = p.z[lo*l.stride : hi*l.stride]
		} else {
			p.room = grow(p.room, rows*l.stride)
			p.block.dz = p.room[:(hi-lo)*l.stride]
		}
		if err := p.run(ctx, (hi-lo+tileRows-1)/tileRows, p.back); err != nil {
			return err
		}
		if err := p.run(ctx, (l.vocab+stripe-1)/stripe, p.backOut); err != nil {
			return err
		}
		p.scatter()
	}
	p.scatterBase()
	return nil
}

// block is the range of rows whose gradients are held.
type block struct {
	lo, hi    int
	dz        []float32 // the gradient of their logits
	hasLogits bool      // dz begins as the logits
}

// backTile computes the gradient of the logits of one tile of the block, and from it
// that of the context vectors.
func (p *pass) backTile(w, tile int) error {
	me, l := &p.workers[w], p.p.layer
	lo := p.block.lo + tile*tileRows
	hi := min(lo+tileRows, p.block.hi)
	first, last := lo-p.block.lo, hi-p.block.lo
	dz := p.block.dz[first*l.stride : last*l.stride]
	if !p.block.hasLogits {
		l.logits(dz, l.stride, p.p.rowsOf(lo, hi))
	}
	in := logits.Batch{Logits: l.rows(dz, hi-lo), Labels: p.labels[lo:hi], Temperature: 1, LogZ: p.logZ[lo:hi]}
	if p.w.KL != nil {
		in.Ref = p.q.logitsOf(nil, &me.zq, lo, hi)
	}
	for f, v := range fields(p.w) {
		for r := lo; r < hi && v != nil; r++ {
			me.values[f][r-lo] = v[p.pos[r]]
		}
	}
	if err := logits.Gradient(in.Logits, logits.Stats{}, stats(p.w, &me.values, hi-lo), in); err != nil {
		return p.where(lo, err)
	}
	me.part = grow(me.part, tileRows*l.hiddenStride())
	l.pullHidden(p.dh[first*l.dim:last*l.dim], dz, l.stride, me.part)
	return nil
}

// backStripe adds the gradient of one stripe of the output layer.
func (p *pass) backStripe(w, i int) error {
	me, l := &p.workers[w], p.p.layer
	me.part = grow(me.part, sub*stripe)
	l.pullOut(p.train.grad[p.train.at.out:], p.p.rowsOf(p.block.lo, p.block.hi), p.block.dz, l.stride, i*stripe, me.part)
	return nil
}

// scatter adds the gradients of the block's context vectors to those of the n-grams'
// embeddings, and to the sum of their sequence.
func (p *pass) scatter() {
	d, order := p.p.layer.dim, p.p.net.cfg.Order
	for r := p.block.lo; r < p.block.hi; r++ {
		dh := p.dh[(r-p.block.lo)*d:][:d]
		for _, f := range p.p.active[r*order : r*order+order] {
			widen(p.train.grad[int(f)*d:], dh)
		}
		widen(p.dbase[int(p.seq[r])*d:], dh)
	}
}

// scatterBase adds what the sequences' sums are worth to the gradients of the bias and
// of the prompts' words.
func (p *pass) scatterBase() {
	m := p.train
	d := m.cfg.Dim
	for i, n := range p.batch.Prompt {
		sum := p.dbase[i*d : i*d+d]
		addScaled(m.grad[biasRow*d:], 1, sum)
		if m.at.prompt == noPromptRows {
			continue
		}
		lo := p.batch.Begin[i]
		for _, id := range p.batch.IDs[lo : lo+n] {
			addScaled(m.grad[(m.at.prompt+int(id))*d:], promptScale(n), sum)
		}
	}
}

// addScaled adds a·src to dst.
func addScaled(dst []float64, a float64, src []float64) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] += a * v
	}
}
