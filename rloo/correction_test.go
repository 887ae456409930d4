package rloo_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
)

// behaviourLogP are log μ of the tokens of a batch.
func (b batch) behaviourLogP(mu []float64) []float64 {
	out := make([]float64, len(b.ids))
	for p, c := range b.contexts {
		if out[p] = math.NaN(); c >= 0 {
			out[p] = row(mu, c)[b.ids[p]]
		}
	}
	return out
}

func (b batch) tokens() policy.Tokens {
	return policy.Tokens{IDs: make([]int32, len(b.ids)), Begin: b.layout.Begin, Prompt: b.layout.Prompt, Mask: b.layout.Mask}
}

// Replies of another policy, by enumeration: ratios of whole replies are exact, and those of
// tokens, none at all and bounded ones are not; the bounded ones' mean is what they say.
func TestTheoryReweight(t *testing.T) {
	w, other := newWriter(1), newWriter(2)
	mu := other.logits
	want := gradient(w.logits, func(x []float64) float64 {
		return w.expect(x, func(i int, _ reply) float64 { return w.reward[i] })
	})
	const k = 2
	by := func(c *sampler.Importance, tokens bool) []float64 {
		return w.mean(t, k, mu, func(b batch) []float64 {
			seq := make([]float64, k)
			_, err := rloo.RLOO{}.Eval(seq, b.reward, rloo.Groups{K: k})
			require.NoError(t, err)
			rloo.Spread(b.weight, seq, b.layout)
			if c == nil {
				return b.pullback(t, b.weight)
			}
			rho, f := make([]float64, k), c.Sequences
			if tokens {
				rho, f = make([]float64, len(b.ids)), c.Tokens
			}
			_, err = f(rho, b.logp, b.behaviourLogP(mu), b.tokens())
			require.NoError(t, err)
			require.NoError(t, rloo.Reweight(b.weight, rho, b.layout))
			return b.pullback(t, b.weight)
		})
	}
	plain, bounded := &sampler.Importance{}, &sampler.Importance{Max: 1.2}
	truncated := by(bounded, false)
	same(t, want, by(plain, false), by(plain, true), by(nil, false), truncated)

	// The KL of sequences, by tokens and with the baseline of replies that are not reweighted.
	kl := func(reweight bool) []float64 {
		return w.mean(t, k, mu, func(b batch) []float64 {
			rho := make([]float64, k)
			_, err := plain.Sequences(rho, b.logp, b.behaviourLogP(mu), b.tokens())
			require.NoError(t, err)
			require.NoError(t, rloo.ReverseKL(b.weight, b.logp, b.ref, b.layout, rloo.Groups{K: k}))
			if reweight {
				require.NoError(t, rloo.Reweight(b.weight, rho, b.layout))
			}
			return b.pullback(t, b.weight)
		})
	}
	same(t, gradient(w.logits, func(x []float64) float64 { return w.kl(x, w.ref) }), kl(true), kl(false))

	// E_μ[min(ρ, c)·(r − E_μ r)·∇ log π]
	direct, mean := make([]float64, len(w.logits)), w.expect(mu, func(i int, _ reply) float64 { return w.reward[i] })
	for i, r := range w.replies {
		lm := floats.Sum(r.logp(mu))
		b := w.batch([]int{i})
		a := math.Exp(lm) * min(math.Exp(floats.Sum(r.logp(w.logits))-lm), 1.2) * (w.reward[i] - mean)
		rloo.Spread(b.weight, []float64{a}, b.layout)
		floats.Add(direct, b.pullback(t, b.weight))
	}
	same(t, direct, truncated, want)
}

func TestRejectionByHand(t *testing.T) {
	nan := math.NaN()
	// Two prompts tokens, then log(π/μ) of 0.5 and −0.1; none; 0.2 and 1 behind a masked token.
	target := []float64{nan, -1, -1.1, nan, -0.8, nan, -1}
	behaviour := []float64{nan, -1.5, -1, nan, -1, nan, -2}
	l := rloo.Layout{Begin: []int{0, 3, 4, 7}, Prompt: []int{1, 1, 0}, Mask: []bool{true, true, true, true, true, false, true}}
	for _, c := range []struct {
		name  string
		mask  func(dst []bool) (rloo.MaskStats, error)
		want  []bool
		stats rloo.MaskStats
	}{
		{"k1 of tokens", func(dst []bool) (rloo.MaskStats, error) {
			return rloo.Rejection{By: rloo.K1, Max: 0.3}.Mask(dst, target, behaviour, l)
		}, []bool{false, false, true, false, true, false, false}, rloo.MaskStats{Tokens: 4, DroppedTokens: 2, Replies: 3}},
		{"k2 of tokens", func(dst []bool) (rloo.MaskStats, error) {
			return rloo.Rejection{By: rloo.K2, Max: 0.2}.Mask(dst, target, behaviour, l)
		}, []bool{false, true, true, false, true, false, false}, rloo.MaskStats{Tokens: 4, DroppedTokens: 1, Replies: 3}},
		{"k1 of replies", func(dst []bool) (rloo.MaskStats, error) { // means 0.2 and 0.6
			return rloo.Rejection{By: rloo.K1, Max: 0.3, Replies: true}.Mask(dst, target, behaviour, l)
		}, []bool{false, true, true, false, false, false, false}, rloo.MaskStats{Tokens: 4, DroppedTokens: 2, Replies: 3, DroppedReplies: 1}},
		{"k3 of replies", func(dst []bool) (rloo.MaskStats, error) { // e^{−ℓ} − 1 + ℓ: 0.1065, 0.0052; 0.0187, 0.3679
			return rloo.Rejection{By: rloo.K3, Max: 0.1, Replies: true}.Mask(dst, target, behaviour, l)
		}, []bool{false, true, true, false, false, false, false}, rloo.MaskStats{Tokens: 4, DroppedTokens: 2, Replies: 3, DroppedReplies: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dst := make([]bool, len(target))
			for i := range dst {
				dst[i] = true
			}
			s, err := c.mask(dst)
			require.NoError(t, err)
			assert.Equal(t, c.want, dst)
			assert.Equal(t, c.stats, s)
		})
	}
	inPlace := append([]bool{}, l.Mask...)
	_, err := rloo.Rejection{By: rloo.K1, Max: 0.3, Replies: true}.Mask(inPlace, target, behaviour, rloo.Layout{Begin: l.Begin, Prompt: l.Prompt, Mask: inPlace})
	require.NoError(t, err)
	assert.Equal(t, []bool{false, true, true, false, false, false, false}, inPlace)
}

func TestReweightByHand(t *testing.T) {
	l := rloo.Layout{Begin: []int{0, 3, 5}, Prompt: []int{1, 0}, Mask: []bool{true, true, true, false, true}}
	nan := math.NaN()
	w := []float64{nan, 2, -3, nan, 5}
	require.NoError(t, rloo.Reweight(w, []float64{0.5, 2}, l))
	assert.Equal(t, []float64{1, -1.5, 10}, []float64{w[1], w[2], w[4]})
	require.NoError(t, rloo.Reweight(w, []float64{nan, 0, 2, nan, 1}, l))
	assert.Equal(t, []float64{0, -3, 10}, []float64{w[1], w[2], w[4]})
}

func TestCorrectionErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	var l rloo.Layout
	zero, dst := make([]float64, 2), make([]bool, 2)
	for rho, text := range map[float64]string{nan: "NaN", inf: "+Inf", -1: "-1"} {
		assert.EqualError(t, rloo.Reweight([]float64{1, 1}, []float64{1, rho}, l), "rloo: rho[1] = "+text+", must be finite and not negative")
	}
	assert.EqualError(t, rloo.Reweight([]float64{1e200, 1}, []float64{1e200, 1}, l), "rloo: weight[0] = 1e+200 times rho[0] = 1e+200, must be finite")
	mask := func(r rloo.Rejection, target, behaviour []float64) error {
		_, err := r.Mask(dst, target, behaviour, l)
		return err
	}
	assert.EqualError(t, mask(rloo.Rejection{}, zero, zero), "rloo: Rejection.By = KLValue(0), must be k1, k2 or k3")
	assert.EqualError(t, mask(rloo.Rejection{By: rloo.K1, Max: -1}, zero, zero), "rloo: Rejection.Max = -1, must not be negative")
	assert.EqualError(t, mask(rloo.Rejection{By: rloo.K1}, []float64{0, -inf}, zero), "rloo: target[1] = -Inf, must be finite")
	assert.EqualError(t, mask(rloo.Rejection{By: rloo.K1}, zero, []float64{0, nan}), "rloo: behaviour[1] = NaN, must be finite")

	const lengths = "rloo: slices of different lengths"
	assert.PanicsWithValue(t, lengths, func() { _ = rloo.Reweight(zero, zero[:1], l) })
	assert.PanicsWithValue(t, lengths, func() { _ = mask(rloo.Rejection{By: rloo.K1}, zero[:1], zero) })
}
