package lm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/record"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/policy/logits"
)

// score returns the log-probability of one token from its logits.
func score(t testing.TB, z []float32, id int32) float64 {
	dst := make([]float64, 1)
	require.NoError(t, logits.Forward(logits.Stats{LogProb: dst}, logits.Batch{
		Logits: logits.Rows{Data: z, N: 1, Vocab: len(z)}, Labels: []int32{id}, Temperature: 1,
	}))
	return dst[0]
}

func TestConfig(t *testing.T) {
	m, err := lm.New(lm.Config{Vocab: 100, EOS: 1})
	require.NoError(t, err)
	assert.Equal(t, lm.Config{Vocab: 100, EOS: 1, Dim: 64, Order: 3, Buckets: 16384, InitStd: 0.125}, m.Config())
	for want, c := range map[string]lm.Config{
		"lm: Config.Vocab is 1, must be in [2, 16777216]":         {Vocab: 1},
		"lm: Config.EOS is 5, must be in [0, 4]":                  {Vocab: 5, EOS: 5},
		"lm: Config.EOS is -1, must be in [0, 4]":                 {Vocab: 5, EOS: -1},
		"lm: Config.Dim is -1, must be in [1, 4096]":              {Vocab: 5, Dim: -1},
		"lm: Config.Order is 9, must be in [1, 8]":                {Vocab: 5, Order: 9},
		"lm: Config.Buckets is -3, must be in [1, 268435456]":     {Vocab: 5, Buckets: -3},
		"lm: Config.InitStd is NaN, must be positive and finite":  {Vocab: 5, InitStd: math.NaN()},
		"lm: Config.InitStd is -0.5, must be positive and finite": {Vocab: 5, InitStd: -0.5},
		"lm: Config.InitStd is +Inf, must be positive and finite": {Vocab: 5, InitStd: math.Inf(1)},
	} {
		_, err := lm.New(c)
		assert.EqualError(t, err, want)
	}
}

func TestNewModelIsUniformAndSeeded(t *testing.T) {
	a, err := lm.New(lm.Config{Vocab: 9, Dim: 4, Buckets: 64, Seed: 5})
	require.NoError(t, err)
	b, err := lm.New(lm.Config{Vocab: 9, Dim: 4, Buckets: 64, Seed: 5})
	require.NoError(t, err)
	c, err := lm.New(lm.Config{Vocab: 9, Dim: 4, Buckets: 64, Seed: 6})
	require.NoError(t, err)
	assert.Equal(t, a.Params(), b.Params())
	assert.NotEqual(t, a.Params(), c.Params())
	assert.Len(t, a.Grad(), len(a.Params()))
	batch := randomTokens(1, 3, 9, 4)
	s := newStats(len(batch.IDs))
	s.KL = nil
	require.NoError(t, a.NewTokenPass().Forward(ctx, s, batch))
	for i := range batch.Len() {
		lo, hi := batch.Reply(i)
		for at := lo; at < hi; at++ {
			assert.InDelta(t, -math.Log(9), s.LogProb[at], 1e-15)
		}
	}
	counts := []int{0, 1, 2, 3, 4, 5, 6, 7, 8}
	require.NoError(t, a.FitUnigram(counts))
	require.NoError(t, a.NewTokenPass().Forward(ctx, s, batch))
	for i := range batch.Len() {
		lo, hi := batch.Reply(i)
		for at := lo; at < hi; at++ {
			assert.InDelta(t, math.Log((float64(batch.IDs[at])+0.5)/(36+4.5)), s.LogProb[at], 1e-6)
		}
	}
	counts[3] = -1
	assert.EqualError(t, a.FitUnigram(counts), "lm: counts[3] is -1")
}

// The probabilities of all replies up to a maximum length, those that were cut
// included, sum to 1.
func TestRepliesSumToOne(t *testing.T) {
	const vocab, eos, longest = 4, 2, 4
	m := newModel(t, lm.Config{Vocab: vocab, EOS: eos, Dim: 3, Buckets: 11, Seed: 1})
	var xs, ys [][]int32
	var extend func(y []int32)
	extend = func(y []int32) {
		if n := len(y); n == longest || n > 0 && y[n-1] == eos {
			xs, ys = append(xs, []int32{3, 1}), append(ys, append([]int32(nil), y...))
			return
		}
		for v := range int32(vocab) {
			extend(append(y, v))
		}
	}
	extend(nil)
	require.Len(t, ys, 1+3+9+27*4)
	logp := make([]float64, len(ys))
	require.NoError(t, policy.Sequences{Model: m}.LogProbs(ctx, logp, xs, ys))
	sum := 0.0
	for _, l := range logp {
		sum += math.Exp(l)
	}
	assert.InDelta(t, 1, sum, 1e-13)
}

func TestFreezeAndClone(t *testing.T) {
	m := newModel(t, lm.Config{Vocab: 8, Dim: 3, Buckets: 5, Seed: 1})
	b := randomTokens(1, 4, 8, 5)
	forward := func(p policy.TokenPolicy) []float64 {
		s := policy.TokenStats{LogProb: make([]float64, len(b.IDs))}
		require.NoError(t, p.NewTokenPass().Forward(ctx, s, b))
		return s.LogProb
	}
	before := forward(m)
	frozen, clone := m.Freeze(), m.Clone()
	m.Grad()[0] = 3
	for i := range m.Params() {
		m.Params()[i] += float64(i % 3)
	}
	assert.NotEqual(t, before, forward(m))
	assert.Equal(t, before, forward(frozen))
	assert.Equal(t, before, forward(clone))
	assert.Equal(t, m.Config(), frozen.Config())
	again := frozen.Clone()
	assert.Equal(t, clone.Params(), again.Params())
	assert.Zero(t, again.Grad()[0])
	again.Params()[0] = 9
	assert.Equal(t, before, forward(frozen))

	pass := frozen.NewTokenPass()
	require.NoError(t, pass.Forward(ctx, policy.TokenStats{}, b))
	assert.ErrorIs(t, pass.Pullback(ctx, policy.TokenStats{LogProb: before}), errors.ErrUnsupported)
}

func TestSaveAndLoad(t *testing.T) {
	m := newModel(t, lm.Config{Vocab: 8, EOS: 3, Dim: 3, Order: 2, Buckets: 5, NoPrompt: true, Seed: 1 << 63})
	var a, b bytes.Buffer
	require.NoError(t, m.Save(&a))
	require.NoError(t, m.Freeze().Save(&b))
	assert.Equal(t, a.Bytes(), b.Bytes())
	got, err := lm.Load(bytes.NewReader(a.Bytes()))
	require.NoError(t, err)
	assert.Equal(t, m.Config(), got.Config())
	assert.Equal(t, m.Params(), got.Params())

	for i := range a.Len() {
		broken := bytes.Clone(a.Bytes())
		broken[i] ^= 0x10
		_, err := lm.Load(bytes.NewReader(broken))
		assert.Error(t, err, "byte %d", i)
		_, err = lm.Load(bytes.NewReader(a.Bytes()[:i]))
		assert.Error(t, err, "cut at %d", i)
	}
	for name, c := range map[string]struct {
		sections [][]byte
		want     string
	}{
		"shape":         {[][]byte{[]byte(`{"vocab":8,"dim":4}`), make([]byte, 80)}, "bytes of parameters"},
		"configuration": {[][]byte{[]byte(`{"vocab":1}`), nil}, "Config.Vocab is 1"},
		"unknown field": {[][]byte{[]byte(`{"vocab":8,"depth":2}`), nil}, "depth"},
		"sections":      {[][]byte{nil}, "1 sections"},
	} {
		var w bytes.Buffer
		require.NoError(t, record.Write(&w, "lm.Model", 1, c.sections...))
		_, err := lm.Load(&w)
		assert.ErrorContains(t, err, c.want, name)
	}
	var w bytes.Buffer
	require.NoError(t, record.Write(&w, "lm.Model", 2, nil, nil))
	_, err = lm.Load(&w)
	assert.ErrorContains(t, err, "version 2")
}

func TestBadItems(t *testing.T) {
	m := newModel(t, lm.Config{Vocab: 8, Dim: 3, Buckets: 5, Seed: 1})
	b := randomTokens(1, 5, 8, 5)
	good := newStats(len(b.IDs))
	pass := m.Against(m.Freeze()).NewTokenPass()
	require.NoError(t, pass.Forward(ctx, good, b))
	b.IDs[b.Begin[1]] = 8
	b.IDs[b.Begin[4]-1] = -1
	got := newStats(len(b.IDs))
	err := pass.Forward(ctx, got, b)
	assert.ErrorIs(t, err, policy.ErrResponse)
	assert.ErrorContains(t, err, "policy: item 1: token 0 is 8, outside the vocabulary of 8")
	assert.ErrorContains(t, err, "policy: item 3: token")
	for i := range b.Len() {
		lo, hi := b.Reply(i)
		for at := lo; at < hi; at++ {
			if i == 1 || i == 3 {
				assert.True(t, math.IsNaN(got.LogProb[at]) && math.IsNaN(got.Entropy[at]) && math.IsNaN(got.KL[at]) && math.IsNaN(got.SumSq[at]))
			} else {
				assert.Equal(t, good.LogProb[at], got.LogProb[at])
			}
		}
	}
	assert.Panics(t, func() { _ = pass.Pullback(ctx, got) }, "no Pullback after a failed Forward")

	var empty policy.Tokens
	empty.Append([]int32{1}, nil)
	assert.ErrorContains(t, pass.Forward(ctx, policy.TokenStats{}, empty), "item 0: empty reply")
	require.NoError(t, pass.Forward(ctx, policy.TokenStats{}, policy.Tokens{}), "an empty batch")
	require.NoError(t, pass.Pullback(ctx, policy.TokenStats{}))

	_, err = m.Open(ctx, [][]int32{{1}, {2, 8}}, 1)
	assert.ErrorIs(t, err, policy.ErrPrompt)
	assert.ErrorContains(t, err, "item 1: token 1 is 8")
	d, err := m.Open(ctx, [][]int32{{1}}, 2)
	require.NoError(t, err)
	assert.ErrorContains(t, d.Append(ctx, []int{1}, []int32{-3}), "sequence 1 is -3")
}

func TestUnsupportedAndMisuse(t *testing.T) {
	m := newModel(t, lm.Config{Vocab: 8, Dim: 3, Buckets: 5, Seed: 1})
	b := randomTokens(1, 5, 8, 5)
	s := newStats(len(b.IDs))
	pass := m.NewTokenPass()
	assert.Panics(t, func() { _ = pass.Pullback(ctx, policy.TokenStats{}) }, "no Forward yet")
	assert.ErrorIs(t, pass.Forward(ctx, s, b), errors.ErrUnsupported, "KL without a reference")
	require.NoError(t, pass.Forward(ctx, policy.TokenStats{LogProb: s.LogProb}, b))
	assert.ErrorIs(t, pass.Pullback(ctx, s), errors.ErrUnsupported, "KL without a reference")
	assert.Panics(t, func() { _ = pass.Pullback(ctx, policy.TokenStats{LogProb: s.LogProb[1:]}) })
	assert.Panics(t, func() { _ = pass.Forward(ctx, policy.TokenStats{LogProb: s.LogProb[1:]}, b) })
	assert.Panics(t, func() { m.Against(newModel(t, lm.Config{Vocab: 9, Dim: 3}).Freeze()) })
	assert.Panics(t, func() { _ = m.FitUnigram(make([]int, 7)) })
	assert.Panics(t, func() { _, _ = m.Open(ctx, nil, 0) })

	m.Params()[0] = math.NaN()
	err := pass.Forward(ctx, policy.TokenStats{LogProb: s.LogProb}, b)
	lo, _ := b.Reply(0)
	assert.EqualError(t, err, fmt.Sprintf("lm: sequence 0, token %d: logit 0 is NaN", lo), "a model that diverged")
}

func TestCancellation(t *testing.T) {
	m, b := big(t)
	pass := m.NewTokenPass()
	s := policy.TokenStats{LogProb: make([]float64, len(b.IDs))}
	done, cancel := context.WithCancel(ctx)
	cancel()
	assert.ErrorIs(t, pass.Forward(done, s, b), context.Canceled)
	require.NoError(t, pass.Forward(ctx, s, b))
	assert.ErrorIs(t, pass.Pullback(done, s), context.Canceled)
	_, err := m.Open(done, [][]int32{{1}}, 1)
	assert.ErrorIs(t, err, context.Canceled)
	d, err := m.Open(ctx, [][]int32{{1}}, 1)
	require.NoError(t, err)
	assert.ErrorIs(t, d.Logits(done, make([]float32, m.Vocab()), []int{0}), context.Canceled)
}
