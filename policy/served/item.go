package served

import (
	"errors"

	"github.com/prefgrad/prefgrad/policy"
)

// Prompt is what a model answers: text, token ids, or both, of which the ids then
// rule. Text is tokenised by the server, special tokens (of a chat template, say)
// included. The zero value is the empty prompt, which few servers can score after.
type Prompt struct {
	Text string
	IDs  []int32
}

// Reply is a response: text, token ids, or both, of which the ids then rule.
//
// Ids say all that there is: the end-of-sequence token is one of them if the reply has
// it. Text does not say whether the model ended there, so End does: with
// [policy.FinishEOS] the end-of-sequence token follows the text and counts in log π,
// otherwise it does not. Text is tokenised by itself where the server takes ids, so
// that the boundary to the prompt is exact.
type Reply struct {
	Text string
	IDs  []int32
	End  policy.Finish
}

// empty reports whether there is nothing to score.
func (r Reply) empty() bool {
	return len(r.IDs) == 0 && r.Text == "" && r.End != policy.FinishEOS
}

// Score is the log-probability of a reply, token by token.
type Score struct {
	LogProb float64   // log π(y|x), the sum of Tokens; nats
	Tokens  []float64 // log π(y_t | x, y_<t) of every token of the reply
	IDs     []int32   // the reply's tokens; nil where the server does not tell
}

// Draw is a sampled reply with its log-probability. Score is the zero value where the
// log-probability of draws cannot be had: see [Config.Temperature].
type Draw struct {
	Reply Reply
	Score Score
}

// newScore sums tokens.
func newScore(tokens []float64, ids []int32) Score {
	s := Score{Tokens: tokens, IDs: ids}
	for _, v := range tokens {
		s.LogProb += v
	}
	return s
}

// Reasons of a [policy.ItemError], besides those of package policy and of the transport.
var (
	// ErrBoundary: the text of prompt and reply, tokenised as one, has a token that
	// belongs to both.
	ErrBoundary = errors.New("a token spans the boundary of prompt and reply")
	// ErrNull: the server gave null, or nothing, for the log-probability of a token.
	ErrNull = errors.New("no log-probability for a token")
	// ErrShape: the answer is not what the protocol says.
	ErrShape = errors.New("answer of the wrong shape")
	// ErrEOS: the end-of-sequence token counts, and nobody said which one it is.
	ErrEOS = errors.New("the end-of-sequence token is not known: set Config.EOS")
)
