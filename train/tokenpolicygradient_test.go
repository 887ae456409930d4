package train_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

// TestTokenExpectation: the mean gradient of each form is that of the regularised reward, KL of
// what is still to come and of prefixes included.
func TestTokenExpectation(t *testing.T) {
	s := newSpeaker(t)
	own := s.tokenProbs(t, s.Model)
	total := 0.0
	for _, lp := range totals(own) {
		total += math.Exp(lp)
	}
	require.InDelta(t, 1, total, 1e-6, "all replies")
	want := s.exact(t)

	// The oracle is the gradient of the objective: along a direction, by differences of a
	// model whose logits are float32.
	const h = 1e-2
	g, start := rand.New(rand.NewPCG(5, 6)), slices.Clone(s.Params())
	along, dir := 0.0, make([]float64, len(start))
	at := func(h float64) float64 {
		for i, d := range dir {
			s.Params()[i] = start[i] + h*d
		}
		return s.objective(t)
	}
	for i := range dir {
		dir[i] = g.NormFloat64()
		along += dir[i] * want[i]
	}
	require.InDelta(t, along, (8*(at(h)-at(-h))-(at(2*h)-at(-2*h)))/(12*h), 2e-5*math.Abs(along)+1e-5)
	require.Greater(t, math.Abs(along), 0.1)
	copy(s.Params(), start)

	mu := s.tokenProbs(t, s.ref) // the distribution drawn from, where it is not the policy's
	for name, c := range map[string]struct {
		from [][]float64
		set  func(g *train.TokenPolicyGradient)
		f    float64
	}{
		"RLOO":                 {own, func(*train.TokenPolicyGradient) {}, 1},
		"PPO":                  {own, func(g *train.TokenPolicyGradient) { g.Loss = loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens} }, 1},
		"exact KL":             {own, func(g *train.TokenPolicyGradient) { g.Policy, g.Ref, g.ExactKL = s.Against(s.ref), nil, true }, 1},
		"constant length":      {own, func(g *train.TokenPolicyGradient) { g.TokensPerReply = 5 }, 0.2},
		"another distribution": {mu, func(g *train.TokenPolicyGradient) { g.Importance, g.WholeReplies = &sampler.Importance{}, true }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.mean(t, c.from, c.set)
			for i := range want {
				assert.InDelta(t, c.f*want[i], got[i], 1e-6, "parameter %d", i)
			}
		})
	}
	// The loss of whole replies needs an advantage of whole replies.
	reward := s.mean(t, own, func(g *train.TokenPolicyGradient) { g.Beta = 0 })
	assert.InDeltaSlice(t, reward, s.mean(t, own, func(g *train.TokenPolicyGradient) {
		g.Loss, g.Beta = loss.RLOO{ClipLow: 0.2, ClipHigh: 0.2}, 0
	}), 1e-6)
	of := func(_ context.Context, prompts, replies []tokens, _ rloo.Groups) (rloo.Advantage, error) {
		var lengths []float64
		for i, y := range replies {
			assert.Equal(t, s.prompt, prompts[i])
			lengths = append(lengths, float64(len(y)))
		}
		return rloo.OptimalBaseline{Weight: lengths}, nil
	}
	byLength := s.mean(t, own, func(g *train.TokenPolicyGradient) { g.Advantage, g.AdvantageOf = nil, of })
	assert.InDeltaSlice(t, want, byLength, 1e-6, "unbiased for any weights")
	// Ratios of tokens leave out that prefixes come from elsewhere: see sampler.Importance.
	biased := s.mean(t, mu, func(g *train.TokenPolicyGradient) { g.Importance = &sampler.Importance{} })
	away := 0.0
	for i := range want {
		away = max(away, math.Abs(want[i]-biased[i]))
	}
	assert.Greater(t, away, 1e-3)
}

// step makes one update's gradient and metrics of a term on given replies.
func (s *speaker) step(t *testing.T, replies []int, set func(g *train.TokenPolicyGradient)) ([]float64, map[string]float64) {
	t.Helper()
	g := s.term(reciter{s: s, replies: replies, logp: s.tokenProbs(t, s.Model)})
	g.K = len(replies)
	set(g)
	var m train.Metrics
	clear(s.Grad())
	require.NoError(t, g.Accumulate(ctx, s.one(), policy.Key{}, &m))
	got := map[string]float64{}
	for k, v := range m.All() {
		got[k] = v
	}
	return slices.Clone(s.Grad()), got
}

// TestTokenTruncated: masked replies keep their part in the baseline and give no gradient.
func TestTokenTruncated(t *testing.T) {
	s := newSpeaker(t)
	whole, cut := slices.Index(s.cut, false), slices.Index(s.cut, true)
	grad, m := s.step(t, []int{whole, cut}, func(g *train.TokenPolicyGradient) { g.Mask, g.Beta = loss.DropTruncated{}, 0 })
	assert.Equal(t, 0.5, m["completions/clipped_ratio"])
	assert.Equal(t, float64(len(s.replies[whole])+tinyLongest)/2, m["completions/mean_length"])

	var b policy.Tokens
	b.Append(s.prompt, s.replies[whole])
	pass, w := s.NewTokenPass(), make([]float64, len(b.IDs))
	require.NoError(t, pass.Forward(ctx, policy.TokenStats{LogProb: w}, b))
	for i := range w {
		w[i] = -(s.worth(s.replies[whole]) - s.worth(s.replies[cut])) / 2
	}
	clear(s.Grad())
	require.NoError(t, pass.Pullback(ctx, policy.TokenStats{LogProb: w}))
	assert.InDeltaSlice(t, s.Grad(), grad, 1e-6)
	require.NotZero(t, grad[0])

	// What is masked stays in a mean over tokens if it is to count.
	n := float64(len(s.replies[whole]))
	for counted, tokens := range map[bool]float64{false: n, true: n + tinyLongest} {
		mean, m := s.step(t, []int{whole, cut}, func(g *train.TokenPolicyGradient) {
			g.Mask, g.CountMasked, g.TokenMean, g.Beta = loss.DropTruncated{}, counted, true, 0
		})
		for i := range mean {
			assert.InDelta(t, grad[i]*2/tokens, mean[i], 1e-6, "counted %v", counted)
		}
		assert.Equal(t, tinyLongest/(n+tinyLongest), m["frac_masked"])
	}
	grad, _ = s.step(t, []int{cut, cut}, func(g *train.TokenPolicyGradient) { g.Mask, g.TokenMean = loss.DropTruncated{}, true })
	assert.Equal(t, make([]float64, len(grad)), grad, "no token is left")
}

// TestTokenMask: what the generator masks, a tool's answer say, is not in the loss.
func TestTokenMask(t *testing.T) {
	s := newSpeaker(t)
	last := len(s.replies) - 1 // of two tokens, after a prompt of two
	gradient := func(mask []bool, l loss.PolicyGradient) []float64 {
		g := s.term(reciter{s: s, replies: []int{0, last}, logp: s.tokenProbs(t, s.Model), mask: mask})
		g.Loss, g.Beta = l, 0
		clear(s.Grad())
		require.NoError(t, g.Accumulate(ctx, s.one(), policy.Key{}, &train.Metrics{}))
		return slices.Clone(s.Grad())
	}
	require.Len(t, s.replies[0], 1)
	masked := gradient([]bool{false, false, true, false, false, true, false}, loss.Reinforce{By: loss.SumTokens})
	assert.InDeltaSlice(t, gradient(nil, without{loss.Reinforce{By: loss.SumTokens}}), masked, 1e-7)
	assert.Greater(t, math.Abs(masked[0]-gradient(nil, loss.Reinforce{By: loss.SumTokens})[0]), 1e-3)
}

// without is a loss less the derivative of the last token.
type without struct{ loss.PolicyGradient }

func (w without) Eval(dst loss.RolloutsOut, b loss.Rollouts) (loss.RolloutsTotal, error) {
	t, err := w.PolicyGradient.Eval(dst, b)
	dst.LogProb[len(dst.LogProb)-1] = 0
	return t, err
}

// TestTokenRepeat: at a later update on a batch π_old is the policy of the first.
func TestTokenRepeat(t *testing.T) {
	s := newSpeaker(t)
	replies, old := []int{0, 3, len(s.replies) - 1}, s.tokenProbs(t, s.Model)
	g := s.term(reciter{s: s, replies: replies, logp: old})
	g.K, g.Loss = 3, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens}
	b := s.one()
	require.NoError(t, g.Accumulate(ctx, b, policy.Key{}, &train.Metrics{}))
	for i := range s.Params() {
		s.Params()[i] += 0.1 * math.Sin(float64(i))
	}
	now := s.tokenProbs(t, s.Model)
	b.Repeat = 1
	var m train.Metrics
	require.NoError(t, g.Accumulate(ctx, b, policy.Key{}, &m))
	want, n := 0.0, 0.0
	for _, i := range replies {
		for j, l := range now[i] {
			d := l - old[i][j]
			want, n = want+math.Exp(d)-1-d, n+1
		}
	}
	got, _ := m.Get("policy/approx_kl")
	assert.InDelta(t, want/n, got, 1e-9)
	assert.Greater(t, got, 1e-4)
}

// TestTokenMean: the divisor is the number of tokens of the step.
func TestTokenMean(t *testing.T) {
	s := newSpeaker(t)
	i, j := slices.IndexFunc(s.replies, func(y tokens) bool { return len(y) == 1 }), len(s.replies)-1
	sum, m := s.step(t, []int{i, j, j}, func(*train.TokenPolicyGradient) {})
	mean, mm := s.step(t, []int{i, j, j}, func(g *train.TokenPolicyGradient) { g.TokenMean = true })
	for k := range sum {
		assert.InDelta(t, sum[k]*3/5, mean[k], 1e-6)
	}
	assert.InDelta(t, m["loss"]*3/5, mm["loss"], 1e-12)
}

// TestTokenEntropy: a bonus moves the policy as the entropy's own gradient does.
func TestTokenEntropy(t *testing.T) {
	s := newSpeaker(t)
	plain, _ := s.step(t, []int{0, 3}, func(g *train.TokenPolicyGradient) { g.Entropy = true })
	with, m := s.step(t, []int{0, 3}, func(g *train.TokenPolicyGradient) {
		g.Entropy, g.Loss = true, entropic{g.Loss}
	})
	var b policy.Tokens
	b.Append(s.prompt, s.replies[0])
	b.Append(s.prompt, s.replies[3])
	pass, h, w := s.NewTokenPass(), make([]float64, len(b.IDs)), make([]float64, len(b.IDs))
	require.NoError(t, pass.Forward(ctx, policy.TokenStats{Entropy: h}, b))
	n, total := 0, 0.0
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		for p := lo; p < hi; p++ {
			w[p], n, total = -0.5/2, n+1, total+h[p]
		}
	}
	clear(s.Grad())
	require.NoError(t, pass.Pullback(ctx, policy.TokenStats{Entropy: w}))
	for i, g := range s.Grad() {
		assert.InDelta(t, plain[i]+g, with[i], 1e-6)
	}
	assert.InDelta(t, total/float64(n), m["entropy"], 1e-12)
}

// entropic is a loss less half of the entropy.
type entropic struct{ loss.PolicyGradient }

func (e entropic) Eval(dst loss.RolloutsOut, b loss.Rollouts) (loss.RolloutsTotal, error) {
	t, err := e.PolicyGradient.Eval(dst, b)
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		for p := lo; p < hi; p++ {
			dst.Entropy[p] = -0.5
		}
	}
	return t, err
}

// tokenRun teaches a model to write its words, by PPO with three updates on a batch.
func tokenRun(t *testing.T, dir string, steps int, tick func()) (*speaker, *train.Loop[tokens, tokens]) {
	s := newSpeaker(t)
	g := s.term(sampler.NewAncestral(ticking{s.Model, tick}, tinyEOS, 4))
	g.K, g.Loss, g.Importance = 4, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens}, &sampler.Importance{Max: 2}
	return s, &train.Loop[tokens, tokens]{
		Data: train.Data[tokens, tokens]{X: []tokens{{1, 2}, {2}, {1}}}, Terms: []train.Term[tokens, tokens]{g},
		Updater: train.NewAdamW(s.Model), Steps: steps, Batch: 4, Micro: 3, Repeat: 3, LR: 0.05, Seed: 2,
		Checkpoint: dir + "/run.ckpt", CheckpointEvery: 2, Resume: true, MetricsFile: dir + "/run.jsonl",
	}
}

// ticking is a decoder that tells when it is asked.
type ticking struct {
	policy.Decoder
	tick func()
}

func (d ticking) Open(ctx context.Context, prompts [][]int32, k int) (policy.Decode, error) {
	d.tick()
	return d.Decoder.Open(ctx, prompts, k)
}

// TestTokenRun: the reward rises, and a cancelled run goes on with the same bits.
func TestTokenRun(t *testing.T) {
	const steps = 60
	dir := t.TempDir()
	s, l := tokenRun(t, dir, steps, func() {})
	_, err := l.Run(ctx)
	require.NoError(t, err)
	var scores []float64
	for _, line := range lines(t, l.MetricsFile) {
		if v, ok := line["objective/scores"]; ok {
			scores = append(scores, float64(v))
		}
	}
	require.Len(t, scores, steps/3)
	assert.Greater(t, average(scores[15:]), average(scores[:5])+0.5)

	again := t.TempDir()
	stopped, cancel := context.WithCancel(ctx)
	n := 0
	_, m := tokenRun(t, again, steps, func() {
		if n++; n == 17 {
			cancel()
		}
	})
	_, err = m.Run(stopped)
	require.ErrorIs(t, err, context.Canceled)
	resumed, m := tokenRun(t, again, steps, func() {})
	_, err = m.Run(ctx)
	require.NoError(t, err)
	assert.Equal(t, s.Params(), resumed.Params())
	assert.Equal(t, readFile(t, l.MetricsFile), readFile(t, m.MetricsFile))
}

func TestTokenErrors(t *testing.T) {
	s := newSpeaker(t)
	mute := func(_ context.Context, dst []float64, _, _ []tokens) error {
		return &policy.ItemError{Index: 0, Err: errMute}
	}
	for want, set := range map[string]func(g *train.TokenPolicyGradient, b *train.Batch[tokens, tokens]){
		"TokenPolicyGradient needs either Advantage or AdvantageOf": func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) { g.Advantage = nil },
		"TokenPolicyGradient.K = 0, must be at least 1":             func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) { g.K = 0 },
		"TokenPolicyGradient.Beta without Ref or ExactKL":           func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) { g.Ref = nil },
		"TokenPolicyGradient.TokensPerReply = -1":                   func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) { g.TokensPerReply = -1 },
		"TokensPerReply and TokenMean: which one?": func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) {
			g.TokensPerReply, g.TokenMean = 2, true
		},
		"WholeReplies without Importance":                  func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) { g.WholeReplies = true },
		"ExactKL needs replies of the policy as it is":     func(g *train.TokenPolicyGradient, b *train.Batch[tokens, tokens]) { g.ExactKL, b.Repeat = true, 1 },
		"TokenMean cannot be accumulated from 1 of 2 rows": func(g *train.TokenPolicyGradient, b *train.Batch[tokens, tokens]) { g.TokenMean, b.Rows = true, 2 },
		"CountMasked without Mask":                         func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) { g.CountMasked = true },
		"TopEntropy looks at the whole batch": func(g *train.TokenPolicyGradient, b *train.Batch[tokens, tokens]) {
			g.Mask, b.Rows = loss.TopEntropy{Share: 0.5}, 2
		},
		"Whitened looks at the whole batch": func(g *train.TokenPolicyGradient, b *train.Batch[tokens, tokens]) {
			g.Advantage, b.Rows = rloo.Whitened{}, 2
		},
		"wrote 2 replies with 2 finish reasons, not 3":                func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) { g.K = 3 },
		"reward: all 2 failed: row 0, sample 0: policy: item 0: mute": func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) { g.Reward = mute },
		"row 0, sample 1, token 1: loss: ":                            func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) { g.Loss = picky{} },
		rloo.ErrDependent.Error():                                     func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) { g.Generator = joined{g.Generator} },
		"unsupported operation":                                       func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) { g.ExactKL = true },
		"RegularisedReward.Beta = -1":                                 func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) { g.Beta = -1 },
		"sampler: Importance.Max is -1, must be positive": func(g *train.TokenPolicyGradient, _ *train.Batch[tokens, tokens]) {
			g.Importance = &sampler.Importance{Max: -1}
		},
	} {
		last := len(s.replies) - 1 // of two tokens
		g, b := s.term(reciter{s: s, replies: []int{0, last}, logp: s.tokenProbs(t, s.Model)}), s.one()
		set(g, b)
		assert.ErrorContains(t, g.Accumulate(ctx, b, policy.Key{}, &train.Metrics{}), want)
	}
}

// picky is a loss that cannot use the last token.
type picky struct{}

func (picky) Eval(_ loss.RolloutsOut, b loss.Rollouts) (loss.RolloutsTotal, error) {
	i := len(b.LogProb) - 1
	return loss.RolloutsTotal{}, &loss.InputError{Field: "LogProb", Index: i, Value: b.LogProb[i], Reason: "not to my taste"}
}

// joined is a generator whose replies depend on each other.
type joined struct{ policy.Generator }

func (joined) Independent() bool { return false }
