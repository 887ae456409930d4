package loss_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// Identities between objectives that share no formula but the one they claim.
func TestPolicyGradientIdentities(t *testing.T) {
	const sum, mean = loss.SumTokens, loss.MeanTokens
	off := randomRollouts(21, 20, 0.5, true, true)
	on := randomRollouts(22, 20, 0, true, false) // ρ = 1
	short := off                                 // replies of one token
	short.Layout = loss.Layout{Begin: []int{0}}
	for p := range off.LogProb {
		short.Begin, short.Prompt = append(short.Begin, p+1), append(short.Prompt, 0)
	}
	short.Mask = make([]bool, len(off.LogProb))
	for p, v := range off.LogProb {
		short.Mask[p] = v == v
	}
	short.Truncated = nil
	for _, c := range []struct {
		name     string
		a, b     loss.PolicyGradient
		batch    loss.Rollouts
		tol      float64 // 0: bit for bit
		gradient bool    // values differ
	}{
		{"PPO at ρ = 1 is REINFORCE", loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: sum}, loss.Reinforce{By: sum}, on, 0, true},
		{"and so for means", loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, Dual: 3, By: mean}, loss.Reinforce{By: mean}, on, 0, true},
		{"CISPO at ρ = 1 is REINFORCE", loss.CISPO{Min: 0.8, Max: 1.2}, loss.Reinforce{By: sum}, on, 0, false},
		{"SAPO at ρ = 1 is REINFORCE", loss.SAPO{TauPos: 1, TauNeg: 1.05}, loss.Reinforce{By: mean}, on, 0, true},
		{"VESPO at ρ = 1 is REINFORCE", loss.VESPO{K: 2, Lambda: 3, NegativeK: 3, NegativeLambda: 2}, loss.Reinforce{By: sum}, on, 0, false},
		{"KL-Cov at ρ = 1 is PPO", loss.KLCov{Coef: 1, Share: 0.5, By: sum}, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: sum}, on, 0, false},
		{"GSPO of one token is PPO", loss.GSPO{ClipLow: 0.2, ClipHigh: 0.3}, loss.PPO{ClipLow: 0.2, ClipHigh: 0.3, By: sum}, short, 0, false},
		{"GSPO-token of one token is PPO", loss.GSPOToken{ClipLow: 0.2, ClipHigh: 0.3}, loss.PPO{ClipLow: 0.2, ClipHigh: 0.3, By: sum}, short, 0, false},
		{"RLOO of one token is PPO", loss.RLOO{ClipLow: 0.2, ClipHigh: 0.3}, loss.PPO{ClipLow: 0.2, ClipHigh: 0.3, By: sum}, short, 0, false},
		{"GMPO of one token is PPO with bounds on log ρ", loss.GMPO{Low: 0.2, High: 0.3},
			loss.PPO{ClipLow: -math.Expm1(-0.2), ClipHigh: math.Expm1(0.3), By: sum}, short, 1e-14, false},
		{"GSPO-token with even advantages and weights is GSPO", loss.GSPOToken{ClipLow: 0.1, ClipHigh: 0.1}, loss.GSPO{ClipLow: 0.1, ClipHigh: 0.1}, evenly(off), 1e-15, false},
		{"GRPO without KL is PPO", loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2}, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: mean}, off, 0, false},
		{"GRPO with KL is PPO and the term", loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2, Beta: 0.5},
			loss.PolicyTerms{{1, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: mean}}, {0.5, loss.ForwardKLTerm{Beta: 1, By: mean}}}, off, 1e-15, false},
		{"GRPO with weighted KL is PPO and the other", loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2, Beta: 0.5, WeightKL: true},
			loss.PolicyTerms{{1, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: mean}}, {1, loss.ReverseKLTerm{Beta: 0.5, By: mean}}}, off, 1e-15, false},
		{"Dr. GRPO is PPO summed", loss.DrGRPO{ClipLow: 0.2, ClipHigh: 0.2}, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: sum}, off, 0, false},
		{"DAPO is PPO summed", loss.DAPO{ClipLow: 0.2, ClipHigh: 0.28}, loss.PPO{ClipLow: 0.2, ClipHigh: 0.28, By: sum}, off, 0, false},
		{"a dual bound of ∞ is none", loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, Dual: inf, By: sum}, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: sum}, off, 0, false},
		{"PPO without bounds is unclipped", loss.PPO{ClipLow: 1, ClipHigh: inf, By: sum},
			loss.Surrogate{Ratio: loss.TokenRatio{}, Gain: loss.Unclipped{}, By: sum}, off, 0, false},
		{"CISPO without bounds has its derivative", loss.CISPO{Max: inf}, loss.Surrogate{Ratio: loss.TokenRatio{}, Gain: loss.Unclipped{}, By: sum}, off, 0, true},
		{"two-sided clipping is the dual clip", loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, Dual: 1.5, By: sum}, twoSided{}, off, 1e-15, false},
		{"uniform factors are REINFORCE", loss.Detached{Ratio: loss.SequenceRatio{}, Factor: loss.Uniform{}, By: mean}, loss.Reinforce{By: mean}, off, 0, false},
		{"the reverse KL at ρ = 1 has k2's derivative", loss.ReverseKLTerm{Beta: 1, By: sum}, k2{}, elsewhere(on), 1e-15, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, tx := evalRollouts(t, c.a, c.batch)
			y, ty := evalRollouts(t, c.b, c.batch)
			for i := range x.LogProb {
				assert.InDelta(t, y.LogProb[i], x.LogProb[i], c.tol*(1+math.Abs(y.LogProb[i])))
			}
			require.True(t, slices.ContainsFunc(x.LogProb, func(v float64) bool { return v != 0 }))
			if !c.gradient {
				for i := range x.Loss {
					assert.InDelta(t, y.Loss[i], x.Loss[i], c.tol*(1+math.Abs(y.Loss[i])))
				}
				assert.InDelta(t, ty.Sum, tx.Sum, 100*c.tol)
			}
		})
	}
}

// evenly gives the tokens of a reply the same weight.
func evenly(b loss.Rollouts) loss.Rollouts {
	b.Weight = nil
	return b
}

// elsewhere moves the reference away.
func elsewhere(b loss.Rollouts) loss.Rollouts {
	b.Ref = slices.Clone(b.Ref)
	for p := range b.Ref {
		b.Ref[p] += 0.3 * math.Sin(float64(p))
	}
	return b
}

// twoSided is PPO's formula with min(ρ, 1.5) for ρ, written down token by token.
type twoSided struct{}

func (twoSided) Eval(dst loss.RolloutsOut, b loss.Rollouts) (t loss.RolloutsTotal, err error) {
	for i := range b.Len() {
		dst.Loss[i] = 0
		lo, hi := b.Reply(i)
		for p := lo; p < hi; p++ {
			if !b.Counts(p) {
				continue
			}
			rho, a := math.Exp(b.LogProb[p]-b.Old[p]), b.Advantage[p]
			first, second := math.Min(rho, 1.5)*a, math.Min(math.Max(rho, 0.8), 1.2)*a
			v := -math.Min(first, second)
			if first <= second && rho < 1.5 {
				dst.LogProb[p] = v * b.Weight[p]
			}
			dst.Loss[i] += v * b.Weight[p]
		}
		t.Sum += dst.Loss[i]
	}
	return t, nil
}

// k2 has the derivative of ½ℓ².
type k2 struct{}

func (k2) Eval(dst loss.RolloutsOut, b loss.Rollouts) (t loss.RolloutsTotal, err error) {
	for p, lp := range b.LogProb {
		if l := lp - b.Ref[p]; l == l {
			dst.LogProb[p] = l
		}
	}
	return t, nil
}

// A reply's loss under LUSPO is GSPO's times its length, and that of Dr. GRPO is GRPO's.
func TestLengthsOfReplies(t *testing.T) {
	b := randomRollouts(23, 20, 0.4, true, true)
	for _, pair := range [][2]loss.PolicyGradient{
		{loss.LUSPO{ClipLow: 0.1, ClipHigh: 0.1}, loss.GSPO{ClipLow: 0.1, ClipHigh: 0.1}},
		{loss.DrGRPO{ClipLow: 0.2, ClipHigh: 0.2}, loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2}},
	} {
		x, _ := evalRollouts(t, pair[0], b)
		y, _ := evalRollouts(t, pair[1], b)
		for i := range x.Loss {
			within(t, x.Loss[i], y.Loss[i]*float64(b.Count(i)), 1e-14)
			lo, hi := b.Reply(i)
			for p := lo; p < hi; p++ {
				within(t, x.LogProb[p], y.LogProb[p]*float64(b.Count(i)), 1e-14)
			}
		}
	}
}

// The denominators of the four aggregations, on two replies of 1 and 3 tokens of loss 1 each
// but for the first, which has 5.
func TestAggregations(t *testing.T) {
	b := replyOf([]float64{0, 0, 0, 0}, []float64{-5, -1, -1, -1})
	b.Layout = loss.Layout{Begin: []int{0, 1, 4}, Prompt: []int{0, 0}}
	const longest = 10
	_, sum := evalRollouts(t, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens}, b)
	_, mean := evalRollouts(t, loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.MeanTokens}, b)
	assert.Equal(t, 2.0, sum.Sum/float64(sum.Tokens), "token mean")
	assert.Equal(t, 4.0, sum.Sum/float64(sum.Sequences), "sequence mean of sums")
	assert.Equal(t, 3.0, mean.Sum/float64(mean.Sequences), "sequence mean of means")
	assert.Equal(t, 0.4, sum.Sum/float64(sum.Sequences*longest), "constant length")
	assert.Equal(t, 0.8, sum.Sum/longest, "constant length, without the number of replies")
}

// At π = π_t, REBEL of two replies is REINFORCE with leave-one-out advantages times −2/η·…: the
// advantage of each of two replies is its reward less the other's.
func TestREBELStartsAsReinforce(t *testing.T) {
	const eta = 0.5
	pairs := loss.Pairs{Chosen: []float64{-3}, Rejected: []float64{-4}, RefChosen: []float64{-3}, RefRejected: []float64{-4}, Margin: []float64{0.7}}
	out, _ := eval(t, loss.REBEL{Eta: eta}, pairs)
	b := loss.Rollouts{Layout: loss.Layout{Begin: []int{0, 1, 2}, Prompt: []int{0, 0}}, LogProb: []float64{-3, -4}, Advantage: []float64{0.7, -0.7}}
	pg, _ := evalRollouts(t, loss.Reinforce{By: loss.SumTokens}, b)
	within(t, 2/eta*pg.LogProb[0], out.Chosen[0], 1e-15)
	within(t, 2/eta*pg.LogProb[1], out.Rejected[0], 1e-15)
}
