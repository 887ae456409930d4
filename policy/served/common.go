package served

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/prefgrad/prefgrad/policy"
)

// slack is how far above 0 rounding may lift a log-probability.
const slack = 1e-3

// errUnderflow: the probability is positive, and too small for the server to say.
var errUnderflow = fmt.Errorf("probability below what the server can represent: %w", ErrNull)

// logProb checks one number of a server. A server that cannot say −Inf says −9999, or the
// lowest float32 where a probability has underflowed; of those only the first means that
// the token is impossible.
func logProb(p *float64, t int) (float64, error) {
	switch {
	case p == nil:
		return 0, fmt.Errorf("token %d: %w", t, ErrNull)
	case math.IsNaN(*p) || *p > slack:
		return 0, fmt.Errorf("%w: token %d has log-probability %v", ErrShape, t, *p)
	case *p < -1e30:
		return 0, fmt.Errorf("token %d: %w", t, errUnderflow)
	case *p <= -9999:
		return math.Inf(-1), nil
	}
	return *p, nil
}

// logProbs checks a list of them.
func logProbs(ps []*float64) ([]float64, error) {
	dst := make([]float64, len(ps))
	for t, p := range ps {
		var err error
		if dst[t], err = logProb(p, t); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// shapef is an ErrShape with details.
func shapef(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrShape}, args...)...)
}

// checkRange returns the reason for which ids cannot be tokens, or nil. vocab 0: not known.
func checkRange(ids []int32, vocab int, reason error) error {
	for t, id := range ids {
		if id < 0 || vocab > 0 && int(id) >= vocab {
			return fmt.Errorf("token %d is %d, outside the vocabulary of %d: %w", t, id, vocab, reason)
		}
	}
	return nil
}

// tokenizer is what the protocols with token ids have in common: text becomes ids first.
type tokenizer struct {
	// encode returns the ids of a text. special: with the special tokens that the model
	// wants at the beginning.
	encode  func(text string, special bool) ([]int32, error)
	prompts *memo[[]int32]
	bos     string
	eos     int32 // −1: not known
	vocab   int   // 0: not known
}

// prompt returns the ids of a prompt.
func (t tokenizer) prompt(x Prompt) ([]int32, error) {
	ids := x.IDs
	if ids == nil {
		var err error
		ids, err = t.prompts.get(x.Text, func() ([]int32, error) { return t.encode(t.bos+x.Text, true) })
		if err != nil {
			return nil, err
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("empty prompt: %w", policy.ErrPrompt)
	}
	return ids, checkRange(ids, t.vocab, policy.ErrPrompt)
}

// reply returns the ids of a reply, with the end-of-sequence token if it counts.
func (t tokenizer) reply(y Reply) ([]int32, error) {
	if len(y.IDs) > 0 {
		return y.IDs, checkRange(y.IDs, t.vocab, policy.ErrResponse)
	}
	var ids []int32
	if y.Text != "" {
		var err error
		if ids, err = t.encode(y.Text, false); err != nil {
			return nil, err
		}
	}
	if y.End == policy.FinishEOS {
		if t.eos < 0 {
			return nil, ErrEOS
		}
		ids = append(ids, t.eos)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("no tokens: %w", policy.ErrResponse)
	}
	return ids, nil
}

// isShape reports whether an answer was something else than expected.
func isShape(err error) bool { return errors.Is(err, ErrShape) }

// notFound reports whether a server has nothing at a path.
func notFound(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && (s.Code == 404 || s.Code == 405 || s.Code == 501)
}

// refused reports whether a server took exception to a request as such.
func refused(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && (s.Code == 400 || s.Code == 422)
}

// memo remembers what was asked lately, since the replies to a prompt come together. The
// zero value is empty. It is safe for concurrent use.
type memo[V any] struct {
	mu sync.Mutex
	m  map[string]V
}

// get returns the value of a key, computing it if need be.
func (m *memo[V]) get(key string, compute func() (V, error)) (V, error) {
	m.mu.Lock()
	v, ok := m.m[key]
	m.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := compute()
	if err != nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	const most = 256
	if m.m == nil || len(m.m) >= most {
		m.m = map[string]V{}
	}
	m.m[key] = v
	return v, nil
}
