package lm

import (
	"context"
	"fmt"

	"github.com/prefgrad/prefgrad/internal/num"
	"github.com/prefgrad/prefgrad/policy"
)

// Open implements [policy.Decoder]. A row of logits has the same bits as in a forward
// pass over the finished sequence, whatever other rows are asked for with it. The
// parameters must not change until Close.
func (m *Model) Open(ctx context.Context, prompts [][]int32, k int) (policy.Decode, error) {
	var l layer
	l.set(&m.net)
	return m.open(ctx, &l, prompts, k)
}

// Open implements [policy.Decoder], as [Model.Open] does.
func (f *Frozen) Open(ctx context.Context, prompts [][]int32, k int) (policy.Decode, error) {
	return f.open(ctx, &f.layer, prompts, k)
}

// decode implements policy.Decode. Between two tokens a sequence is no more than its
// last tokens: there is nothing else to keep.
type decode struct {
	net   *net
	layer *layer
	k     int
	base  []float64 // of each prompt
	past  []int32   // of each sequence, the last Order ids, nearest first

	team   num.Team
	hidden []float32
	sums   []float64 // of each worker
	dst    []float32 // arguments of the call in progress
	rows   []int
	tile   func(worker, piece int) error
}

func (n *net) open(ctx context.Context, l *layer, prompts [][]int32, k int) (policy.Decode, error) {
	if k < 1 {
		panic("lm: k < 1")
	}
	d, order := n.cfg.Dim, n.cfg.Order
	s := &decode{
		net: n, layer: l, k: k,
		base: make([]float64, len(prompts)*d),
		past: make([]int32, len(prompts)*k*order),
	}
	s.tile = s.logitsTile
	for i, prompt := range prompts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for at, id := range prompt {
			if id < 0 || int(id) >= n.cfg.Vocab {
				return nil, &policy.ItemError{Index: i, Err: fmt.Errorf("token %d is %d, outside the vocabulary of %d: %w", at, id, n.cfg.Vocab, policy.ErrPrompt)}
			}
		}
		n.base(s.base[i*d:i*d+d], prompt)
		for j := i * k; j < (i+1)*k; j++ {
			history(s.past[j*order:j*order+order], prompt)
		}
	}
	return s, nil
}

// Logits implements policy.Decode.
func (s *decode) Logits(ctx context.Context, dst []float32, rows []int) error {
	if len(dst) != len(rows)*s.net.cfg.Vocab {
		panic("lm: logits not of length len(rows) × vocabulary")
	}
	d, tiles := s.net.cfg.Dim, (len(rows)+decoding-1)/decoding
	workers := s.team.Workers(tiles)
	s.hidden = grow(s.hidden, workers*decoding*d)
	s.sums = grow(s.sums, workers*d)
	s.dst, s.rows = dst, rows
	return s.team.Run(ctx, workers, tiles, s.tile)
}

func (s *decode) logitsTile(w, tile int) error {
	var active [maxOrder]int32
	d, order := s.net.cfg.Dim, s.net.cfg.Order
	lo, hi := tile*decoding, min((tile+1)*decoding, len(s.rows))
	h := s.hidden[w*decoding*d:][:(hi-lo)*d]
	for r, seq := range s.rows[lo:hi] {
		i := seq / s.k
		s.net.active(active[:order], s.past[seq*order:seq*order+order])
		s.net.hidden(h[r*d:r*d+d], s.sums[w*d:w*d+d], s.base[i*d:i*d+d], active[:order])
	}
	s.layer.logits(s.dst[lo*s.layer.vocab:], s.layer.vocab, h)
	return nil
}

// Append implements policy.Decode. An id outside the vocabulary is an error.
func (s *decode) Append(_ context.Context, rows []int, ids []int32) error {
	if len(rows) != len(ids) {
		panic("lm: rows and ids of different lengths")
	}
	order := s.net.cfg.Order
	for i, seq := range rows {
		if id := ids[i]; id < 0 || int(id) >= s.net.cfg.Vocab {
			return fmt.Errorf("lm: next token of sequence %d is %d, outside the vocabulary of %d: %w", seq, id, s.net.cfg.Vocab, policy.ErrResponse)
		}
		past := s.past[seq*order : seq*order+order]
		copy(past[1:], past)
		past[0] = ids[i]
	}
	return nil
}

// Close implements policy.Decode.
func (s *decode) Close() error { return nil }
