package loss_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/loss"
)

// tree is a policy over replies of one or two tokens out of three: token 0 ends a reply, and so
// does the second. Its parameters are the logits after the empty prefix, after 1 and after 2.
type tree [9]float64

var treeReplies = [][]int{{0}, {1, 0}, {1, 1}, {1, 2}, {2, 0}, {2, 1}, {2, 2}}

func randomTree(seed uint64, spread float64) (p tree) {
	rng := rand.New(rand.NewPCG(seed, 8))
	for i := range p {
		p[i] = spread * rng.NormFloat64()
	}
	return p
}

// prob is π(v | prefix), prefix 0 being the empty one.
func (p tree) prob(prefix, v int) float64 {
	z := 0.0
	for u := range 3 {
		z += math.Exp(p[3*prefix+u])
	}
	return math.Exp(p[3*prefix+v]) / z
}

func (p tree) reply(y []int) float64 {
	q := p.prob(0, y[0])
	if len(y) == 2 {
		q *= p.prob(y[0], y[1])
	}
	return q
}

// mean is Σ_y π(y)·f(y).
func (p tree) mean(f func(i int) float64) float64 {
	s := 0.0
	for i, y := range treeReplies {
		s += p.reply(y) * f(i)
	}
	return s
}

// overPrefixes is the sum over prefixes of the probability under p to pass there, times f.
func (p tree) overPrefixes(f func(prefix int) float64) float64 {
	return f(0) + p.prob(0, 1)*f(1) + p.prob(0, 2)*f(2)
}

func kl(p, q tree, prefix int) float64 {
	s := 0.0
	for v := range 3 {
		s += p.prob(prefix, v) * math.Log(p.prob(prefix, v)/q.prob(prefix, v))
	}
	return s
}

// rollouts is a batch of every reply once.
func (p tree) rollouts(old, ref tree, advantage []float64) loss.Rollouts {
	b := loss.Rollouts{Layout: loss.Layout{Begin: []int{0}}}
	for i, y := range treeReplies {
		prefix := 0
		for _, v := range y {
			b.LogProb = append(b.LogProb, math.Log(p.prob(prefix, v)))
			b.Old = append(b.Old, math.Log(old.prob(prefix, v)))
			b.Ref = append(b.Ref, math.Log(ref.prob(prefix, v)))
			b.Advantage = append(b.Advantage, advantage[i])
			h := 0.0
			for u := range 3 {
				h -= p.prob(prefix, u) * math.Log(p.prob(prefix, u))
			}
			b.Entropy = append(b.Entropy, h)
			prefix = v
		}
		b.Begin = append(b.Begin, len(b.LogProb))
		b.Prompt = append(b.Prompt, 0)
	}
	return b
}

// expected is the loss's expected value and derivative for replies from π_old, by enumeration.
func (p tree) expected(t *testing.T, l loss.PolicyGradient, old, ref tree, advantage []float64) (value float64, gradient []float64) {
	b := p.rollouts(old, ref, advantage)
	out, _ := evalRollouts(t, l, b)
	gradient = make([]float64, len(p))
	for i, y := range treeReplies {
		q := old.reply(y)
		value += q * out.Loss[i]
		prefix := 0
		for j, v := range y {
			at := b.Begin[i] + j
			for u := range 3 {
				score := -p.prob(prefix, u)
				if u == v {
					score++
				}
				gradient[3*prefix+u] += q * out.LogProb[at] * score
				// ∂H/∂θ_u = −p_u·(log p_u + H)
				gradient[3*prefix+u] -= q * out.Entropy[at] * p.prob(prefix, u) * (math.Log(p.prob(prefix, u)) + b.Entropy[at])
			}
			prefix = v
		}
	}
	return value, gradient
}

// treeGradient is that of a function of the policy, by differences.
func treeGradient(f func(p tree) float64, p tree) []float64 {
	return gradient(func(x []float64) float64 { return f(tree(x)) }, p[:], 1e-3)
}

var treeAdvantage = []float64{1, -0.5, 2, 0.3, -1.2, 0.7, -2}

// What the expected derivative is where it is that of a named objective.
func TestPolicyGradientExpectation(t *testing.T) {
	p, old, ref := randomTree(1, 0.8), randomTree(2, 0.8), randomTree(3, 0.8)
	perLength := func(i int) float64 { return treeAdvantage[i] / float64(len(treeReplies[i])) }
	reward := func(q tree) float64 { return -q.mean(func(i int) float64 { return treeAdvantage[i] }) }
	normalised := func(q tree) float64 { return -q.mean(perLength) }
	free := loss.Clip{Low: 1, High: inf}
	for _, c := range []struct {
		name string
		l    loss.PolicyGradient
		old  tree
		want func(q tree) float64
	}{
		{"REINFORCE on-policy: −E_π[A]", loss.Reinforce{By: loss.SumTokens}, p, reward},
		{"means on-policy: −E_π[A/|y|]", loss.Reinforce{By: loss.MeanTokens}, p, normalised},
		{"PPO on-policy", loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens}, p, reward},
		{"GRPO on-policy", loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2}, p, normalised},
		{"Dr. GRPO on-policy", loss.DrGRPO{ClipLow: 0.2, ClipHigh: 0.2}, p, reward},
		{"GSPO on-policy", loss.GSPO{ClipLow: 0.2, ClipHigh: 0.2}, p, normalised},
		{"GMPO on-policy", loss.GMPO{Low: 0.4, High: 0.4}, p, normalised},
		{"LUSPO on-policy", loss.LUSPO{ClipLow: 0.2, ClipHigh: 0.2}, p, reward},
		{"GSPO-token on-policy", loss.GSPOToken{ClipLow: 0.2, ClipHigh: 0.2}, p, normalised},
		{"DAPO on-policy", loss.DAPO{ClipLow: 0.2, ClipHigh: 0.28}, p, reward},
		{"KL-Cov on-policy", loss.KLCov{Coef: 1, Share: 0.2, By: loss.SumTokens}, p, reward},
		{"CISPO on-policy", loss.CISPO{Max: 2}, p, reward},
		{"SAPO on-policy", loss.SAPO{TauPos: 1, TauNeg: 1.05}, p, normalised},
		{"VESPO on-policy", loss.VESPO{K: 2, Lambda: 3, NegativeK: 3, NegativeLambda: 2}, p, reward},
		{"RLOO on-policy", loss.RLOO{ClipLow: 0.2, ClipHigh: 0.2}, p, reward},
		{"RLOO off-policy, without bounds: −E_π[A] all the same", loss.RLOO{ClipLow: 1, ClipHigh: inf}, old, reward},
		{"tokens' ratios off-policy: prefixes stay those of π_old", loss.Surrogate{Ratio: loss.TokenRatio{}, Gain: free, By: loss.SumTokens}, old,
			func(q tree) float64 {
				return -old.mean(func(i int) float64 {
					y := treeReplies[i]
					s := q.prob(0, y[0]) / old.prob(0, y[0])
					if len(y) == 2 {
						s += q.prob(y[0], y[1]) / old.prob(y[0], y[1])
					}
					return s * treeAdvantage[i]
				})
			}},
		{"reverse KL, given prefixes of π_old", loss.ReverseKLTerm{Beta: 1, By: loss.SumTokens}, old,
			func(q tree) float64 { return old.overPrefixes(func(x int) float64 { return kl(q, ref, x) }) }},
		{"forward KL, given prefixes", loss.ForwardKLTerm{Beta: 1, By: loss.SumTokens}, p,
			func(q tree) float64 { return p.overPrefixes(func(x int) float64 { return kl(ref, q, x) }) }},
		{"entropy, given prefixes", loss.EntropyBonus{Coef: 1, By: loss.SumTokens}, p,
			func(q tree) float64 {
				return p.overPrefixes(func(x int) float64 {
					s := 0.0
					for v := range 3 {
						s += q.prob(x, v) * math.Log(q.prob(x, v))
					}
					return s
				})
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, got := p.expected(t, c.l, c.old, ref, treeAdvantage)
			want := treeGradient(c.want, p)
			require.Greater(t, floats.Norm(want, 2), 0.05)
			assert.InDeltaSlice(t, want, got, 1e-10)
		})
	}
}

// Values of the KL terms are what their names say, too: the weighted one off-policy as well.
func TestKLTermValues(t *testing.T) {
	p, old, ref := randomTree(1, 0.8), randomTree(2, 0.8), randomTree(3, 0.8)
	value, _ := p.expected(t, loss.ReverseKLTerm{Beta: 1, By: loss.SumTokens}, old, ref, treeAdvantage)
	assert.InDelta(t, old.overPrefixes(func(x int) float64 { return kl(p, ref, x) }), value, 1e-14)
	value, _ = p.expected(t, loss.ForwardKLTerm{Beta: 1, By: loss.SumTokens}, p, ref, treeAdvantage)
	assert.InDelta(t, p.overPrefixes(func(x int) float64 { return kl(p, ref, x) }), value, 1e-14)
	// The derivatives are not those of KL(π‖π_ref) of replies, which has the prefix term.
	sequence := treeGradient(func(q tree) float64 { return q.overPrefixes(func(x int) float64 { return kl(q, ref, x) }) }, p)
	for _, l := range []loss.PolicyGradient{loss.ReverseKLTerm{Beta: 1, By: loss.SumTokens}, loss.ForwardKLTerm{Beta: 1, By: loss.SumTokens}} {
		_, got := p.expected(t, l, p, ref, treeAdvantage)
		assert.Greater(t, floats.Distance(sequence, got, 2), 0.1)
	}
	// Near π_ref, k3's derivative and KL(π‖π_ref)'s given the prefix agree to first order.
	for _, eps := range []float64{1e-2, 1e-3} {
		near := ref
		for i := range near {
			near[i] += eps * math.Sin(float64(i))
		}
		_, reverse := near.expected(t, loss.ReverseKLTerm{Beta: 1, By: loss.SumTokens}, near, ref, treeAdvantage)
		_, forward := near.expected(t, loss.ForwardKLTerm{Beta: 1, By: loss.SumTokens}, near, ref, treeAdvantage)
		assert.Less(t, floats.Distance(reverse, forward, 2), eps*floats.Norm(reverse, 2)*2)
	}
}

// Off-policy, what is clipped, truncated, faded or averaged geometrically has a bias against
// the gradient of −E_π[A] (−E_π[A/|y|] for means), as documented; without bounds CISPO's is the
// one that tokens' ratios have.
func TestPolicyGradientBias(t *testing.T) {
	p, old := randomTree(1, 0.8), randomTree(2, 0.8)
	want := treeGradient(func(q tree) float64 { return -q.mean(func(i int) float64 { return treeAdvantage[i] }) }, p)
	means := treeGradient(func(q tree) float64 {
		return -q.mean(func(i int) float64 { return treeAdvantage[i] / float64(len(treeReplies[i])) })
	}, p)
	for name, l := range map[string]loss.PolicyGradient{
		"PPO": loss.PPO{ClipLow: 0.2, ClipHigh: 0.2, By: loss.SumTokens}, "DAPO": loss.DAPO{ClipLow: 0.2, ClipHigh: 0.28},
		"RLOO": loss.RLOO{ClipLow: 0.2, ClipHigh: 0.2}, "CISPO": loss.CISPO{Max: 1.5}, "LUSPO": loss.LUSPO{ClipLow: 1, ClipHigh: inf},
		"VESPO": loss.VESPO{K: 2, Lambda: 3, NegativeK: 3, NegativeLambda: 2}, "REINFORCE": loss.Reinforce{By: loss.SumTokens},
		"tokens' ratios": loss.Surrogate{Ratio: loss.TokenRatio{}, Gain: loss.Unclipped{}, By: loss.SumTokens},
	} {
		_, got := p.expected(t, l, old, old, treeAdvantage)
		assert.Greater(t, floats.Distance(want, got, 2), 0.02, name)
	}
	for name, l := range map[string]loss.PolicyGradient{
		"GSPO, without bounds": loss.GSPO{ClipLow: 1, ClipHigh: inf}, "GMPO, without bounds": loss.GMPO{Low: inf, High: inf},
		"SAPO": loss.SAPO{TauPos: 1, TauNeg: 1.05}, "GRPO": loss.GRPO{ClipLow: 0.2, ClipHigh: 0.2},
	} {
		_, got := p.expected(t, l, old, old, treeAdvantage)
		assert.Greater(t, floats.Distance(means, got, 2), 0.02, name)
	}
	_, cispo := p.expected(t, loss.CISPO{Max: inf}, old, old, treeAdvantage)
	_, tokens := p.expected(t, loss.Surrogate{Ratio: loss.TokenRatio{}, Gain: loss.Unclipped{}, By: loss.SumTokens}, old, old, treeAdvantage)
	assert.InDeltaSlice(t, tokens, cispo, 1e-15)
}
