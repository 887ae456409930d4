package loss_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

// randomRollouts makes n replies whose tokens have log-ratios to π_old and to π_ref with the
// given standard deviation; with even, the advantages of a reply's tokens are the same. What
// must not be read is NaN.
func randomRollouts(seed uint64, n int, spread float64, masked, even bool) loss.Rollouts {
	rng := rand.New(rand.NewPCG(seed, 7))
	l := randomLayout(seed, n, masked)
	b := loss.Rollouts{Layout: l,
		Old:       tokenValues(l, func() float64 { return -0.1 - 3*rng.Float64() }),
		Entropy:   tokenValues(l, func() float64 { return 4 * rng.Float64() }),
		Advantage: tokenValues(l, rng.NormFloat64),
		Weight:    tokenValues(l, func() float64 { return 2 * rng.Float64() }),
	}
	b.LogProb, b.Ref, b.Behaviour = slices.Clone(b.Old), slices.Clone(b.Old), slices.Clone(b.Old)
	for p := range b.Old {
		b.LogProb[p] += spread * rng.NormFloat64()
		b.Ref[p] += spread * rng.NormFloat64()
		b.Behaviour[p] += spread * rng.NormFloat64()
	}
	if even {
		for i := range n {
			a := rng.NormFloat64()
			for p := b.Begin[i]; p < b.Begin[i+1]; p++ {
				if b.Advantage[p] == b.Advantage[p] {
					b.Advantage[p] = a
				}
			}
		}
	}
	b.Truncated = make([]bool, n)
	for i := range b.Truncated {
		b.Truncated[i] = rng.IntN(4) == 0
	}
	return b
}

func rolloutsOut(b loss.Rollouts) loss.RolloutsOut {
	n := len(b.LogProb)
	return loss.RolloutsOut{Loss: make([]float64, b.Len()), LogProb: make([]float64, n), Entropy: make([]float64, n)}
}

func evalRollouts(t testing.TB, l loss.PolicyGradient, b loss.Rollouts) (loss.RolloutsOut, loss.RolloutsTotal) {
	t.Helper()
	out := rolloutsOut(b)
	total, err := l.Eval(out, b)
	require.NoError(t, err)
	return out, total
}

// those returns the elements of v at tokens of reply i that count.
func those(b loss.Rollouts, v []float64, i int) []float64 {
	if v == nil {
		return nil
	}
	var out []float64
	lo, hi := b.Reply(i)
	for p := lo; p < hi; p++ {
		if b.Counts(p) {
			out = append(out, v[p])
		}
	}
	return out
}

func plain(b loss.Rollouts, i int) plainReply {
	return plainReply{those(b, b.Old, i), those(b, b.Ref, i), those(b, b.Advantage, i), those(b, b.Weight, i), those(b, b.Entropy, i)}
}

// Values are those of the definitions, derivatives their central differences, with what is
// detached held. The step keeps clear of kinks in nearly every coordinate, and a coordinate
// whose differences on both sides do not agree is at one.
func TestPolicyGradientDerivatives(t *testing.T) {
	for _, l := range policyGradients {
		t.Run(l.name, func(t *testing.T) {
			checked, kinks := 0, 0
			for seed := range uint64(6) {
				b := randomRollouts(seed, 8, 0.4, seed%2 == 0, seed%3 == 0)
				if seed == 5 {
					b.Weight = nil
				}
				out, total := evalRollouts(t, l, b)
				sum := 0.0
				for i := range b.Len() {
					r, lp := plain(b, i), those(b, b.LogProb, i)
					scale := 1.0
					if l.mean {
						scale = 1 / float64(len(lp))
					}
					want := scale * l.value(r, lp, lp)
					assert.InDelta(t, want, out.Loss[i], 1e-13*(1+math.Abs(want)))
					sum += out.Loss[i]
					held := slices.Clone(lp)
					at := func(j int, h float64) float64 {
						x := slices.Clone(lp)
						x[j] += h
						return scale * l.value(r, x, held)
					}
					got := those(b, out.LogProb, i)
					for j := range lp {
						const h = 1e-4
						right, left := at(j, h)-at(j, 0), at(j, 0)-at(j, -h)
						if math.Abs(right-left) > 100*h*h {
							kinks++
							continue
						}
						checked++
						want := (8*(at(j, h)-at(j, -h)) - (at(j, 2*h) - at(j, -2*h))) / (12 * h)
						assert.InDelta(t, want, got[j], 1e-9, "seed %d, reply %d, token %d", seed, i, j)
					}
				}
				assert.InDelta(t, sum, total.Sum, 1e-12)
			}
			assert.Greater(t, checked, 100)
			assert.LessOrEqual(t, kinks, 3)
		})
	}
}

// Prompt positions and masked ones are NaN in these batches: they have no derivative, are not
// in any sum, and a batch without them gives the same bits.
func TestPolicyGradientMaskIsSubset(t *testing.T) {
	for _, l := range policyGradients {
		b := randomRollouts(11, 6, 0.4, true, true)
		out, total := evalRollouts(t, l, b)
		dense := loss.Rollouts{Layout: loss.Layout{Begin: []int{0}, Prompt: make([]int, b.Len())}}
		var want []float64
		masked := 0
		for i := range b.Len() {
			for _, f := range []struct{ to, from *[]float64 }{{&dense.LogProb, &b.LogProb}, {&dense.Old, &b.Old}, {&dense.Ref, &b.Ref},
				{&dense.Advantage, &b.Advantage}, {&dense.Weight, &b.Weight}, {&dense.Entropy, &b.Entropy}} {
				*f.to = append(*f.to, those(b, *f.from, i)...)
			}
			want = append(want, those(b, out.LogProb, i)...)
			dense.Begin = append(dense.Begin, len(dense.LogProb))
			lo, hi := b.Reply(i)
			masked += hi - lo - b.Count(i)
		}
		got, denseTotal := evalRollouts(t, l, dense)
		bits(t, want, got.LogProb, l.name)
		bits(t, out.Loss, got.Loss, l.name)
		assert.Equal(t, masked, total.Masked, l.name)
		denseTotal.Masked = total.Masked
		assert.Equal(t, denseTotal, total, l.name)
		for p, v := range b.LogProb {
			if v != v {
				assert.Zero(t, out.LogProb[p], l.name)
				assert.Zero(t, out.Entropy[p], l.name)
			}
		}
	}
}

// A batch that is split gives the same sums, losses and derivatives, but for objectives that
// say they are coupled.
func TestPolicyGradientSplits(t *testing.T) {
	for _, l := range policyGradients {
		b := randomRollouts(3, 9, 0.4, true, false)
		whole, total := evalRollouts(t, l, b)
		assert.Equal(t, l.coupled, loss.IsCoupled(l.PolicyGradient), l.name)
		var sum loss.RolloutsTotal
		for _, part := range [][2]int{{0, 2}, {2, 3}, {3, 3}, {3, 9}} {
			c := rolloutsPart(b, part[0], part[1])
			out, t1 := evalRollouts(t, l, c)
			sum.Add(t1)
			bits(t, whole.Loss[part[0]:part[1]], out.Loss, l.name)
			bits(t, whole.LogProb[b.Begin[part[0]]:b.Begin[part[1]]], out.LogProb, l.name)
			bits(t, whole.Entropy[b.Begin[part[0]]:b.Begin[part[1]]], out.Entropy, l.name)
		}
		for _, v := range [][2]*float64{{&total.Sum, &sum.Sum}, {&total.K1, &sum.K1}, {&total.K3, &sum.K3}, {&total.Entropy, &sum.Entropy}} {
			assert.InDelta(t, *v[0], *v[1], 1e-12, l.name)
			*v[0], *v[1] = 0, 0
		}
		assert.Equal(t, total, sum, l.name)
	}
}

// rolloutsPart is replies lo … hi−1.
func rolloutsPart(b loss.Rollouts, lo, hi int) loss.Rollouts {
	p, q := b.Begin[lo], b.Begin[hi]
	c := loss.Rollouts{Layout: loss.Layout{Prompt: b.Prompt[lo:hi]}, LogProb: b.LogProb[p:q], Old: b.Old[p:q], Ref: b.Ref[p:q],
		Advantage: b.Advantage[p:q], Weight: b.Weight[p:q], Entropy: b.Entropy[p:q], Behaviour: b.Behaviour[p:q], Truncated: b.Truncated[lo:hi]}
	if b.Mask != nil {
		c.Mask = b.Mask[p:q]
	}
	for _, x := range b.Begin[lo : hi+1] {
		c.Begin = append(c.Begin, x-p)
	}
	return c
}
