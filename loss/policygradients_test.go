package loss_test

import (
	"math"

	"github.com/prefgrad/prefgrad/loss"
)

// onRollouts is a policy-gradient objective, what the shared tests must know of it, and the
// loss of one reply as its definition has it: of log-probabilities lp that are differentiated
// and h that are held.
type onRollouts struct {
	name string
	loss.PolicyGradient
	value   func(r plainReply, lp, h []float64) float64
	mean    bool // over tokens
	coupled bool
}

// plainReply is one reply with all its tokens counting.
type plainReply struct{ old, ref, adv, weight, entropy []float64 }

func (r plainReply) w(t int) float64 {
	if r.weight == nil {
		return 1
	}
	return r.weight[t]
}

// perToken makes the value of a loss per token from one of ρ_t, A_t.
func perToken(f func(rho, a float64) float64) func(plainReply, []float64, []float64) float64 {
	return func(r plainReply, lp, _ []float64) float64 {
		s := 0.0
		for t := range lp {
			s += r.w(t) * f(math.Exp(lp[t]-r.old[t]), r.adv[t])
		}
		return s
	}
}

// perReply makes it from one of the reply's ratio and A_t; power is 1 for the product of
// tokens' ratios and 0 for their geometric mean.
func perReply(power float64, f func(rho, a float64) float64) func(plainReply, []float64, []float64) float64 {
	return func(r plainReply, lp, _ []float64) float64 {
		s, d := 0.0, 0.0
		for t := range lp {
			d += lp[t] - r.old[t]
		}
		rho := math.Exp(d / math.Pow(float64(len(lp)), 1-power))
		for t := range lp {
			s += r.w(t) * f(rho, r.adv[t])
		}
		return s
	}
}

func clipped(low, high, dual float64) func(rho, a float64) float64 {
	return func(rho, a float64) float64 {
		v := math.Min(rho*a, math.Min(math.Max(rho, 1-low), 1+high)*a)
		if a < 0 && dual > 0 {
			v = math.Max(v, dual*a)
		}
		return -v
	}
}

// weighted makes the value of a weighted REINFORCE.
func weighted(c func(r plainReply, h []float64, t int) float64) func(plainReply, []float64, []float64) float64 {
	return func(r plainReply, lp, h []float64) float64 {
		s := 0.0
		for t := range lp {
			s -= r.w(t) * c(r, h, t) * r.adv[t] * lp[t]
		}
		return s
	}
}

func plus(f, g func(plainReply, []float64, []float64) float64) func(plainReply, []float64, []float64) float64 {
	return func(r plainReply, lp, h []float64) float64 { return f(r, lp, h) + g(r, lp, h) }
}

func plainKL(beta float64, ratio bool) func(plainReply, []float64, []float64) float64 {
	return func(r plainReply, lp, _ []float64) float64 {
		s := 0.0
		for t := range lp {
			k := math.Exp(r.ref[t]-lp[t]) - 1 - (r.ref[t] - lp[t])
			if ratio {
				k *= math.Exp(lp[t] - r.old[t])
			}
			s += beta * k
		}
		return s
	}
}

func plainGMPO(low, high float64) func(plainReply, []float64, []float64) float64 {
	return func(r plainReply, lp, _ []float64) float64 {
		m, wa := 0.0, 0.0
		for t := range lp {
			d := lp[t] - r.old[t]
			if r.adv[t] > 0 {
				m += math.Min(d, high)
			} else {
				m += math.Max(d, -low)
			}
			wa += r.w(t) * r.adv[t]
		}
		return -wa * math.Exp(m/float64(len(lp)))
	}
}

func plainGamma(kPos, lPos, kNeg, lNeg float64) func(r plainReply, h []float64, t int) float64 {
	return func(r plainReply, h []float64, t int) float64 {
		d := 0.0
		for t := range h {
			d += h[t] - r.old[t]
		}
		k, l := kPos, lPos
		if r.adv[t] < 0 {
			k, l = kNeg, lNeg
		}
		return math.Pow(math.Exp(d), k) * math.Exp(l*(1-math.Exp(d)))
	}
}

var unit = func(plainReply, []float64, int) float64 { return 1 }

var gate = func(rho, a float64) float64 {
	tau := 1.3
	if a < 0 {
		tau = 1.8
	}
	return -a * 4 / tau / (1 + math.Exp(-tau*(rho-1)))
}

// policyGradients lists the objectives, for the properties that all of them share.
var policyGradients = []onRollouts{
	{name: "Reinforce", PolicyGradient: loss.Reinforce{By: loss.SumTokens}, value: weighted(unit)},
	{name: "Reinforce, means", PolicyGradient: loss.Reinforce{By: loss.MeanTokens}, value: weighted(unit), mean: true},
	{name: "RLOO", PolicyGradient: loss.RLOO{ClipLow: 0.3, ClipHigh: 0.4}, value: perReply(1, clipped(0.3, 0.4, 0)), mean: true},
	{name: "PPO", PolicyGradient: loss.PPO{ClipLow: 0.2, ClipHigh: 0.3, By: loss.SumTokens}, value: perToken(clipped(0.2, 0.3, 0))},
	{name: "PPO, dual clip", PolicyGradient: loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, Dual: 1.5, By: loss.MeanTokens}, value: perToken(clipped(0.2, 0.2, 1.5)), mean: true},
	{name: "GRPO", PolicyGradient: loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2, Beta: 0.4}, value: plus(perToken(clipped(0.2, 0.2, 0)), plainKL(0.4, false)), mean: true},
	{name: "GRPO, weighted KL", PolicyGradient: loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2, Dual: 2, Beta: 0.4, WeightKL: true}, value: plus(perToken(clipped(0.2, 0.2, 2)), plainKL(0.4, true)), mean: true},
	{name: "Dr. GRPO", PolicyGradient: loss.DrGRPO{ClipLow: 0.2, ClipHigh: 0.2}, value: perToken(clipped(0.2, 0.2, 0))},
	{name: "DAPO", PolicyGradient: loss.DAPO{ClipLow: 0.2, ClipHigh: 0.28}, value: perToken(clipped(0.2, 0.28, 0))},
	{name: "GSPO", PolicyGradient: loss.GSPO{ClipLow: 0.1, ClipHigh: 0.15}, value: perReply(0, clipped(0.1, 0.15, 0)), mean: true},
	{name: "LUSPO", PolicyGradient: loss.LUSPO{ClipLow: 0.1, ClipHigh: 0.15}, value: perReply(0, clipped(0.1, 0.15, 0))},
	{name: "GSPO-token", PolicyGradient: loss.GSPOToken{ClipLow: 0.1, ClipHigh: 0.15}, mean: true,
		value: func(r plainReply, lp, h []float64) float64 {
			d, s := 0.0, 0.0
			for t := range h {
				d += h[t] - r.old[t]
			}
			for t := range lp {
				s += r.w(t) * clipped(0.1, 0.15, 0)(math.Exp(d/float64(len(h)))*math.Exp(lp[t]-h[t]), r.adv[t])
			}
			return s
		}},
	{name: "CISPO", PolicyGradient: loss.CISPO{Min: 0.7, Max: 1.4},
		value: weighted(func(r plainReply, h []float64, t int) float64 {
			return math.Min(math.Max(math.Exp(h[t]-r.old[t]), 0.7), 1.4)
		})},
	{name: "GMPO", PolicyGradient: loss.GMPO{Low: 0.3, High: 0.4}, value: plainGMPO(0.3, 0.4), mean: true},
	{name: "SAPO", PolicyGradient: loss.SAPO{TauPos: 1.3, TauNeg: 1.8}, value: perToken(gate), mean: true},
	{name: "VESPO", PolicyGradient: loss.VESPO{K: 2, Lambda: 3, NegativeK: 3, NegativeLambda: 2}, value: weighted(plainGamma(2, 3, 3, 2))},
	{name: "KL-Cov", PolicyGradient: loss.KLCov{Coef: 0.7, Share: 1, By: loss.SumTokens}, coupled: true,
		value: plus(perToken(func(rho, a float64) float64 { return -rho * a }), func(r plainReply, lp, _ []float64) float64 {
			s := 0.0
			for t := range lp {
				s += r.w(t) * 0.7 * math.Abs(lp[t]-r.old[t])
			}
			return s
		})},
	{name: "reverse KL", PolicyGradient: loss.ReverseKLTerm{Beta: 0.3, By: loss.SumTokens}, value: plainKL(0.3, true)},
	{name: "forward KL", PolicyGradient: loss.ForwardKLTerm{Beta: 0.3, By: loss.MeanTokens}, value: plainKL(0.3, false), mean: true},
	{name: "entropy", PolicyGradient: loss.EntropyBonus{Coef: 0.1, By: loss.MeanTokens}, mean: true,
		value: func(r plainReply, _, _ []float64) float64 {
			s := 0.0
			for _, h := range r.entropy {
				s -= 0.1 * h
			}
			return s
		}},
	{name: "sum", PolicyGradient: loss.PolicyTerms{{2, loss.DAPO{ClipLow: 0.2, ClipHigh: 0.28}}, {0.5, loss.ReverseKLTerm{Beta: 1, By: loss.SumTokens}}},
		value: plus(perToken(func(rho, a float64) float64 { return 2 * clipped(0.2, 0.28, 0)(rho, a) }), plainKL(0.5, true))},
	{name: "unnamed", PolicyGradient: loss.Surrogate{Ratio: loss.SequenceRatio{}, Gain: loss.SoftGate{Positive: 1.3, Negative: 1.8}, By: loss.SumTokens}, value: perReply(1, gate)},
	{name: "unnamed, detached", PolicyGradient: loss.Detached{Ratio: loss.GeometricRatio{}, Factor: loss.Truncated{Min: 0.9, Max: 1.1}, By: loss.MeanTokens}, mean: true,
		value: weighted(func(r plainReply, h []float64, _ int) float64 {
			d := 0.0
			for t := range h {
				d += h[t] - r.old[t]
			}
			return math.Min(math.Max(math.Exp(d/float64(len(h))), 0.9), 1.1)
		})},
}
