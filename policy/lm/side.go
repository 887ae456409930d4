package lm

import (
	"context"

	"github.com/prefgrad/prefgrad/policy/logits"
)

// side is what a pass computes of one of its models.
type side struct {
	net    *net // nil: there is none
	layer  *layer
	base   []float64 // of each sequence
	active []int32   // of each row
	hidden []float32 // of each row
	done   bool      // for the current batch
}

func (s *side) setBase(p *pass, i int) error {
	d := s.net.cfg.Dim
	lo := p.batch.Begin[i]
	if p.bad[i] == nil {
		s.net.base(s.base[i*d:i*d+d], p.batch.IDs[lo:lo+p.batch.Prompt[i]])
	}
	return nil
}

func (s *side) setHidden(p *pass, w, tile int) error {
	var past [maxOrder]int32
	d, order := s.net.cfg.Dim, s.net.cfg.Order
	lo, hi := p.tile(tile)
	for r := lo; r < hi; r++ {
		i, at := int(p.seq[r]), p.pos[r]
		active := s.active[r*order : r*order+order]
		history(past[:order], p.batch.IDs[p.batch.Begin[i]:at])
		s.net.active(active, past[:order])
		s.net.hidden(s.hidden[r*d:r*d+d], p.workers[w].sum[:d], s.base[i*d:i*d+d], active)
	}
	return nil
}

// rowsOf returns the context vectors of rows lo to hi.
func (s *side) rowsOf(lo, hi int) []float32 { return s.hidden[lo*s.net.cfg.Dim : hi*s.net.cfg.Dim] }

// prepare computes the context vectors of one side.
func (p *pass) prepare(ctx context.Context, s *side, base, hidden func(worker, piece int) error) error {
	n, rows := p.batch.Len(), len(p.pos)
	s.base = grow(s.base, n*s.net.cfg.Dim)
	s.active = grow(s.active, rows*s.net.cfg.Order)
	s.hidden = grow(s.hidden, rows*s.net.cfg.Dim)
	if err := p.run(ctx, n, base); err != nil {
		return err
	}
	if err := p.run(ctx, p.tiles(), hidden); err != nil {
		return err
	}
	s.done = true
	return nil
}

// logitsOf returns the logits of rows lo to hi on side s, computed in z or, if that is
// nil, in *room.
func (s *side) logitsOf(z []float32, room *[]float32, lo, hi int) logits.Rows {
	l := s.layer
	if z == nil {
		*room = grow(*room, tileRows*l.stride)
		z = *room
	}
	l.logits(z, l.stride, s.rowsOf(lo, hi))
	return l.rows(z, hi-lo)
}

func (l *layer) rows(z []float32, n int) logits.Rows {
	return logits.Rows{Data: z, N: n, Vocab: l.vocab, Stride: l.stride}
}
