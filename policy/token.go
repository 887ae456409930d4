package policy

import (
	"context"
	"fmt"
)

// Tokens is a batch of token sequences in one flat slice: the form in which
// language models score. Sequence i is IDs[Begin[i]:Begin[i+1]]; its first
// Prompt[i] ids are the prompt, the rest the reply. An end-of-sequence token that
// the model produced is an id like any other and counts in log π; a reply cut at a
// maximum length has none.
type Tokens struct {
	IDs    []int32
	Begin  []int  // number of sequences + 1 offsets into IDs, Begin[0] = 0
	Prompt []int  // prompt length of each sequence
	Mask   []bool // nil: every reply token counts; else as long as IDs, and false leaves a reply token out (tool output)
}

// Len returns the number of sequences.
func (t Tokens) Len() int { return len(t.Prompt) }

// Reply returns the range of t.IDs that holds the reply of sequence i.
func (t Tokens) Reply(i int) (lo, hi int) { return t.Begin[i] + t.Prompt[i], t.Begin[i+1] }

// Counts reports whether the token at position p of a reply counts.
func (t Tokens) Counts(p int) bool { return t.Mask == nil || t.Mask[p] }

// Append adds a sequence. It keeps no reference to its arguments.
func (t *Tokens) Append(prompt, reply []int32) {
	if len(t.Begin) == 0 {
		t.Begin = append(t.Begin, 0)
	}
	t.IDs = append(append(t.IDs, prompt...), reply...)
	t.Begin = append(t.Begin, len(t.IDs))
	t.Prompt = append(t.Prompt, len(prompt))
}

// Reset empties t and keeps its memory.
func (t *Tokens) Reset() {
	t.IDs, t.Begin, t.Prompt, t.Mask = t.IDs[:0], t.Begin[:0], t.Prompt[:0], nil
}

// Check returns an error that names the first sequence with an id outside
// [0, vocab) or with an empty reply, as an [*ItemError]. It panics if offsets,
// prompt lengths and mask do not fit together.
func (t Tokens) Check(vocab int) error {
	n := t.Len()
	if len(t.Begin) != n+1 && (n != 0 || len(t.Begin) != 0) {
		panic("policy: Tokens.Begin not one longer than Tokens.Prompt")
	}
	if t.Mask != nil && len(t.Mask) != len(t.IDs) {
		panic("policy: Tokens.Mask not as long as Tokens.IDs")
	}
	if n > 0 && (t.Begin[0] != 0 || t.Begin[n] != len(t.IDs)) {
		panic("policy: Tokens.Begin does not span Tokens.IDs")
	}
	for i := range n {
		lo, hi := t.Reply(i)
		if t.Prompt[i] < 0 || lo > hi {
			panic("policy: Tokens.Begin and Tokens.Prompt do not fit together")
		}
		if lo == hi {
			return &ItemError{i, fmt.Errorf("empty reply: %w", ErrResponse)}
		}
		for p, id := range t.IDs[t.Begin[i]:hi] {
			if id < 0 || int(id) >= vocab {
				return &ItemError{i, fmt.Errorf("token %d is %d, outside the vocabulary of %d: %w", p, id, vocab, ErrResponse)}
			}
		}
	}
	return nil
}

// TokenStats holds one number per token, for each quantity that is wanted: slices
// as long as Tokens.IDs, or nil. On the way out of a forward pass these are values,
// 0 at prompt and masked positions; on the way into a pullback they are weights, and
// those of prompt and masked positions are never read.
type TokenStats struct {
	LogProb []float64 // log π(y_t | x, y_<t)
	Entropy []float64 // H(π(·|x, y_<t)), nats
	// KL is the reverse divergence KL(π(·|x, y_<t) ‖ π_ref(·|x, y_<t)), nats, to the reference that
	// the policy was given. KL of loss.TokenPairs is the other one.
	KL    []float64
	SumSq []float64 // a logarithm: log Σ_v π(v|x, y_<t)²
}

// TokenPass is a [Pass] at token level. A field that the backend cannot provide,
// or cannot differentiate, gives [errors.ErrUnsupported]. It is not safe for
// concurrent use, and b must stay unmodified until Pullback returns.
type TokenPass interface {
	// Forward stores the wanted statistics of every reply token in dst. It returns
	// the error of [Tokens.Check], and panics where that does or if a slice of dst
	// that is not nil has another length than b.IDs.
	Forward(ctx context.Context, dst TokenStats, b Tokens) error
	// Pullback adds Σ_t Σ_f w.f[t]·∇θ f[t], over the fields f of w that are not nil,
	// to the gradient. It panics if a slice of w that is not nil has another length
	// than the IDs of the last Forward, if that failed, or if there was none.
	Pullback(ctx context.Context, w TokenStats) error
}

// TokenPolicy is a policy over token sequences. [Sequences] turns it into a
// [Trainable] over whole replies. It is safe for concurrent use.
type TokenPolicy interface {
	NewTokenPass() TokenPass
}

// Finish says why a reply ended.
type Finish uint8

const (
	FinishEOS    Finish = iota + 1 // the model produced the end-of-sequence token, the reply's last id
	FinishLength                   // the reply reached the maximum length
	FinishStop                     // a stop sequence matched
)

// String returns "eos", "length" or "stop".
func (f Finish) String() string {
	switch f {
	case FinishEOS:
		return "eos"
	case FinishLength:
		return "length"
	case FinishStop:
		return "stop"
	}
	return fmt.Sprintf("Finish(%d)", uint8(f))
}

// Rollout receives whole replies, k consecutive sequences for each prompt. Its
// memory is reused from call to call.
type Rollout struct {
	Tokens  Tokens
	LogProb []float64 // as long as Tokens.IDs: under the distribution drawn from; 0 at prompt positions
	Model   []float64 // likewise under the untransformed model
	Finish  []Finish  // per sequence
}

// Generator writes whole replies: a served model, a key–value cache on a device, or
// what package sampler makes of a [Decoder]. It is safe for concurrent use.
type Generator interface {
	// Generate draws k replies for each prompt, draw j of prompt i from the stream
	// [Key.Stream](ids[i], j), and stores them in dst, replacing what it held.
	Generate(ctx context.Context, dst *Rollout, prompts [][]int32, ids []uint64, k int, key Key) error
}

// Decoder gives next-token logits step by step. It is safe for concurrent use; the
// [Decode] that it opens is not.
type Decoder interface {
	// Open starts k sequences for each prompt: sequence i·k+j continues prompts[i].
	// The prompt is processed once, whatever k is.
	Open(ctx context.Context, prompts [][]int32, k int) (Decode, error)
	// Vocab returns the number of logits of a row.
	Vocab() int
}

// Decode is a set of sequences being written. Logits returns the error of a cancelled
// context, as Open does.
type Decode interface {
	// Logits stores the next-token logits of the sequences listed in rows in dst,
	// len(rows) × vocabulary, row by row.
	Logits(ctx context.Context, dst []float32, rows []int) error
	// Append gives sequence rows[i] its next token ids[i].
	Append(ctx context.Context, rows []int, ids []int32) error
	// Close releases the sequences.
	Close() error
}
