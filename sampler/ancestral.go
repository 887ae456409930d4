package sampler

import (
	"context"
	"errors"
	"fmt"

	"github.com/prefgrad/prefgrad/policy"
)

// Ancestral writes replies token by token, each drawn from the model's own distribution
// given what stands before it, at a temperature T or after other transforms f:
//
//	y_t ~ softmax(z(x, y_<t)/T)  or  softmax(f(z)),    one uniform number per token, by inversion.
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

	// Transforms, in the order in which they are applied, in place of Temperature, which
	// must then be 1. Their history is the prompt and the reply so far.
	Transforms []Transform

	// Stop holds sequences of at least one token that end a reply: when its last tokens,
	// none of the prompt's, are one of these. They stay in the reply and count in its
	// log-probability. A reply that ends for two reasons has the first of EOS, stop, length.
	Stop [][]int32

	// AtOnce bounds how many sequences are open at a time, for a backend whose memory is
	// short: as many whole prompts as fit, k replies each, but at least one. 0: all. It
	// changes no reply.
	AtOnce int
}

// NewAncestral returns an Ancestral with Temperature 1.
func NewAncestral(d policy.Decoder, eos int32, maxTokens int) *Ancestral {
	return &Ancestral{Decoder: d, EOS: eos, MaxTokens: maxTokens, Temperature: 1}
}

var _ policy.Generator = (*Ancestral)(nil)

// Generate implements [policy.Generator]: all len(prompts)·k replies, or AtOnce of them,
// grow together, one token each per step, and leave the batch when they end. dst.LogProb is
// log-probability at temperature T or after the Transforms, dst.Model the model's own.
//
// Given logits that do not depend on the batch, to the bit, no reply does either: draw
// j of a prompt follows from the prompt, its id, key and j.
//
// Errors: a field out of range, whatever the Decoder returns, and logits that are no
// distribution, named by prompt, sample and token. dst is then unspecified. Generate
// panics if len(ids) ≠ len(prompts) or k < 1, and without a Decoder.
func (a *Ancestral) Generate(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) error {
	if len(ids) != len(prompts) {
		panic("sampler: ids not as many as prompts")
	}
	if k < 1 {
		panic("sampler: k < 1")
	}
	if a.Decoder == nil {
		panic("sampler: Ancestral without Decoder")
	}
	if err := a.check(); err != nil {
		return err
	}
	dst.Tokens.Reset()
	dst.Tokens.Begin = append(dst.Tokens.Begin, 0)
	dst.LogProb, dst.Model, dst.Finish = dst.LogProb[:0], dst.Model[:0], dst.Finish[:0]
	per := len(prompts)
	if a.AtOnce > 0 {
		per = min(per, max(1, a.AtOnce/k))
	}
	for lo := 0; lo < len(prompts); lo += per {
		hi := min(lo+per, len(prompts))
		err := a.generate(ctx, dst, prompts[lo:hi], ids[lo:hi], k, key)
		var bad *rowError
		if errors.As(err, &bad) {
			return fmt.Errorf("sampler: prompt %d, sample %d, token %d: %w", lo+bad.seq/k, bad.seq%k, bad.token, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// generate adds the replies to some prompts to dst.
func (a *Ancestral) generate(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) (err error) {
	d, err := a.Decoder.Open(ctx, prompts, k)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()

	w := newWriting(a, prompts, k)
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
	case a.AtOnce < 0:
		return fmt.Errorf("sampler: AtOnce is %d, must not be negative", a.AtOnce)
	case a.MaxTokens < 1:
		return fmt.Errorf("sampler: MaxTokens is %d, must be at least 1", a.MaxTokens)
	case !(t > 0 && t*0 == 0 && 1/t*0 == 0):
		return fmt.Errorf("sampler: Temperature is %v, must be positive and finite", t)
	case t != 1 && len(a.Transforms) > 0:
		return fmt.Errorf("sampler: Temperature is %v beside Transforms, where it has to take its place", t)
	}
	for i, stop := range a.Stop {
		if len(stop) == 0 {
			return fmt.Errorf("sampler: Stop[%d] is empty", i)
		}
		if err := checkIDs(fmt.Sprintf("sampler: Stop[%d]", i), stop, vocab); err != nil {
			return err
		}
	}
	return checkTransforms(a.Transforms, vocab)
}
