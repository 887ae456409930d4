package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"

	"github.com/prefgrad/prefgrad/loss"
)

// What an objective optimises in the limit of many labels: few responses, all pairs of them
// in both orders, with the probabilities of Bradley–Terry as weights.

// tokens are the lengths of the responses of a bandit in these tests.
var tokens = []int{1, 3, 2, 5, 4, 2}

// expected is the expected loss at a policy over all pairs with soft labels, flipped with
// probability flip, and its gradient with respect to logits.
func (b bandit) expected(t testing.TB, l loss.Pairwise, logp []float64, flip float64) (float64, []float64) {
	t.Helper()
	batch, index, weight := b.pairs(logp)
	n := len(b.ref)
	batch.Weight = make([]float64, len(weight))
	for k, p := range index {
		pair := 2 / float64(n*(n-1))
		batch.Weight[k] = (1-flip)*weight[k] + flip*(pair-weight[k])
		batch.ChosenLen = append(batch.ChosenLen, tokens[p[0]])
		batch.RejectedLen = append(batch.RejectedLen, tokens[p[1]])
	}
	out, total := eval(t, l, batch)
	grad := make([]float64, n)
	for k, p := range index {
		score(grad, logp, p[0], out.Chosen[k])
		score(grad, logp, p[1], out.Rejected[k])
	}
	return total.Sum, grad
}

// solve returns the policy with log-probabilities f(y, Z) for the Z at which they normalise;
// f falls with Z.
func (b bandit) solve(f func(y int, z float64) float64, lo, hi float64) []float64 {
	logp := make([]float64, len(b.ref))
	for range 200 {
		z := (lo + hi) / 2
		for y := range logp {
			logp[y] = f(y, z)
		}
		if floats.LogSumExp(logp) > 0 {
			lo = z
		} else {
			hi = z
		}
	}
	return logp
}

func TestMinimisers(t *testing.T) {
	const beta = 0.5
	top := func(b bandit) float64 { return floats.Max(b.reward) }
	tilted := func(b bandit, reward func(y int) float64) []float64 {
		p := make([]float64, len(b.ref))
		for y := range p {
			p[y] = b.ref[y] + reward(y)/beta
		}
		normalize(p)
		return p
	}
	for _, c := range []struct {
		name string
		loss.Pairwise
		flip    float64
		optimum func(b bandit) []float64
	}{
		{"DPO: π_ref·e^{r/β}", loss.DPO{Beta: beta}, 0,
			func(b bandit) []float64 { return tilted(b, func(y int) float64 { return b.reward[y] }) }},
		{"robust DPO on flipped labels: the same", loss.RobustDPO{Beta: beta, FlipProb: 0.2}, 0.2,
			func(b bandit) []float64 { return tilted(b, func(y int) float64 { return b.reward[y] }) }},
		{"exponential: half the reward", loss.GPO{Beta: beta, Link: loss.Exponential{}}, 0,
			func(b bandit) []float64 { return tilted(b, func(y int) float64 { return b.reward[y] / 2 }) }},
		{"R-DPO: r − α·|y|", loss.RDPO{Beta: beta, Alpha: 0.2}, 0,
			func(b bandit) []float64 {
				return tilted(b, func(y int) float64 { return b.reward[y] - 0.2*float64(tokens[y]) })
			}},
		{"forward KL: β·(−1/w) = r − Z", loss.FDPO{Beta: beta, Divergence: loss.ForwardKL{}}, 0,
			func(b bandit) []float64 {
				return b.solve(func(y int, z float64) float64 { return b.ref[y] + math.Log(beta/(z-b.reward[y])) }, top(b), top(b)+100)
			}},
		{"Jensen–Shannon: β·log σ(log w) = r − Z", loss.FDPO{Beta: beta, Divergence: loss.JensenShannon{}}, 0,
			func(b bandit) []float64 {
				return b.solve(func(y int, z float64) float64 {
					v := (b.reward[y] - z) / beta // w/(1+w) = e^v
					return b.ref[y] + v - math.Log(-math.Expm1(v))
				}, top(b), top(b)+100)
			}},
		{"α = ½: β·(1 − w^{−½})·2 = r − Z", loss.FDPO{Beta: beta, Divergence: loss.AlphaDivergence{Alpha: 0.5}}, 0,
			func(b bandit) []float64 {
				return b.solve(func(y int, z float64) float64 {
					return b.ref[y] - 2*math.Log(1-(b.reward[y]-z)/(2*beta))
				}, top(b)-2*beta, top(b)+100)
			}},
		{"χPO without clamp: β·(w + log w) = r − Z", loss.ChiPO{Beta: beta, MaxReward: inf}, 0,
			func(b bandit) []float64 {
				return b.solve(func(y int, z float64) float64 {
					l := 0.0 // Newton on e^l + l = v, which is convex and increasing
					v := (b.reward[y] - z) / beta
					if v < 0 {
						l = v
					}
					for range 100 {
						l -= (math.Exp(l) + l - v) / (math.Exp(l) + 1)
					}
					return b.ref[y] + l
				}, -100, 100)
			}},
		{"SimPO without target: log π = |y|·(r − Z)/β", loss.SimPO{Beta: beta}, 0,
			func(b bandit) []float64 {
				return b.solve(func(y int, z float64) float64 { return float64(tokens[y]) * (b.reward[y] - z) / beta }, -100, 100)
			}},
		{"AlphaPO: (1 − p̄^{−α})/α = (r − Z)/β", loss.AlphaPO{Beta: beta, Alpha: 0.5}, 0,
			func(b bandit) []float64 {
				return b.solve(func(y int, z float64) float64 {
					return float64(tokens[y]) * -2 * math.Log(1-(b.reward[y]-z)/(2*beta))
				}, top(b)-2*beta, top(b)+1000)
			}},
		{"NormDPO: ℓ = |y|·(r − Z)/β", loss.NormDPO{Beta: beta}, 0,
			func(b bandit) []float64 {
				return b.solve(func(y int, z float64) float64 { return b.ref[y] + float64(tokens[y])*(b.reward[y]-z)/beta }, -100, 100)
			}},
		{"CPO without likelihood: log π = r/β", loss.CPO{Beta: beta, NLLOver: loss.Sum}, 0,
			func(b bandit) []float64 {
				return b.solve(func(y int, z float64) float64 { return (b.reward[y] - z) / beta }, -100, 100)
			}},
		// The odds of p̄ are e^{r−Z}.
		{"the contrast of ORPO", loss.Contrast{Score: loss.Odds{}, Link: loss.Logistic{}, Beta: 1}, 0,
			func(b bandit) []float64 {
				return b.solve(func(y int, z float64) float64 { return -float64(tokens[y]) * math.Log1p(math.Exp(z-b.reward[y])) }, -100, 100)
			}},
		// Least squares of (p − ½)/τ on differences: the mean over the other replies.
		{"IPO: ℓ = Σ (p − ½)/(nτ)", loss.IPO{Tau: beta, LogRatio: loss.Sum}, 0,
			func(b bandit) []float64 {
				p := append([]float64(nil), b.ref...)
				for i, ri := range b.reward {
					for _, rj := range b.reward {
						p[i] += (1/(1+math.Exp(rj-ri)) - 0.5) / beta / float64(len(b.ref))
					}
				}
				normalize(p)
				return p
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(3) {
				b := randomBandit(seed, 4)
				want := c.optimum(b)
				assert.InDelta(t, 0, floats.LogSumExp(want), 1e-12)
				_, grad := b.expected(t, c.Pairwise, want, c.flip)
				assert.Less(t, floats.Norm(grad, inf), 1e-13, "stationary")
				for _, start := range [][]float64{b.ref, {0, 1, -1, 0.5}} { // it is found, and so unique
					res, err := optimize.Minimize(optimize.Problem{
						Func: func(x []float64) float64 {
							p := append([]float64(nil), x...)
							normalize(p)
							v, _ := b.expected(t, c.Pairwise, p, c.flip)
							return v
						},
						Grad: func(grad, x []float64) {
							p := append([]float64(nil), x...)
							normalize(p)
							_, g := b.expected(t, c.Pairwise, p, c.flip)
							copy(grad, g)
						},
					}, start, &optimize.Settings{GradientThreshold: 1e-9}, &optimize.BFGS{})
					require.True(t, err == nil || res.Gradient != nil)
					normalize(res.X)
					for y := range want {
						assert.InDelta(t, math.Exp(want[y]), math.Exp(res.X[y]), 1e-5)
					}
				}
			}
		})
	}
}

// The policy that solves the problem is not stationary once a term or a target pulls.
func TestNotTheOptimum(t *testing.T) {
	b := randomBandit(1, 4)
	b.beta = 0.5
	for _, c := range []struct {
		name      string
		off, same loss.Pairwise
	}{
		{"RPO", loss.RPO{Beta: 0.5, Alpha: 0.1, NLLOver: loss.Sum}, loss.RPO{Beta: 0.5, NLLOver: loss.Sum}},
		{"DPOP", loss.DPOP{Beta: 0.5, Lambda: 1}, loss.DPOP{Beta: 0.5}},
		{"cDPO", loss.DPO{Beta: 0.5, LabelSmoothing: 0.1}, loss.DPO{Beta: 0.5}},
	} {
		_, grad := b.expected(t, c.off, b.optimum(), 0)
		assert.Greater(t, floats.Norm(grad, inf), 1e-3, c.name)
		_, grad = b.expected(t, c.same, b.optimum(), 0)
		assert.Less(t, floats.Norm(grad, inf), 1e-14, c.name)
	}
	// A target margin moves SimPO's minimiser: both orders of a pair ask for it.
	want := b.solve(func(y int, z float64) float64 { return float64(tokens[y]) * (b.reward[y] - z) / 0.5 }, -100, 100)
	_, grad := b.expected(t, loss.SimPO{Beta: 0.5, Gamma: 0.5}, want, 0)
	assert.Greater(t, floats.Norm(grad, inf), 1e-3)
}

// soft is the derivative of the expected loss of two replies with respect to the log-ratio
// of the first, when it is preferred with probability p.
func soft(t *testing.T, l loss.Pairwise, p, first, second float64) (d1, d2 float64) {
	t.Helper()
	b := onePair(first, second)
	win, _ := eval(t, l, b)
	lose, _ := eval(t, l, loss.Pairs{Chosen: b.Rejected, Rejected: b.Chosen, RefChosen: b.RefRejected, RefRejected: b.RefChosen, Win: b.Win})
	return p*win.Chosen[0] + (1-p)*lose.Rejected[0], p*win.Rejected[0] + (1-p)*lose.Chosen[0]
}

// Hinges recover the order of replies, not their odds: one pair ends at 1/β for any p
// above ½ and below 1, and for p = 1 everything beyond is as good.
func TestRSOMinimisers(t *testing.T) {
	l := loss.RSO{Beta: 0.5}
	for _, p := range []float64{0.6, 0.9} {
		below, _ := soft(t, l, p, 1.99, 0)
		above, _ := soft(t, l, p, 2.01, 0)
		assert.Negative(t, below)
		assert.Positive(t, above)
	}
	for _, h := range []float64{2.01, 3, 100} {
		d, _ := soft(t, l, 1, h, 0)
		assert.Zero(t, d)
	}
}

// EXO's pair ends at the odds of its label; far away there is almost no pull.
func TestEXOMinimiser(t *testing.T) {
	l := loss.EXO{Beta: 0.5, LabelSmoothing: 0.1}
	h := math.Log(9) / 0.5
	out, _ := eval(t, l, onePair(h, 0))
	assert.InDelta(t, 0, out.Chosen[0], 1e-15)
	assert.InDelta(t, 0, out.Loss[0], 1e-15)
	for _, d := range []float64{-1, 1} {
		out, _ := eval(t, l, onePair(h+d, 0))
		assert.Positive(t, out.Chosen[0]*d)
		assert.Positive(t, out.Loss[0])
	}
	out, _ = eval(t, l, onePair(-200, 0))
	assert.Less(t, math.Abs(out.Chosen[0]), 1e-40)
}

// DiscoPOP is not monotone: it has a local minimum and maximum at small margins, and falls
// to 0 far to the right.
func TestDiscoPOPShape(t *testing.T) {
	sign := []float64{}
	for z := -1.0; z < 3; z += 1.0 / 256 {
		_, slope := link(loss.LogRatioModulated{Tau: 0.05}, z)
		if s := math.Copysign(1, slope[0]); len(sign) == 0 || sign[len(sign)-1] != s {
			sign = append(sign, s)
		}
	}
	assert.Equal(t, []float64{-1, 1, -1}, sign)
	value, _ := link(loss.LogRatioModulated{Tau: 0.05}, 50)
	assert.Less(t, value[0], 1e-20)
}

// NCA brings the chosen reward of a deterministic label to log 2; nothing holds the other.
func TestNCAMinimiser(t *testing.T) {
	out, _ := eval(t, loss.NCA{Beta: 0.5}, onePair(math.Ln2/0.5, 0))
	assert.InDelta(t, 0, out.Chosen[0], 1e-16)
	for _, r := range []float64{-1000, -10, 0, 10} {
		out, _ := eval(t, loss.NCA{Beta: 0.5}, onePair(0, r))
		assert.Positive(t, out.Rejected[0])
	}
}

// BCO gives a reply the log-odds of being the chosen one, above δ.
func TestBCOPairMinimiser(t *testing.T) {
	const beta, delta = 0.5, 0.4
	for _, p := range []float64{0.2, 0.5, 0.9} {
		odds := math.Log(p / (1 - p))
		d1, d2 := soft(t, loss.BCOPair{Beta: beta, Delta: delta}, p, (delta+odds)/beta, (delta-odds)/beta)
		assert.InDelta(t, 0, d1, 1e-15)
		assert.InDelta(t, 0, d2, 1e-15)
	}
}

// SPPO ends at the mean of its targets; for deterministic labels with hard targets at 1/(2β).
func TestSPPOMinimiser(t *testing.T) {
	const beta = 0.25
	d1, d2 := soft(t, loss.SPPO{Beta: beta}, 0.75, 0.25/beta, -0.25/beta)
	assert.InDelta(t, 0, d1, 1e-14)
	assert.InDelta(t, 0, d2, 1e-14)
}

// Cal-DPO has one minimiser, with deterministic labels: ±t with t = 1/(2β) + σ(−2t).
func TestCalDPOMinimiser(t *testing.T) {
	const beta = 0.25
	x := 1 / (2 * beta)
	for range 100 {
		x = 1/(2*beta) + 1/(1+math.Exp(2*x))
	}
	out, _ := eval(t, loss.CalDPO{Beta: beta}, onePair(x, -x))
	assert.InDelta(t, 0, out.Chosen[0], 1e-15)
	assert.InDelta(t, 0, out.Rejected[0], 1e-15)
}

// APO-zero diverges, with soft labels too: the derivative of a reply has the sign of ½ − p
// wherever it is. APO-down falls towards 0 on a path, and its pull on the rejected reply
// never ends.
func TestAPOHasNoMinimiser(t *testing.T) {
	for _, p := range []float64{0, 0.3, 0.5, 0.8, 1} {
		for _, l := range []float64{-300, -2, 0, 1, 300} {
			d, _ := soft(t, loss.APOZero{Beta: 1}, p, l, 0)
			if p == 0.5 {
				assert.Zero(t, d)
			} else {
				assert.Positive(t, d*(0.5-p), "p = %v at %v", p, l)
			}
		}
	}
	last := inf
	for _, l := range []float64{0, -1, -10, -100, -700} {
		out, _ := eval(t, loss.APODown{Beta: 1}, onePair(l, 2*l))
		assert.Less(t, out.Loss[0], last)
		assert.Positive(t, out.Rejected[0])
		last = out.Loss[0]
	}
}

// Opposite offsets for the two orders of a pair move the odds by the offset.
func TestODPOMinimiser(t *testing.T) {
	const beta, p, m = 0.5, 0.7, 0.8
	h := (math.Log(p/(1-p)) + m) / beta
	b := onePair(h, 0)
	b.Margin = []float64{m}
	win, _ := eval(t, loss.ODPO{Beta: beta}, b)
	lose, _ := eval(t, loss.ODPO{Beta: beta}, loss.Pairs{Chosen: b.Rejected, Rejected: b.Chosen, RefChosen: b.RefRejected, RefRejected: b.RefChosen, Margin: []float64{-m}})
	assert.InDelta(t, 0, p*win.Chosen[0]+(1-p)*lose.Rejected[0], 1e-15)
}

// A deterministic label has no minimiser with a link that falls for ever; robust losses
// fall below every bound.
func TestDeterministicLabels(t *testing.T) {
	for _, l := range []loss.Pairwise{
		loss.DPO{Beta: 1}, loss.GPO{Beta: 1, Link: loss.Exponential{}}, loss.RobustDPO{Beta: 1, FlipProb: 0.1},
		loss.ChiPO{Beta: 1, MaxReward: inf}, loss.FDPO{Beta: 1, Divergence: loss.AlphaDivergence{Alpha: -1}},
	} {
		for _, h := range []float64{0, 1, 3, 5} {
			out, _ := eval(t, l, onePair(h, 0))
			assert.Negative(t, out.Chosen[0])
		}
	}
	out, _ := eval(t, loss.RobustDPO{Beta: 1, FlipProb: 0.1}, onePair(1e4, 0))
	within(t, -1e4/8, out.Loss[0], 1e-12)
}
