package policy

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Policy is a conditional distribution π(y|x) that can score: x is a prompt of
// type X, y a response of type Y. Implementations are safe for concurrent use.
type Policy[X, Y any] interface {
	// LogProbs stores log π(ys[i]|xs[i]), in nats, in dst[i]. A response that
	// the policy cannot produce has log-probability −Inf, which is no error.
	//
	// An item that cannot be scored gets dst[i] = NaN and an [*ItemError] joined
	// into the returned error; the other items are still scored. A cancelled
	// context returns its error and leaves dst unspecified. LogProbs panics if
	// the lengths of dst, xs and ys differ.
	LogProbs(ctx context.Context, dst []float64, xs []X, ys []Y) error
}

// Pass is a reusable workspace for one forward and one backward computation.
// It is not safe for concurrent use; the policy that made it may serve many at the
// same time, whose Pullbacks then add in an order that decides the last bits.
// xs and ys must stay unmodified until Pullback returns.
type Pass[X, Y any] interface {
	// Forward is [Policy.LogProbs], and remembers what Pullback needs.
	Forward(ctx context.Context, dst []float64, xs []X, ys []Y) error

	// Pullback adds Σᵢ w[i]·∇θ log π(ys[i]|xs[i]) of the last successful Forward
	// to the gradient, wherever the policy keeps it. Calling it again adds again. An
	// item whose weight is 0 contributes nothing, even if its log-probability is
	// −Inf. A backend may run the forward computation again. A cancelled context
	// returns its error and leaves the gradient unspecified. Pullback panics if
	// len(w) is not the number of items of the last Forward, if that failed, or if
	// there was none.
	Pullback(ctx context.Context, w []float64) error
}

// Trainable is a policy with a score function ∇θ log π. A loss returns its
// derivative with respect to each log-probability; a Pass contracts those
// derivatives with the score function. No automatic differentiation is needed.
type Trainable[X, Y any] interface {
	Policy[X, Y]
	// NewPass returns a workspace. Passes of one policy add to one gradient.
	NewPass() Pass[X, Y]
}

// Draws receives sampled responses, k for each prompt: draw j of prompt i is at
// index i·k+j. The caller owns the slices; nil means not wanted.
type Draws[Y any] struct {
	Y       []Y       // the responses; required
	LogProb []float64 // log-probability under the distribution really drawn from
	Model   []float64 // log π(y|x): without temperature, truncation or the like
}

// Sampler is a policy that can be drawn from.
type Sampler[X, Y any] interface {
	Policy[X, Y]
	// Sample draws k independent responses for each prompt. Draw j of xs[i] comes
	// from the stream [Key.Stream](ids[i], j): it depends neither on the other
	// prompts of the batch, nor on k, nor on the number of workers. A prompt that
	// cannot be drawn from is an [*ItemError] with its index in xs, and its draws
	// are unspecified. A cancelled context returns its error. Sample panics if k < 1,
	// a non-nil slice of dst has not length len(xs)·k, or len(ids) ≠ len(xs).
	Sample(ctx context.Context, dst Draws[Y], xs []X, ids []uint64, k int, key Key) error
}

// Learner is a policy that can be scored, sampled and trained: what an online
// objective needs.
type Learner[X, Y any] interface {
	Trainable[X, Y]
	Sampler[X, Y]
}

// Enumerable is a policy over finitely many responses 0 … n−1 of each prompt,
// all of whose probabilities can be had at once. Sums over responses are then
// exact: KL, coverage coefficients, expected reward.
type Enumerable[X any] interface {
	Policy[X, int]
	Distributor[X]
}

// Updater is an optimizer together with the parameters that it owns: train.AdamW
// and train.SGD for parameters in Go slices (see [Host]), the backend itself for
// parameters on a device.
type Updater interface {
	// Update multiplies the accumulated gradient by scale, clips it to Euclidean
	// norm maxNorm (+Inf: no clipping), takes one step downhill with learning
	// rate lr, and zeroes the gradient. It returns the norm before clipping. A norm
	// that is not finite and a cancelled context are errors, and leave the
	// parameters as they were.
	Update(ctx context.Context, lr, scale, maxNorm float64) (norm float64, err error)
	// Save writes parameters and optimizer state as one record.
	Save(w io.Writer) error
	// Load restores what Save wrote, to the bit.
	Load(r io.Reader) error
}

// Host is a policy whose parameters are a Go slice. Params and Grad have the same
// length and are the policy's own: who writes to them must not run a pass at the
// same time.
type Host interface {
	Params() []float64
	Grad() []float64
}

// ItemError says which item of a batch failed, and why.
type ItemError struct {
	Index int // index into xs and ys
	Err   error
}

func (e *ItemError) Error() string { return fmt.Sprintf("policy: item %d: %v", e.Index, e.Err) }

// Unwrap returns the reason.
func (e *ItemError) Unwrap() error { return e.Err }

// ErrResponse is the reason of an [ItemError] for a response that does not exist:
// an index outside the prompt's responses, a token outside the vocabulary.
var ErrResponse = errors.New("no such response")

// ErrPrompt is the reason of an [ItemError] for a prompt that the policy does not
// know or cannot use.
var ErrPrompt = errors.New("no such prompt")

const (
	badLength   = "policy: slices of different lengths"
	badDraws    = "policy: k < 1, or draws not of length len(xs)·k"
	badPullback = "policy: Pullback without a Forward of the same length"
)
