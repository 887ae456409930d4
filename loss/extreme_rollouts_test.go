package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

func isNaN(v ...float64) bool {
	for _, x := range v {
		if x != x {
			return true
		}
	}
	return false
}

// Where two-sided clipping leaves the loss finite, the derivative is 0 and not NaN; the
// log-ratio is not clamped, so a loss of e^30 is one.
func TestDefectRatioOverflow(t *testing.T) {
	at := func(l loss.PolicyGradient, z, a float64) (float64, float64) {
		out, total := evalRollouts(t, l, replyOf([]float64{z}, []float64{a}))
		return total.Sum, out.LogProb[0]
	}
	ppo := loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens}
	dual := loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, Dual: 3, By: loss.SumTokens}
	for _, z := range []float64{720, 1e4, 1e300} {
		v, g := at(dual, z, -1)
		assert.Equal(t, [2]float64{3, 0}, [2]float64{v, g}, z)
		v, g = at(ppo, z, 1)
		assert.Equal(t, [2]float64{-1.2, 0}, [2]float64{v, g}, z)
		v, g = at(ppo, z, -1) // no bound on this side: the true value
		assert.Equal(t, [2]float64{inf, inf}, [2]float64{v, g}, z)
		v, g = at(loss.SAPO{TauPos: 1, TauNeg: 1.05}, z, -1)
		assert.Equal(t, [2]float64{4 / 1.05, 0}, [2]float64{v, g}, z)
		v, g = at(loss.VESPO{K: 2, Lambda: 3, NegativeK: 3, NegativeLambda: 2}, z, -1)
		assert.Equal(t, [2]float64{0, 0}, [2]float64{math.Abs(v), math.Abs(g)}, z)
		_, g = at(loss.CISPO{Max: 5}, z, 1)
		assert.Equal(t, -5.0, g, z)
	}
	v, g := at(ppo, 30, -1)
	within(t, math.Exp(30), v, 1e-14)
	within(t, math.Exp(30), g, 1e-14)
}

// Ratios of 0: a token that π has made impossible.
func TestPolicyGradientImpossibleToken(t *testing.T) {
	for _, c := range []struct {
		l           loss.PolicyGradient
		a           float64
		loss, slope float64
	}{
		{loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens}, 1, 0, 0},
		{loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens}, -1, 0.8, 0},
		{loss.GSPO{ClipLow: 0.2, ClipHigh: 0.2}, -1, 0.8, 0},
		{loss.GMPO{Low: 0.5, High: 0.5}, -1, math.Exp(-0.5), 0},
		{loss.GMPO{Low: 0.5, High: 0.5}, 1, 0, 0},
		{loss.Reinforce{By: loss.SumTokens}, 1, inf, -1},
		{loss.Reinforce{By: loss.SumTokens}, -1, -inf, 1},
		{loss.CISPO{Min: 0.5, Max: 5}, 1, inf, -0.5},
		{loss.CISPO{Max: 5}, 1, 0, 0},
		{loss.VESPO{K: 2, Lambda: 3, NegativeK: 3, NegativeLambda: 2}, 1, 0, 0},
		{loss.ReverseKLTerm{Beta: 1, By: loss.SumTokens}, 1, 1, 0}, // π_ref/π_old
		{loss.ForwardKLTerm{Beta: 1, By: loss.SumTokens}, 1, inf, -inf},
	} {
		b := replyOf([]float64{0}, []float64{c.a})
		b.LogProb[0] = -inf
		out, total := evalRollouts(t, c.l, b)
		within(t, c.loss, total.Sum, 1e-15, c.l)
		within(t, c.slope, out.LogProb[0], 1e-15, c.l)
		assert.Equal(t, inf, total.K1)
		assert.Equal(t, inf, total.K3)
	}
	// A reference of 0 costs all there is, an old policy of 0 cannot have drawn the token.
	b := replyOf([]float64{0}, []float64{1})
	b.Ref = []float64{-inf}
	out, total := evalRollouts(t, loss.ForwardKLTerm{Beta: 1, By: loss.SumTokens}, b)
	assert.Equal(t, [2]float64{inf, 1}, [2]float64{total.Sum, out.LogProb[0]})
	out, total = evalRollouts(t, loss.ReverseKLTerm{Beta: 1, By: loss.SumTokens}, b)
	assert.Equal(t, [2]float64{inf, inf}, [2]float64{total.Sum, out.LogProb[0]})
	b.LogProb = []float64{-inf}
	_, err := loss.ForwardKLTerm{Beta: 1, By: loss.SumTokens}.Eval(loss.RolloutsOut{}, b)
	inputError(t, err, "Ref", 0, -inf)
	b = replyOf([]float64{0}, []float64{1})
	b.Old = []float64{-inf}
	_, err = loss.DAPO{ClipLow: 0.2, ClipHigh: 0.2}.Eval(loss.RolloutsOut{}, b)
	inputError(t, err, "Old", 0, -inf)
	// Infinite losses of both signs have no sum, in two replies,
	b = replyOf([]float64{0, 0}, []float64{1, -1})
	b.Layout = loss.Layout{Begin: []int{0, 1, 2}, Prompt: []int{0, 0}}
	b.LogProb = []float64{-inf, -inf}
	_, err = loss.Reinforce{By: loss.SumTokens}.Eval(loss.RolloutsOut{}, b)
	inputError(t, err, "LogProb", 1, -inf)
	// nor have derivatives, of a ratio and of π_ref/π;
	b = replyOf([]float64{0}, []float64{-1})
	b.LogProb, b.Old, b.Ref = []float64{-2000}, []float64{-4000}, []float64{-1}
	_, err = loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2, Beta: 1}.Eval(loss.RolloutsOut{}, b)
	inputError(t, err, "LogProb", 0, -2000)
	_, err = loss.PolicyTerms{{1, loss.DAPO{ClipLow: 0.2, ClipHigh: 0.2}}, {1, loss.ForwardKLTerm{Beta: 1, By: loss.SumTokens}}}.Eval(rolloutsOut(b), b)
	inputError(t, err, "LogProb", 0, -2000)
	// nor has one reply.
	b = replyOf([]float64{0, 0}, []float64{1, -1})
	b.LogProb = []float64{-inf, -inf}
	_, err = loss.Reinforce{By: loss.SumTokens}.Eval(loss.RolloutsOut{}, b)
	inputError(t, err, "LogProb", 0, -inf)
}

// A weighted KL whose factors overflow and underflow, against its terms in log space.
func TestReverseKLTermExtremes(t *testing.T) {
	l := loss.ReverseKLTerm{Beta: 1, By: loss.SumTokens}
	for _, c := range []struct{ lp, old, ref, loss, slope float64 }{
		{-800, -1, -2, math.Exp(-1), 0},                          // ρ underflows, π_ref/π overflows
		{-720, -700, -1, math.Exp(699), 0},                       // ρ = e^{−20}, e^{719} overflows: π_ref/π_old does not
		{-1, -800, -1, 0, 0},                                     // ρ overflows, and ℓ is 0
		{0, -720, -0x1p-500, math.Exp(720-1000*math.Ln2) / 2, 0}, // ρ overflows, its product with ℓ does not
		{-751, -1, -51, math.Exp(-50), 0},                        // ρ underflows, π_ref/π does not overflow
		{-1, -1.5, -1.25, 0, 0},                                  // ordinary, see below
		{-1, -1.5, -1 - 1e-9, 0, 0},                              // cancels
	} {
		b := replyOf([]float64{0}, []float64{1})
		b.LogProb, b.Old, b.Ref = []float64{c.lp}, []float64{c.old}, []float64{c.ref}
		out, total := evalRollouts(t, l, b)
		require.False(t, isNaN(total.Sum, out.LogProb[0]))
		d, lr := c.lp-c.old, c.lp-c.ref
		if math.Abs(lr) < 1e-6 { // to first order
			c.loss = math.Exp(d+2*math.Log(math.Abs(lr))) / 2
		} else if c.loss == 0 && math.Abs(d) < 1 {
			c.loss = math.Exp(d) * (math.Exp(-lr) - 1 + lr)
		}
		if c.slope == 0 && lr != 0 {
			c.slope = math.Copysign(math.Exp(d+math.Log(math.Abs(lr))), lr)
		}
		within(t, c.loss, total.Sum, 1e-12+thirdOrder(lr), c)
		if math.Abs(c.slope) < 0x1p-1022 { // ρ is rounded as a subnormal number
			assert.InDelta(t, c.slope, out.LogProb[0], 0x1p-1022)
			continue
		}
		within(t, c.slope, out.LogProb[0], 1e-12, c)
	}
}

// thirdOrder is the relative error of k3 ≈ ℓ²/2, where that is taken.
func thirdOrder(l float64) float64 {
	if math.Abs(l) < 1e-6 {
		return math.Abs(l)
	}
	return 0
}

// A token without a signal adds exactly 0, however large its ratio, and so does one of weight 0.
func TestPolicyGradientZeroTokens(t *testing.T) {
	for _, l := range policyGradients {
		for _, z := range []float64{0.3, 800, -800} {
			b := replyOf([]float64{0.1, z}, []float64{1, 0})
			b.Entropy = []float64{0, 0}
			out, total := evalRollouts(t, l, b)
			require.False(t, isNaN(total.Sum, out.LogProb[0], out.LogProb[1]), l.name)
			if l.name == "PPO" || l.name == "Reinforce" || l.name == "CISPO" || l.name == "SAPO" {
				assert.Zero(t, out.LogProb[1], l.name)
			}
			if l.name == "PPO" {
				alone, _ := evalRollouts(t, l, replyOf([]float64{0.1}, []float64{1}))
				bits(t, alone.Loss, out.Loss)
			}
			b.Advantage[1] = -1
			b.Weight = []float64{1, 0}
			weighed, _ := evalRollouts(t, l, b)
			require.False(t, isNaN(weighed.LogProb...), l.name)
			if l.name == "PPO" {
				bits(t, out.LogProb, weighed.LogProb)
				bits(t, out.Loss, weighed.Loss)
			}
		}
	}
}
