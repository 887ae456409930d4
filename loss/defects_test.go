package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// Mistakes found in other implementations of these objectives, one test each.

// exp(−z)·σ(z/τ) is ∞·0 = NaN at large negative z.
func TestDefectDiscoPOPNaN(t *testing.T) {
	for _, h := range []float64{-1e3, -1e4, -1e5} {
		out, _ := eval(t, loss.DiscoPOP{Beta: 1, Tau: 0.05}, onePair(h, 0))
		within(t, -h, out.Loss[0], 1e-12)
		within(t, -1, out.Chosen[0], 1e-12)
	}
}

// (1 − p^{−α})/α of a summed log-probability of −1000 is 1 − ∞; as −expm1(−αc)/α it is
// finite, and it is that of the mean anyway.
func TestDefectAlphaPOUnderflow(t *testing.T) {
	b := loss.Pairs{Chosen: []float64{-1000}, Rejected: []float64{-1100}, ChosenLen: []int{10}, RejectedLen: []int{10}}
	out, _ := eval(t, loss.AlphaPO{Beta: 1e-12, Alpha: 0.25}, b)
	s := func(mean float64) float64 { return -math.Expm1(-0.25*mean) / 0.25 }
	within(t, math.Log1p(math.Exp(-1e-12*(s(-100)-s(-110)))), out.Loss[0], 1e-13)
	assert.Negative(t, out.Chosen[0])
}

// 1 − p^{−α} at α = 1e-8 leaves half of the digits, at 1e-17 none.
func TestDefectAlphaPOCancellation(t *testing.T) {
	b := loss.Pairs{Chosen: []float64{-0.75}, Rejected: []float64{-1.5}, ChosenLen: []int{1}, RejectedLen: []int{1}}
	want, _ := eval(t, loss.SimPO{Beta: 2}, b)
	for _, a := range []float64{1e-8, 1e-12, 1e-17, 1e-300} {
		out, _ := eval(t, loss.AlphaPO{Beta: 2, Alpha: a}, b)
		within(t, want.Loss[0], out.Loss[0], 3*a+1e-15)
		within(t, want.Chosen[0], out.Chosen[0], 3*a+1e-15)
	}
}

// log(1 − eˣ) as log1p(−exp(x)) is −∞ when eˣ rounds to 1, and its gradient NaN.
func TestDefectORPOCertainReply(t *testing.T) {
	for _, c := range []float64{0, -1e-320, -1e-300, -1e-20, -1e-17} {
		b := loss.Pairs{Chosen: []float64{c}, Rejected: []float64{-1}, ChosenLen: []int{1}, RejectedLen: []int{1}}
		out, _ := eval(t, loss.ORPO{Lambda: 1}, b)
		q := math.Exp(-1)
		within(t, -1-q/(1-q), out.Chosen[0], 1e-12)
		assert.False(t, math.IsNaN(out.Loss[0]) || out.Loss[0] < 0)
	}
}

// e^{−ℓ} overflows float32 at 89 and float64 at 709: the truth is ±∞ then, and never NaN.
func TestDefectForwardKLOverflow(t *testing.T) {
	for _, l := range []float64{-88, -89, -700} {
		out, _ := eval(t, loss.FDPO{Beta: 1, Divergence: loss.ForwardKL{}}, onePair(l, 0))
		within(t, math.Exp(-l)-1, out.Loss[0], 1e-12)
	}
	out, _ := eval(t, loss.FDPO{Beta: 1, Divergence: loss.ForwardKL{}}, onePair(-1e4, -1e4))
	assert.Equal(t, []float64{math.Ln2, -inf, inf}, []float64{out.Loss[0], out.Chosen[0], out.Rejected[0]})
}

// 1 − σ(x) is 0 long before σ(−x) is: the derivatives of saturated pairs are tiny, not 0.
func TestDefectOneMinusSigmoid(t *testing.T) {
	for _, z := range []float64{20, 40, 150, 700} {
		e := math.Exp(-z)
		out, _ := eval(t, loss.APOZero{Beta: 1}, onePair(z, -z))
		within(t, -e, out.Chosen[0], 1e-8)
		within(t, e, out.Rejected[0], 1e-8)
		out, _ = eval(t, loss.APOZero{Beta: 1}, onePair(-z, z))
		within(t, -e, out.Chosen[0], 1e-8)
		out, _ = eval(t, loss.DPO{Beta: 1}, onePair(z, 0))
		within(t, -e, out.Chosen[0], 1e-8)
		// EXO: q(1−q)(z − log((1−ε)/ε)).
		out, _ = eval(t, loss.EXO{Beta: 1, LabelSmoothing: 0.25}, onePair(z, 0))
		within(t, e*(z-math.Log(3)), out.Chosen[0], 1e-7)
	}
}

// An exponential of a score that is clamped at 80 has gradient exactly 0 on the pairs that
// are ranked worst.
func TestDefectAlphaDivergenceClamp(t *testing.T) {
	for _, l := range []float64{-200, -400, -1000} { // −α·ℓ = 100, 200, 500
		out, total := eval(t, loss.FDPO{Beta: 0.1, Divergence: loss.AlphaDivergence{Alpha: 0.5}}, onePair(l, 0))
		within(t, -0.1*math.Exp(-l/2), out.Chosen[0], 1e-12)
		assert.Zero(t, total.Clipped)
	}
}

// A loss e^{−z} that overflows is +∞ with derivative −∞, and its margin is not ignored.
func TestDefectExponentialOverflow(t *testing.T) {
	out, _ := eval(t, loss.GPO{Beta: 1, Link: loss.Exponential{}}, onePair(-800, 0))
	assert.Equal(t, []float64{inf, -inf, inf}, []float64{out.Loss[0], out.Chosen[0], out.Rejected[0]})
	b := onePair(1, 0)
	b.Margin = []float64{0.5}
	out, _ = eval(t, loss.Contrast{Score: loss.LogRatio{}, Link: loss.Exponential{}, Beta: 1, Gamma: 0.25}, b)
	within(t, math.Exp(-0.25), out.Loss[0], 1e-15)
}

// Label smoothing that a loss type silently ignores: here it either changes the loss or is
// a field that the type does not have.
func TestDefectIgnoredLabelSmoothing(t *testing.T) {
	b := randomPairs(1, 5, 2)
	for _, c := range []struct{ smoothed, plain loss.Pairwise }{
		{loss.DPO{Beta: 1, LabelSmoothing: 0.1}, loss.DPO{Beta: 1}},
		{loss.NormDPO{Beta: 1, LabelSmoothing: 0.1}, loss.NormDPO{Beta: 1}},
		{loss.FDPO{Beta: 1, Divergence: loss.JensenShannon{}, LabelSmoothing: 0.1}, loss.FDPO{Beta: 1, Divergence: loss.JensenShannon{}}},
		{loss.SimPO{Beta: 1, LabelSmoothing: 0.1}, loss.SimPO{Beta: 1}},
		{loss.CPO{Beta: 1, NLLOver: loss.Sum, LabelSmoothing: 0.1}, loss.CPO{Beta: 1, NLLOver: loss.Sum}},
	} {
		a, _ := eval(t, c.smoothed, b)
		p, _ := eval(t, c.plain, b)
		for i := range a.Loss {
			z := a.RewardChosen[i] - a.RewardRejected[i]
			assert.InDelta(t, p.Loss[i]+0.1*z, a.Loss[i], 1e-12*(1+math.Abs(z)), "%T", c.plain)
		}
	}
}

// Rewards that are logged as β·ℓ whatever score the loss uses.
func TestDefectRewardsOfAnotherScore(t *testing.T) {
	b := onePair(-1, 0.5)
	out, _ := eval(t, loss.FDPO{Beta: 0.5, Divergence: loss.ForwardKL{}}, b)
	assert.InDeltaSlice(t, []float64{-0.5 * math.E, -0.5 * math.Exp(-0.5)}, []float64{out.RewardChosen[0], out.RewardRejected[0]}, 1e-15)
	out, _ = eval(t, loss.ChiPO{Beta: 0.5, MaxReward: 0.1}, b)
	within(t, 0.5*(math.Exp(-1)-1), out.RewardChosen[0], 1e-15)
	out, _ = eval(t, loss.DPOP{Beta: 0.5, Lambda: 3}, b)
	assert.Equal(t, []float64{-2, 0.25}, []float64{out.RewardChosen[0], out.RewardRejected[0]})
}

// A length of 0 divides, or is clamped to 1 without a word.
func TestDefectEmptyReply(t *testing.T) {
	for _, l := range pairwise {
		if !l.is(lengths) || l.name == "R-DPO" {
			continue
		}
		b := randomPairs(2, 3, 1)
		b.ChosenLen[1] = 0
		_, err := l.Eval(loss.PairsOut{}, b)
		inputError(t, err, "ChosenLen", 1, 0)
	}
}

// Ties counted as right answers: at initialisation accuracy is 0 of n, and n ties.
func TestDefectTiesAreNotAccuracy(t *testing.T) {
	for _, l := range pairwise {
		if !l.relative() || l.name == "R-DPO" {
			continue
		}
		_, total := eval(t, l, randomPairs(3, 20, 0))
		assert.Equal(t, [2]int{0, 20}, [2]int{total.Correct, total.Ties}, l.name)
	}
}

// Tokens that are counted by their non-zero log-ratios make IPO 0/0 where π = π_ref; here
// lengths are the caller's.
func TestDefectIPOAtInitialisation(t *testing.T) {
	_, total := eval(t, loss.IPO{Tau: 0.1, LogRatio: loss.Mean}, randomPairs(4, 10, 0))
	assert.InDelta(t, 250, total.Sum, 1e-11)
}

// A sum over pairs that is divided by the size of a micro-batch changes with how a batch is
// split; sums and counts do not.
func TestDefectAccumulationChangesTheLoss(t *testing.T) {
	b := randomPairs(5, 7, 2)
	for _, l := range pairwise {
		_, whole := eval(t, l, b)
		_, first := eval(t, l, part(b, 0, 3))
		_, rest := eval(t, l, part(b, 3, 7))
		first.Add(rest)
		within(t, whole.Mean(), first.Mean(), 1e-13, l.name)
	}
}

// The coefficient of TRL's α-divergence is 1 − α of the paper.
func TestDefectAlphaDivergenceConvention(t *testing.T) {
	const alphaTRL = 0.25
	l, _ := scoreAt(t, loss.AlphaDivergence{Alpha: 1 - alphaTRL}, true, -1.5, 1)
	at0, _ := scoreAt(t, loss.AlphaDivergence{Alpha: 1 - alphaTRL}, true, 0, 1)
	trl := func(l float64) float64 { return math.Exp((alphaTRL-1)*l) / (alphaTRL - 1) }
	within(t, trl(-1.5)-trl(0), l-at0, 1e-14)
}

// Length-regularised DPO with the other sign rewards what it should charge for: a longer
// chosen reply must have a larger margin already, and so a smaller loss.
func TestDefectLengthSign(t *testing.T) {
	b := onePair(1, 0)
	b.ChosenLen[0] = 9
	long, _ := eval(t, loss.RDPO{Beta: 0.5, Alpha: 0.1}, b)
	same, _ := eval(t, loss.RDPO{Beta: 0.5, Alpha: 0.1}, onePair(1, 0))
	require.Less(t, long.Loss[0], same.Loss[0])
}

// 0·∞ in p·log p, in a weight times a loss, or in a slope times a derivative is NaN if it is
// formed; each has a limit.
func TestDefectZeroTimesInfinity(t *testing.T) {
	sequence := loss.Layout{Begin: []int{0, 2}, Prompt: []int{0}}
	out := loss.TokenOut{Loss: make([]float64, 1), LogProb: make([]float64, 2)}
	total, err := loss.DFT{By: loss.SumTokens}.Eval(out, sequence, []float64{-inf, -1})
	require.NoError(t, err)
	within(t, math.Exp(-1), total.Sum, 1e-15)
	assert.Equal(t, []float64{0, -math.Exp(-1)}, out.LogProb)

	won, _ := eval(t, loss.EXO{Beta: 1, LabelSmoothing: 0.25}, onePair(0, -inf))
	within(t, -math.Log(0.75), won.Loss[0], 1e-15)
	assert.Zero(t, won.Chosen[0])
	lost, _ := eval(t, loss.EXO{Beta: 1, LabelSmoothing: 0.25}, onePair(-inf, 0))
	within(t, -math.Log(0.25), lost.Loss[0], 1e-15)

	b := onePair(-inf, 0)
	b.Weight = []float64{0}
	none, sum := eval(t, loss.DPO{Beta: 1}, b)
	assert.Equal(t, []float64{0, 0, 0, 0}, []float64{sum.Sum, none.Loss[0], none.Chosen[0], none.Rejected[0]})
	_, sum = eval(t, loss.MPO{{0, loss.DPO{Beta: 1}}, {1, loss.APOZero{Beta: 1}}}, onePair(-inf, 0))
	assert.Equal(t, 1.5, sum.Sum)
}
