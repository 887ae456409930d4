package sampler_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
)

// The token-wise mixture, against the powers of both distributions, and the mixture of
// whole replies, by weights: exact sums over all replies. They are not the same.
func TestMixtures(t *testing.T) {
	const vocab, eos, longest, a, n = 3, 0, 2, 0.4, 8000
	prompt := []int32{1}
	p, ref := &fake{vocab: vocab, logits: uneven}, &fake{vocab: vocab, logits: varied}
	token, pi, pref := map[string]float64{}, map[string]float64{}, map[string]float64{}
	var extend func(y []int32, mu, a1, a2 float64)
	extend = func(y []int32, mu, a1, a2 float64) {
		if l := len(y); l == longest || l > 0 && y[l-1] == eos {
			name := fmt.Sprint(y)
			token[name], pi[name], pref[name] = mu, a1, a2
			return
		}
		z1, z2 := make([]float32, vocab), make([]float32, vocab)
		uneven(z1, prompt, y)
		varied(z2, prompt, y)
		q1, q2 := softmax(z1, 1), softmax(z2, 1)
		total := 0.0
		for v := range q1 {
			total += math.Pow(q1[v], 1-a) * math.Pow(q2[v], a)
		}
		for v := range q1 {
			extend(append(y[:len(y):len(y)], int32(v)), mu*math.Pow(q1[v], 1-a)*math.Pow(q2[v], a)/total, a1*q1[v], a2*q2[v])
		}
	}
	extend(nil, 1, 1, 1)

	s := sampler.NewAncestral(sampler.Mixture{Policy: p, Ref: ref, A: a}, eos, longest)
	var r policy.Rollout
	require.NoError(t, s.Generate(ctx, &r, [][]int32{prompt}, []uint64{1}, n, policy.Key{Seed: 4}))
	counts := map[string]float64{}
	for i := range n {
		lo, hi := r.Tokens.Reply(i)
		name := fmt.Sprint(r.Tokens.IDs[lo:hi])
		counts[name]++
		sum := 0.0
		for _, l := range r.LogProb[lo:hi] {
			sum += l
		}
		require.InDelta(t, math.Log(token[name]), sum, 1e-6, "up to the rounding of logits to float32")
	}
	possible := map[string]float64{}
	for name, q := range token {
		if q > 0 {
			possible[name] = q
		}
	}
	chiSquare(t, possible, counts, n)
	assert.Equal(t, [2]int{1, 1}, [2]int{p.closed, ref.closed})

	// Whole replies: weights under π, times π, are the normalised powers.
	var names []string
	var logp, logr []float64
	for name := range pi {
		if pi[name] > 0 {
			names, logp, logr = append(names, name), append(logp, math.Log(pi[name])), append(logr, math.Log(pref[name]))
		}
	}
	w := make([]float64, len(names))
	require.NoError(t, sampler.ReplyMixture(w, logp, logr, a))
	z, zw, different := 0.0, 0.0, 0.0
	for i, name := range names {
		z += math.Pow(pi[name], 1-a) * math.Pow(pref[name], a)
		zw += pi[name] * math.Exp(w[i])
	}
	for i, name := range names {
		want := math.Pow(pi[name], 1-a) * math.Pow(pref[name], a) / z
		assert.InDelta(t, want, pi[name]*math.Exp(w[i])/zw, 1e-14)
		different = max(different, math.Abs(want-token[name]))
	}
	assert.Greater(t, different, 0.01)
}

// Defect 37: a coefficient of 0 times a logit of −Inf is 0, not NaN.
func TestMixtureEnds(t *testing.T) {
	none := func(v int32) *fake {
		return &fake{vocab: 3, logits: func(dst []float32, _, _ []int32) {
			clear(dst)
			dst[v] = inf32
		}}
	}
	for _, c := range []struct {
		a       float64
		missing []int32
	}{{0, []int32{0}}, {1, []int32{2}}, {0.5, []int32{0, 2}}} {
		var r policy.Rollout
		s := sampler.NewAncestral(sampler.Mixture{Policy: none(0), Ref: none(2), A: c.a}, -1, 2)
		require.NoError(t, s.Generate(ctx, &r, [][]int32{{}}, []uint64{0}, 100, policy.Key{}))
		for _, v := range c.missing {
			assert.NotContains(t, r.Tokens.IDs, v)
		}
		for _, l := range r.LogProb {
			assert.InDelta(t, -math.Log(3-float64(len(c.missing))), l, 1e-6)
		}
	}
	dst := make([]float64, 2)
	require.NoError(t, sampler.ReplyMixture(dst, []float64{-1, -2}, []float64{math.Inf(-1), -3}, 0))
	assert.Equal(t, []float64{0, 0}, dst)
	require.NoError(t, sampler.ReplyMixture(dst, []float64{-1, -2}, []float64{math.Inf(-1), -3}, 1))
	assert.Equal(t, []float64{math.Inf(-1), -1}, dst)
	assert.EqualError(t, sampler.ReplyMixture(dst, []float64{-1, math.Inf(-1)}, dst, 1), "sampler: logp[1] = -Inf, must be finite")
	assert.EqualError(t, sampler.ReplyMixture(dst, []float64{-1, -1}, []float64{nan, 0}, 0.5), "sampler: ref[0] = NaN")
	assert.EqualError(t, sampler.ReplyMixture(dst, dst, dst, 2), "sampler: a mixture with a = 2, must be in [0, 1]")
	assert.Panics(t, func() { _ = sampler.ReplyMixture(dst, dst[1:], dst, 0) })
}

func TestMixtureErrors(t *testing.T) {
	boom := errors.New("boom")
	good := func() *fake { return &fake{vocab: 3, logits: uneven} }
	for _, c := range []struct {
		name string
		m    sampler.Mixture
		want string
	}{
		{"A", sampler.Mixture{Policy: good(), Ref: good(), A: 1.5}, "sampler: Mixture.A is 1.5, must be in [0, 1]"},
		{"vocabularies", sampler.Mixture{Policy: good(), Ref: &fake{vocab: 4, logits: uneven}, A: 0.5}, "sampler: Mixture of vocabularies of 3 and 4"},
		{"Open", sampler.Mixture{Policy: &fake{vocab: 3, openErr: boom}, Ref: good(), A: 0.5}, "boom"},
		{"Open of the reference", sampler.Mixture{Policy: good(), Ref: &fake{vocab: 3, openErr: boom}, A: 0.5}, "boom"},
		{"Logits of the reference", sampler.Mixture{Policy: good(), Ref: &fake{vocab: 3, logits: uneven, logitsErr: boom}, A: 0.5}, "boom"},
		{"Append", sampler.Mixture{Policy: &fake{vocab: 3, logits: uneven, appendErr: boom}, Ref: good(), A: 0.5}, "boom"},
		{"Close", sampler.Mixture{Policy: good(), Ref: &fake{vocab: 3, logits: uneven, closeErr: boom}, A: 0.5}, "boom"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r policy.Rollout
			assert.EqualError(t, sampler.NewAncestral(c.m, -1, 3).Generate(ctx, &r, [][]int32{{1}}, []uint64{0}, 2, policy.Key{}), c.want)
			p := c.m.Policy.(*fake)
			assert.Equal(t, p.opened, p.closed+map[bool]int{true: 1}[p.openErr != nil], "what was opened is closed")
		})
	}
}
