package gomlx

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prefgrad/prefgrad/policy"
)

// Open implements [policy.Decoder] with a key–value cache in the backend. Prompts are
// processed at once, each of them once; every further token is one execution for all
// sequences that are asked for. Sequences that are no longer asked for leave the cache
// when the others fit a smaller one, and are computed again if they do return. The
// parameters must not change until Close.
//
// A prompt that is empty, longer than Config.MaxLen or has an id outside the vocabulary
// is a [*policy.ItemError]. Open panics if k < 1.
func (s *scorer) Open(ctx context.Context, prompts [][]int32, k int) (policy.Decode, error) {
	if k < 1 {
		panic("gomlx: k < 1")
	}
	d := &decode{s: s, k: k, replies: make([][]int32, len(prompts)*k), fed: make([]int, len(prompts)*k)}
	for i, p := range prompts {
		if err := s.checkPrompt(p); err != nil {
			return nil, &policy.ItemError{Index: i, Err: err}
		}
		d.prompts = append(d.prompts, slices.Clone(p))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(prompts) == 0 {
		return d, nil
	}
	return d, d.prefill()
}

func (s *scorer) checkPrompt(prompt []int32) error {
	if len(prompt) == 0 {
		return fmt.Errorf("empty: the first token has no distribution: %w", policy.ErrPrompt)
	}
	if len(prompt) > s.cfg.MaxLen {
		return fmt.Errorf("%d tokens, the model reads at most %d: %w", len(prompt), s.cfg.MaxLen, policy.ErrPrompt)
	}
	for at, id := range prompt {
		if id < 0 || int(id) >= s.cfg.Vocab {
			return fmt.Errorf("token %d is %d, outside the vocabulary of %d: %w", at, id, s.cfg.Vocab, policy.ErrPrompt)
		}
	}
	return nil
}

// decode implements policy.Decode.
type decode struct {
	s       *scorer
	k       int
	prompts [][]int32
	replies [][]int32 // of each sequence
	fed     []int     // how many tokens of each reply were fed at some time

	start kv        // of the prompts, a row for each
	first []float32 // logits after the prompts

	slots  kv        // of the sequences in work
	rows   []slot    // of each row of slots that is in use
	logits []float32 // after the tokens fed, for each row of slots
}

// slot is a row of the cache in use.
type slot struct{ sequence, fed int }

// length returns the number of tokens of a sequence.
func (d *decode) length(sequence int) int {
	return len(d.prompts[sequence/d.k]) + len(d.replies[sequence])
}

// token returns the token of a sequence at a position.
func (d *decode) token(sequence, at int) int32 {
	prompt := d.prompts[sequence/d.k]
	if at < len(prompt) {
		return prompt[at]
	}
	return d.replies[sequence][at-len(prompt)]
}

// Append implements policy.Decode. It computes nothing. An id outside the vocabulary,
// and one beyond Config.MaxLen, is an error.
func (d *decode) Append(_ context.Context, rows []int, ids []int32) error {
	if len(rows) != len(ids) {
		panic("gomlx: rows and ids of different lengths")
	}
	for i, r := range rows {
		if ids[i] < 0 || int(ids[i]) >= d.s.cfg.Vocab {
			return fmt.Errorf("gomlx: next token of sequence %d is %d, outside the vocabulary of %d: %w", r, ids[i], d.s.cfg.Vocab, policy.ErrResponse)
		}
		if d.length(r) == d.s.cfg.MaxLen {
			return fmt.Errorf("gomlx: sequence %d has %d tokens, as many as the model reads: %w", r, d.s.cfg.MaxLen, policy.ErrResponse)
		}
		d.replies[r] = append(d.replies[r], ids[i])
	}
	return nil
}

// Logits implements policy.Decode. One execution feeds all sequences that have tokens
// not yet fed, whether they are asked for or not.
func (d *decode) Logits(ctx context.Context, dst []float32, rows []int) error {
	v := d.s.cfg.Vocab
	if len(dst) != len(rows)*v {
		panic("gomlx: logits not of length len(rows) × vocabulary")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var need []int // sequences beyond their prompts
	for _, r := range rows {
		if len(d.replies[r]) > 0 {
			need = append(need, r)
		}
	}
	for d.behind(need) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := d.arrange(need); err != nil {
			return err
		}
		if err := d.step(); err != nil {
			return err
		}
	}
	for i, r := range rows {
		from := d.first[r/d.k*v:]
		if len(d.replies[r]) > 0 {
			from = d.logits[d.find(r)*v:]
		}
		copy(dst[i*v:(i+1)*v], from)
	}
	return nil
}

// find returns the row of a sequence, or −1.
func (d *decode) find(sequence int) int {
	return slices.IndexFunc(d.rows, func(s slot) bool { return s.sequence == sequence })
}

// behind reports whether a sequence has no row, or tokens that its row was not fed.
func (d *decode) behind(sequences []int) bool {
	return slices.ContainsFunc(sequences, func(s int) bool {
		at := d.find(s)
		return at < 0 || d.rows[at].fed < d.length(s)
	})
}

// working returns the sequences to keep in the cache: those that are needed, and those
// with tokens that were never fed. The others have ended, as far as can be seen.
func (d *decode) working(need []int) []int {
	var all []int
	for s := range d.replies {
		if d.fed[s] < len(d.replies[s]) || slices.Contains(need, s) {
			all = append(all, s)
		}
	}
	return all
}

// arrange sees to it that the working sequences have rows, and that the cache is long
// enough and not needlessly wide.
func (d *decode) arrange(need []int) error {
	working, longest := d.working(need), 0
	lost := false
	for _, s := range working {
		longest = max(longest, d.length(s))
		lost = lost || d.find(s) < 0
	}
	if !lost && bucket(len(working), 1) >= d.slots.rows && longest <= d.slots.length {
		return nil
	}
	from, rows := make([]int32, len(working)), make([]slot, len(working))
	for i, s := range working {
		if lost { // from the prompts again
			from[i], rows[i] = int32(s/d.k), slot{s, len(d.prompts[s/d.k])}
		} else {
			at := d.find(s)
			from[i], rows[i] = int32(at), d.rows[at]
		}
	}
	source := &d.slots
	if lost {
		source = &d.start
	}
	return d.move(source, from, rows, longest)
}

// Close implements policy.Decode.
func (d *decode) Close() error {
	d.rows = nil
	return errors.Join(d.start.close(), d.slots.close())
}
