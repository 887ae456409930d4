package train_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/train"
)

const (
	tinyEOS     = 0
	tinyVocab   = 3
	tinyLongest = 2
)

// speaker is a tiny language model, all of whose replies to a prompt can be listed: those that
// end with EOS, and those that are cut at two tokens.
type speaker struct {
	*lm.Model
	ref     *lm.Frozen
	prompt  tokens
	replies []tokens
	cut     []bool
}

func newSpeaker(t *testing.T) *speaker {
	m, err := lm.New(lm.Config{Vocab: tinyVocab, EOS: tinyEOS, Dim: 2, Order: 1, Buckets: 1, Seed: 1})
	require.NoError(t, err)
	g := rand.New(rand.NewPCG(3, 4))
	s := &speaker{Model: m, prompt: tokens{1, 2}}
	for i := range m.Params() {
		m.Params()[i] += 0.5 * g.NormFloat64()
	}
	s.ref = m.Freeze()
	for i := range m.Params() {
		m.Params()[i] += 0.4 * g.NormFloat64()
	}
	var write func(y tokens)
	write = func(y tokens) {
		if n := len(y); n == tinyLongest || n > 0 && y[n-1] == tinyEOS {
			s.replies, s.cut = append(s.replies, slices.Clone(y)), append(s.cut, y[n-1] != tinyEOS)
			return
		}
		for v := range int32(tinyVocab) {
			write(append(slices.Clone(y), v))
		}
	}
	write(nil)
	return s
}

// tokenProbs returns log π of each token of each reply.
func (s *speaker) tokenProbs(t *testing.T, p policy.TokenPolicy) (logp [][]float64) {
	var b policy.Tokens
	for _, y := range s.replies {
		b.Append(s.prompt, y)
	}
	v := make([]float64, len(b.IDs))
	require.NoError(t, p.NewTokenPass().Forward(ctx, policy.TokenStats{LogProb: v}, b))
	for i := range s.replies {
		lo, hi := b.Reply(i)
		logp = append(logp, v[lo:hi])
	}
	return logp
}

// worth is the reward of a reply.
func (s *speaker) worth(y tokens) float64 {
	r := 0.3 * float64(len(y))
	for i, id := range y {
		r += float64(id) / float64(i+1)
	}
	return r
}

func (s *speaker) reward(_ context.Context, dst []float64, _, ys []tokens) error {
	for i, y := range ys {
		dst[i] = s.worth(y)
	}
	return nil
}

// reciter is a generator that writes the given replies.
type reciter struct {
	s       *speaker
	replies []int
	logp    [][]float64 // of the distribution that they come from
	mask    []bool      // of all tokens
}

func (r reciter) Generate(_ context.Context, dst *policy.Rollout, prompts [][]int32, _ []uint64, _ int, _ policy.Key) error {
	*dst = policy.Rollout{}
	for _, i := range r.replies {
		dst.Tokens.Append(prompts[0], r.s.replies[i])
		dst.LogProb = append(append(dst.LogProb, make([]float64, len(prompts[0]))...), r.logp[i]...)
		finish := policy.FinishEOS
		if r.s.cut[i] {
			finish = policy.FinishLength
		}
		dst.Finish = append(dst.Finish, finish)
	}
	dst.Tokens.Mask = r.mask
	return nil
}

// one is a batch of the speaker's prompt.
func (s *speaker) one() *train.Batch[tokens, tokens] {
	return &train.Batch[tokens, tokens]{Data: train.Data[tokens, tokens]{X: []tokens{s.prompt}}, ID: []uint64{5}, Row: []int{0}, Rows: 1}
}

// mean returns the mean of a term's gradient over all pairs of replies from a distribution.
func (s *speaker) mean(t *testing.T, from [][]float64, set func(g *train.TokenPolicyGradient)) []float64 {
	t.Helper()
	mean := make([]float64, len(s.Params()))
	prob := totals(from)
	for i, p := range prob {
		for j, q := range prob {
			g := s.term(reciter{s: s, replies: []int{i, j}, logp: from})
			set(g)
			clear(s.Grad())
			require.NoError(t, g.Accumulate(ctx, s.one(), policy.Key{}, &train.Metrics{}))
			for k, v := range s.Grad() {
				mean[k] += math.Exp(p+q) * v
			}
		}
	}
	clear(s.Grad())
	return mean
}

const tinyBeta = 0.3

func (s *speaker) term(g policy.Generator) *train.TokenPolicyGradient {
	return &train.TokenPolicyGradient{
		Policy: s.Model, Generator: g, Ref: s.ref, Reward: s.reward, K: 2, Advantage: rloo.RLOO{}, Beta: tinyBeta,
		Loss: loss.Reinforce{By: loss.SumTokens},
	}
}

// totals adds up the tokens of each reply.
func totals(logp [][]float64) []float64 {
	sums := make([]float64, len(logp))
	for i, v := range logp {
		for _, l := range v {
			sums[i] += l
		}
	}
	return sums
}

// objective is −E_π[r] + β·KL(π‖π_ref), listed.
func (s *speaker) objective(t *testing.T) float64 {
	l, ref := 0.0, totals(s.tokenProbs(t, s.ref))
	for i, lp := range totals(s.tokenProbs(t, s.Model)) {
		l += math.Exp(lp) * (tinyBeta*(lp-ref[i]) - s.worth(s.replies[i]))
	}
	return l
}

// exact is the gradient of the objective, Σ_y π(y)·(β·log π/π_ref − r)·∇ log π(y), listed.
func (s *speaker) exact(t *testing.T) []float64 {
	var b policy.Tokens
	for _, y := range s.replies {
		b.Append(s.prompt, y)
	}
	pass, w := s.NewTokenPass(), make([]float64, len(b.IDs))
	require.NoError(t, pass.Forward(ctx, policy.TokenStats{LogProb: w}, b))
	ref := totals(s.tokenProbs(t, s.ref))
	for i, lp := range totals(s.tokenProbs(t, s.Model)) {
		lo, hi := b.Reply(i)
		for p := lo; p < hi; p++ {
			w[p] = math.Exp(lp) * (tinyBeta*(lp-ref[i]) - s.worth(s.replies[i]))
		}
	}
	clear(s.Grad())
	require.NoError(t, pass.Pullback(ctx, policy.TokenStats{LogProb: w}))
	grad := slices.Clone(s.Grad())
	clear(s.Grad())
	return grad
}
