package sampler

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/internal/num"
	"github.com/prefgrad/prefgrad/policy"
)

// Ancestral writes replies token by token, each drawn from the model's own distribution
// given what stands before it, at a temperature T:
//
//	y_t ~ softmax(z(x, y_<t)/T),    one uniform number per token, by inversion.
//
// Use [NewAncestral], or set every field. It is safe for concurrent use if its Decoder
// is, as long as no field changes.
type Ancestral struct {
	Decoder policy.Decoder

	// EOS is the id that ends a reply; −1: no id does. An EOS that was drawn is the
	// last id of its reply and counts in its log-probability.
	EOS int32

	// MaxTokens is the largest number of tokens of a reply, EOS included; at least 1.
	MaxTokens int

	// Temperature is T > 0. 1, the default of NewAncestral, draws from the model; 0 is
	// an error, not a request for the most probable token.
	Temperature float64
}

// NewAncestral returns an Ancestral with Temperature 1.
func NewAncestral(d policy.Decoder, eos int32, maxTokens int) *Ancestral {
	return &Ancestral{Decoder: d, EOS: eos, MaxTokens: maxTokens, Temperature: 1}
}

var _ policy.Generator = (*Ancestral)(nil)

// chunkLogits bounds the logits that are asked for at a time, 16 MiB of them.
const chunkLogits = 1 << 22

// Generate implements [policy.Generator]: all len(prompts)·k replies grow together, one
// token each per step, and leave the batch when they end. dst.LogProb is log-probability
// at temperature T, dst.Model at temperature 1.
//
// Given logits that do not depend on the batch, to the bit, no reply does either: draw
// j of a prompt follows from the prompt, its id, key and j.
//
// Errors: a field out of range, whatever the Decoder returns, and logits that are no
// distribution, named by prompt, sample and token. dst is then unspecified. Generate
// panics if len(ids) ≠ len(prompts) or k < 1.
func (a *Ancestral) Generate(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) (err error) {
	if len(ids) != len(prompts) {
		panic("sampler: ids not as many as prompts")
	}
	if k < 1 {
		panic("sampler: k < 1")
	}
	if err := a.check(); err != nil {
		return err
	}
	d, err := a.Decoder.Open(ctx, prompts, k)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()

	w := newWriting(a, len(prompts)*k)
	for i, id := range ids {
		for j := range k {
			key.Stream(&w.streams[i*k+j], id, j)
		}
	}
	for len(w.live) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.step(ctx, d); err != nil {
			var bad *rowError
			if errors.As(err, &bad) {
				return fmt.Errorf("sampler: prompt %d, sample %d, token %d: %w", bad.seq/k, bad.seq%k, w.steps, bad.err)
			}
			return err
		}
	}
	w.store(dst, prompts, k)
	return nil
}

// check returns an error that names the first field out of range.
func (a *Ancestral) check() error {
	vocab := a.Decoder.Vocab()
	switch t := a.Temperature; {
	case vocab < 1:
		return fmt.Errorf("sampler: Decoder has a vocabulary of %d", vocab)
	case a.EOS < -1 || int(a.EOS) >= vocab:
		return fmt.Errorf("sampler: EOS is %d, must be -1 or in the vocabulary of %d", a.EOS, vocab)
	case a.MaxTokens < 1:
		return fmt.Errorf("sampler: MaxTokens is %d, must be at least 1", a.MaxTokens)
	case !(t > 0 && t*0 == 0 && 1/t*0 == 0):
		return fmt.Errorf("sampler: Temperature is %v, must be positive and finite", t)
	}
	return nil
}

// writing is the state of one Generate.
type writing struct {
	*Ancestral
	vocab   int
	streams []rand.PCG // of each sequence
	finish  []policy.Finish
	length  []int
	steps   int
	live    []int // the sequences that still grow, in ascending order
	growing []int // those of them that go on after this step, and their tokens
	next    []int32
	drawn   []pick // of all steps, one after the other, each in the order of its live sequences

	team    num.Team
	buffers [][]float64 // of each worker, vocab long
	z       []float32
	chunk   []int  // the sequences whose logits stand in z
	into    []pick // where their tokens go
	tile    func(worker, piece int) error
}

// pick is a token with its log-probabilities.
type pick struct {
	id          int32
	logp, model float64
}

// rowError says that a sequence's logits are no distribution.
type rowError struct {
	seq int
	err error
}

func (e *rowError) Error() string { return e.err.Error() }

func newWriting(a *Ancestral, n int) *writing {
	w := &writing{
		Ancestral: a, vocab: a.Decoder.Vocab(),
		streams: make([]rand.PCG, n), finish: make([]policy.Finish, n), length: make([]int, n),
		live: make([]int, n), growing: make([]int, 0, n), next: make([]int32, 0, n),
	}
	for i := range w.live {
		w.live[i] = i
	}
	w.z = make([]float32, min(n, max(1, chunkLogits/w.vocab))*w.vocab)
	w.tile = w.drawTile
	return w
}

// tileLogits is about the number of logits of a piece of work, a few dozen microseconds.
const tileLogits = 1 << 13

// rowsPerTile returns how many sequences make a piece of work.
func (w *writing) rowsPerTile() int { return max(1, tileLogits/w.vocab) }

// step writes one token of every live sequence.
func (w *writing) step(ctx context.Context, d policy.Decode) error {
	begin, rows := len(w.drawn), len(w.z)/w.vocab
	w.drawn = append(w.drawn, make([]pick, len(w.live))...)
	for lo := 0; lo < len(w.live); lo += rows {
		hi := min(lo+rows, len(w.live))
		w.chunk, w.into = w.live[lo:hi], w.drawn[begin+lo:begin+hi]
		if err := d.Logits(ctx, w.z[:len(w.chunk)*w.vocab], w.chunk); err != nil {
			return err
		}
		tiles := (len(w.chunk) + w.rowsPerTile() - 1) / w.rowsPerTile()
		workers := w.team.Workers(tiles)
		for len(w.buffers) < workers {
			w.buffers = append(w.buffers, make([]float64, w.vocab))
		}
		if err := w.team.Run(ctx, workers, tiles, w.tile); err != nil {
			return err
		}
	}
	w.growing, w.next = w.growing[:0], w.next[:0]
	for r, seq := range w.live {
		w.length[seq]++
		switch id := w.drawn[begin+r].id; {
		case id == w.EOS:
			w.finish[seq] = policy.FinishEOS
		case w.length[seq] == w.MaxTokens:
			w.finish[seq] = policy.FinishLength
		default:
			w.growing = append(w.growing, seq)
			w.next = append(w.next, id)
		}
	}
	w.live, w.growing = w.growing, w.live
	w.steps++
	if len(w.live) == 0 {
		return nil
	}
	return d.Append(ctx, w.live, w.next)
}

// drawTile draws the tokens of some sequences of the chunk.
func (w *writing) drawTile(worker, tile int) error {
	rows := w.rowsPerTile()
	for r := tile * rows; r < min((tile+1)*rows, len(w.chunk)); r++ {
		seq := w.chunk[r]
		got, err := token(w.z[r*w.vocab:(r+1)*w.vocab], w.Temperature, &w.streams[seq], w.buffers[worker])
		if err != nil {
			return &rowError{seq, err}
		}
		w.into[r] = got
	}
	return nil
}

// store moves the replies to dst, sequence by sequence.
func (w *writing) store(dst *policy.Rollout, prompts [][]int32, k int) {
	t := &dst.Tokens
	t.Reset()
	t.Begin = append(t.Begin, 0)
	for seq, n := range w.length {
		prompt := prompts[seq/k]
		t.IDs = append(append(t.IDs, prompt...), make([]int32, n)...)
		t.Begin = append(t.Begin, len(t.IDs))
		t.Prompt = append(t.Prompt, len(prompt))
	}
	dst.LogProb = zeros(dst.LogProb, len(t.IDs))
	dst.Model = zeros(dst.Model, len(t.IDs))
	dst.Finish = append(dst.Finish[:0], w.finish...)
	from := w.drawn
	for step := range w.steps {
		for seq, n := range w.length {
			if n <= step {
				continue
			}
			lo, _ := t.Reply(seq)
			t.IDs[lo+step], dst.LogProb[lo+step], dst.Model[lo+step] = from[0].id, from[0].logp, from[0].model
			from = from[1:]
		}
	}
}

// zeros returns n zeros, in the memory of s if that is large enough.
func zeros(s []float64, n int) []float64 {
	if cap(s) < n {
		return make([]float64, n)
	}
	s = s[:n]
	clear(s)
	return s
}
