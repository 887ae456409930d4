package sampler_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/sampler"
)

var ctx = context.Background()

func newModel(t testing.TB, c lm.Config) *lm.Model {
	t.Helper()
	m, err := lm.New(c)
	require.NoError(t, err)
	g := rand.New(rand.NewPCG(1, 0))
	for i := range m.Params() {
		m.Params()[i] += 0.4 * g.NormFloat64()
	}
	return m
}

// Frequencies of whole replies against their exact distribution.
func TestDistributionOfReplies(t *testing.T) {
	const vocab, eos, longest, n = 3, 0, 3, 40000
	prompt := []int32{1, 2}
	for _, temperature := range []float64{0.6, 1, 1.7} {
		t.Run(fmt.Sprint("T=", temperature), func(t *testing.T) {
			a := sampler.NewAncestral(&fake{vocab: vocab, logits: uneven}, eos, longest)
			a.Temperature = temperature
			var r policy.Rollout
			require.NoError(t, a.Generate(ctx, &r, [][]int32{prompt}, []uint64{7}, n, policy.Key{Seed: 1}))
			counts := map[string]float64{}
			for i := range n {
				lo, hi := r.Tokens.Reply(i)
				counts[fmt.Sprint(r.Tokens.IDs[lo:hi])]++
			}
			chi2, freedom, seen, total := 0.0, -1.0, 0.0, 0.0
			replies(vocab, eos, longest, prompt, temperature, func(y []int32, mu, _ float64) {
				c := counts[fmt.Sprint(y)]
				total += mu
				if mu == 0 {
					assert.Zero(t, c, "an impossible reply")
					return
				}
				require.Greater(t, n*mu, 5.0)
				chi2 += (c - n*mu) * (c - n*mu) / (n * mu)
				freedom++
				seen += c
			})
			assert.EqualValues(t, n, seen)
			assert.InDelta(t, 1, total, 1e-12)
			// Four standard deviations of the statistic either way.
			assert.InDelta(t, freedom, chi2, 4*math.Sqrt(2*freedom))
		})
	}
}

// Every token follows from one uniform number of its own stream, and carries its exact
// log-probability at T and at 1.
func TestTokensFollowFromTheStream(t *testing.T) {
	const vocab, eos, longest, k = 5, 4, 7, 50
	a := &sampler.Ancestral{Decoder: &fake{vocab: vocab, logits: uneven}, EOS: eos, MaxTokens: longest, Temperature: 1.4}
	prompts, ids, key := [][]int32{{3}, {}, {1, 1}}, []uint64{5, 0, math.MaxUint64}, policy.Key{Seed: 2, Step: 9}
	var r policy.Rollout
	r.LogProb = []float64{math.NaN(), math.NaN()} // left by another call
	require.NoError(t, a.Generate(ctx, &r, prompts, ids, k, key))
	require.Equal(t, len(prompts)*k, r.Tokens.Len())
	require.NoError(t, r.Tokens.Check(vocab))
	ends := map[policy.Finish]int{}
	for i := range r.Tokens.Len() {
		prompt := prompts[i/k]
		var g rand.PCG
		key.Stream(&g, ids[i/k], i%k)
		lo, hi := r.Tokens.Reply(i)
		assert.Equal(t, prompt, append([]int32{}, r.Tokens.IDs[r.Tokens.Begin[i]:lo]...))
		for at := r.Tokens.Begin[i]; at < lo; at++ {
			assert.Zero(t, r.LogProb[at])
			assert.Zero(t, r.Model[at])
		}
		reply := r.Tokens.IDs[lo:hi]
		for n, id := range reply {
			z := make([]float32, vocab)
			uneven(z, prompt, reply[:n])
			mu, pi := softmax(z, 1.4), softmax(z, 1)
			u := float64(g.Uint64()>>11) / (1 << 53)
			want := 0
			for u -= mu[0]; u >= 0; u -= mu[want] {
				want++
			}
			require.EqualValues(t, want, id)
			assert.InDelta(t, math.Log(mu[id]), r.LogProb[lo+n], 1e-13)
			assert.InDelta(t, math.Log(pi[id]), r.Model[lo+n], 1e-13)
		}
		ends[r.Finish[i]]++
		if r.Finish[i] == policy.FinishEOS {
			assert.Equal(t, len(reply)-1, slices.Index(reply, eos))
		} else {
			assert.Equal(t, policy.FinishLength, r.Finish[i])
			assert.Len(t, reply, longest)
			assert.NotContains(t, reply, int32(eos))
		}
	}
	assert.Greater(t, ends[policy.FinishEOS], 10)
	assert.Greater(t, ends[policy.FinishLength], 10)
}

// The model is asked once per token and no more, and only for replies that still grow.
func TestCalls(t *testing.T) {
	const k = 20
	f := &fake{vocab: 4, logits: uneven}
	a := sampler.NewAncestral(f, 1, 6)
	var r policy.Rollout
	require.NoError(t, a.Generate(ctx, &r, [][]int32{{0}, {3, 2}}, []uint64{1, 2}, k, policy.Key{}))
	assert.Equal(t, 1, f.opened)
	assert.Equal(t, 1, f.closed)
	var asked, appended [][]int
	for step := range 6 {
		var live, going []int
		for i := range 2 * k {
			lo, hi := r.Tokens.Reply(i)
			if hi-lo > step {
				live = append(live, i)
			}
			if hi-lo > step+1 {
				going = append(going, i)
			}
		}
		if live != nil {
			asked = append(asked, live)
		}
		if going != nil {
			appended = append(appended, going)
		}
	}
	assert.Equal(t, asked, f.asked)
	assert.Equal(t, appended, f.appended)

	f = &fake{vocab: 4, logits: uneven}
	require.NoError(t, sampler.NewAncestral(f, -1, 3).Generate(ctx, &r, [][]int32{{0}}, []uint64{1}, 2, policy.Key{}))
	assert.Equal(t, [][]int{{0, 1}, {0, 1}, {0, 1}}, f.asked, "no id ends a reply")
	assert.Equal(t, []policy.Finish{policy.FinishLength, policy.FinishLength}, r.Finish)

	f = &fake{vocab: 4, logits: uneven}
	require.NoError(t, sampler.NewAncestral(f, -1, 3).Generate(ctx, &r, nil, nil, 2, policy.Key{}))
	assert.Empty(t, f.asked)
	assert.Zero(t, r.Tokens.Len())
	require.NoError(t, r.Tokens.Check(4))
}

// A large vocabulary is asked for a few rows at a time, with the same result.
func TestChunks(t *testing.T) {
	const vocab = 1<<21 + 1
	f := &fake{vocab: vocab, logits: func(dst []float32, prompt, _ []int32) {
		for v := range dst {
			dst[v] = float32(math.Inf(-1))
		}
		dst[prompt[0]] = 0
	}}
	var r policy.Rollout
	prompts := [][]int32{{5}, {vocab - 1}, {77}}
	require.NoError(t, sampler.NewAncestral(f, -1, 1).Generate(ctx, &r, prompts, []uint64{1, 2, 3}, 1, policy.Key{}))
	assert.Equal(t, [][]int{{0}, {1}, {2}}, f.asked)
	assert.Equal(t, []int32{5, 5, vocab - 1, vocab - 1, 77, 77}, r.Tokens.IDs)
	assert.Equal(t, make([]float64, 6), r.LogProb)
}

func TestRepliesDoNotDependOnTheBatch(t *testing.T) {
	m := newModel(t, lm.Config{Vocab: 300, EOS: 0, Dim: 33, Buckets: 64})
	a := sampler.NewAncestral(m, 0, 12)
	g := rand.New(rand.NewPCG(4, 0))
	var prompts [][]int32
	var ids []uint64
	for i := range 20 {
		prompts, ids = append(prompts, []int32{int32(g.IntN(300)), int32(i)}), append(ids, uint64(i*i))
	}
	const k = 3
	key := policy.Key{Seed: 8, Step: 1}
	var all policy.Rollout
	generate := func(procs int) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		all = policy.Rollout{}
		require.NoError(t, a.Generate(ctx, &all, prompts, ids, k, key))
	}
	generate(1)
	want := all
	generate(3)
	require.Equal(t, want, all)

	// Alone, in another place, among more samples.
	var one policy.Rollout
	for i := range prompts {
		require.NoError(t, a.Generate(ctx, &one, prompts[i:i+1], ids[i:i+1], k+2, key))
		for j := range k {
			lo, hi := all.Tokens.Begin[i*k+j], all.Tokens.Begin[i*k+j+1]
			first, last := one.Tokens.Begin[j], one.Tokens.Begin[j+1]
			assert.Equal(t, all.Tokens.IDs[lo:hi], one.Tokens.IDs[first:last])
			assert.Equal(t, all.LogProb[lo:hi], one.LogProb[first:last])
			assert.Equal(t, all.Model[lo:hi], one.Model[first:last])
			assert.Equal(t, all.Finish[i*k+j], one.Finish[j])
		}
	}
	require.NoError(t, a.Generate(ctx, &one, prompts, ids, k, policy.Key{Seed: 8, Step: 2}))
	assert.NotEqual(t, all.Tokens.IDs, one.Tokens.IDs, "another step, other replies")
}

// A reply's log-probabilities at T = 1 are those of the model's own scoring.
func TestLogProbsAreTheModels(t *testing.T) {
	m := newModel(t, lm.Config{Vocab: 300, EOS: 0, Dim: 33, Buckets: 64})
	a := sampler.NewAncestral(m, 0, 9)
	for _, temperature := range []float64{1, 0.7} {
		a.Temperature = temperature
		var r policy.Rollout
		require.NoError(t, a.Generate(ctx, &r, [][]int32{{1, 2}, {}, {5, 5, 5}}, []uint64{10, 11, 12}, 5, policy.Key{Seed: 3}))
		got := make([]float64, len(r.Tokens.IDs))
		require.NoError(t, m.NewTokenPass().Forward(ctx, policy.TokenStats{LogProb: got}, r.Tokens))
		assert.InDeltaSlice(t, got, r.Model, 1e-13)
		if temperature == 1 {
			assert.Equal(t, r.Model, r.LogProb)
		} else {
			assert.NotEqual(t, r.Model, r.LogProb)
		}
	}
}

func TestErrors(t *testing.T) {
	boom := errors.New("boom")
	bad := func(x float64) func([]float32, []int32, []int32) {
		return func(dst []float32, prompt, reply []int32) {
			clear(dst)
			if prompt[0] == 1 && len(reply) == 2 {
				dst[1] = float32(x)
			}
		}
	}
	for _, c := range []struct {
		name   string
		f      fake
		change func(*sampler.Ancestral)
		want   string
		closed int
	}{
		{"temperature 0", fake{}, func(a *sampler.Ancestral) { a.Temperature = 0 }, "sampler: Temperature is 0, must be positive and finite", 0},
		{"temperature NaN", fake{}, func(a *sampler.Ancestral) { a.Temperature = math.NaN() }, "sampler: Temperature is NaN, must be positive and finite", 0},
		{"temperature infinite", fake{}, func(a *sampler.Ancestral) { a.Temperature = math.Inf(1) }, "sampler: Temperature is +Inf, must be positive and finite", 0},
		{"no length", fake{}, func(a *sampler.Ancestral) { a.MaxTokens = 0 }, "sampler: MaxTokens is 0, must be at least 1", 0},
		{"EOS too large", fake{}, func(a *sampler.Ancestral) { a.EOS = 4 }, "sampler: EOS is 4, must be -1 or in the vocabulary of 4", 0},
		{"EOS too small", fake{}, func(a *sampler.Ancestral) { a.EOS = -2 }, "sampler: EOS is -2, must be -1 or in the vocabulary of 4", 0},
		{"no vocabulary", fake{vocab: -4}, nil, "sampler: Decoder has a vocabulary of 0", 0},
		{"Open", fake{openErr: boom}, nil, "boom", 0},
		{"Logits", fake{logitsErr: boom}, nil, "boom", 1},
		{"Append", fake{appendErr: boom}, nil, "boom", 1},
		{"Close", fake{closeErr: boom}, nil, "boom", 1},
		{"NaN", fake{logits: bad(math.NaN())}, nil, "sampler: prompt 1, sample 0, token 2: logit 1 is NaN", 1},
		{"+Inf", fake{logits: bad(math.Inf(1))}, nil, "sampler: prompt 1, sample 0, token 2: logit 1 is +Inf", 1},
		{"all -Inf", fake{logits: func(dst []float32, _, _ []int32) {
			for v := range dst {
				dst[v] = float32(math.Inf(-1))
			}
		}}, nil, "sampler: prompt 0, sample 0, token 0: all logits are -Inf", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.f.logits == nil {
				c.f.logits = uneven
			}
			c.f.vocab += 4
			a := sampler.NewAncestral(&c.f, -1, 5)
			if c.change != nil {
				c.change(a)
			}
			var r policy.Rollout
			assert.EqualError(t, a.Generate(ctx, &r, [][]int32{{0}, {1}}, []uint64{0, 1}, 2, policy.Key{}), c.want)
			assert.Equal(t, c.closed, c.f.closed)
		})
	}
	a := sampler.NewAncestral(&fake{vocab: 4, logits: uneven}, -1, 5)
	assert.Panics(t, func() { _ = a.Generate(ctx, &policy.Rollout{}, [][]int32{{0}}, nil, 1, policy.Key{}) })
	assert.Panics(t, func() { _ = a.Generate(ctx, &policy.Rollout{}, nil, nil, 0, policy.Key{}) })
	assert.PanicsWithValue(t, "sampler: Ancestral without Decoder", func() {
		_ = (&sampler.Ancestral{}).Generate(ctx, &policy.Rollout{}, nil, nil, 1, policy.Key{})
	})
}

func TestCancellation(t *testing.T) {
	ctx, cancel := context.WithCancel(ctx)
	steps := 0
	f := &fake{vocab: 4, logits: func(dst []float32, _, _ []int32) {
		if steps++; steps == 3 {
			cancel()
		}
	}}
	err := sampler.NewAncestral(f, -1, 100).Generate(ctx, &policy.Rollout{}, [][]int32{{0}}, []uint64{0}, 1, policy.Key{})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 3, steps)
	assert.Equal(t, 1, f.closed)
}
