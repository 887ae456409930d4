package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

// evalPair evaluates a composition at log-ratios lc and lr, reference derivatives included.
func evalPair(t *testing.T, l loss.Pairwise, lc, lr float64) (value, dc, dr float64, total loss.Total) {
	t.Helper()
	b := loss.Pairs{
		Chosen: []float64{lc - 1e5}, Rejected: []float64{lr - 1e5},
		RefChosen: []float64{-1e5}, RefRejected: []float64{-1e5},
	}
	out := pairsOut(1)
	out.RefChosen, out.RefRejected = make([]float64, 1), make([]float64, 1)
	total, err := l.Eval(out, b)
	require.NoError(t, err)
	assert.Equal(t, out.Chosen[0], -out.RefChosen[0])
	assert.Equal(t, out.Rejected[0], -out.RefRejected[0])
	return out.Loss[0], out.Chosen[0], out.Rejected[0], total
}

// Scores that grow exponentially overflow. Then one factor of a derivative is ∞, and the
// other may be 0: what is returned is the limit.
func TestWideScoreChain(t *testing.T) {
	fdpo := func(d loss.Divergence) loss.Pairwise { return loss.FDPO{Beta: 0.1, Divergence: d} }
	with := func(link loss.Link, s loss.Score) loss.Pairwise {
		return loss.Contrast{Score: s, Link: link, Beta: 0.1}
	}
	for _, c := range []struct {
		name string
		loss.Pairwise
		lc, lr       float64
		value        float64
		dc, dr       float64
		correct, tie int
	}{
		// The rejected score is −∞: the pair is won, and e^{−e^x}·e^x → 0.
		{"won", fdpo(loss.ForwardKL{}), 0, -1e4, 0, 0, 0, 1, 0},
		{"won, rejected impossible", fdpo(loss.ForwardKL{}), 0, -inf, 0, 0, 0, 1, 0},
		{"lost, chosen impossible", fdpo(loss.ForwardKL{}), -inf, 0, inf, -inf, 0.1, 0, 0},
		{"lost", fdpo(loss.ForwardKL{}), -1e4, 0, inf, -inf, 0.1, 0, 0},
		// Both overflow: the larger log-ratio wins.
		{"both far, won", fdpo(loss.ForwardKL{}), -1e4, -1.1e4, 0, 0, 0, 1, 0},
		{"both far, lost", fdpo(loss.ForwardKL{}), -1.1e4, -1e4, inf, -inf, inf, 0, 0},
		{"both far, equal", fdpo(loss.ForwardKL{}), -1e4, -1e4, math.Ln2, -inf, inf, 0, 1},
		{"both near 0 from below", fdpo(loss.ForwardKL{}), 1e4, 1e4, math.Ln2, 0, 0, 0, 1},
		{"α-divergence, lost", fdpo(loss.AlphaDivergence{Alpha: 2}), -1e4, 0, inf, -inf, 0.1, 0, 0},
		{"α-divergence, both far", fdpo(loss.AlphaDivergence{Alpha: -2}), 1e4, 1.1e4, inf, -inf, inf, 0, 0},
		{"α-divergence, both far, won", fdpo(loss.AlphaDivergence{Alpha: -2}), 1.1e4, 1e4, 0, 0, 0, 1, 0},
		{"χ², both far, won", fdpo(loss.ChiSquared{}), 1.1e4, 1e4, 0, 0, 0, 1, 0},
		{"χ², both far, lost", fdpo(loss.ChiSquared{}), 1e4, 1.1e4, inf, -inf, inf, 0, 0},
		{"χ², linear on the left", fdpo(loss.ChiSquared{}), -1e4, -1.1e4, math.Exp(-100), -0.1 * math.Exp(-100), 0.1 * math.Exp(-100), 1, 0},
		// A clamp leaves nothing of it, whatever the derivative of the score is.
		{"χPO", loss.ChiPO{Beta: 1, MaxReward: 1}, 1e4, -1e4, math.Log1p(math.Exp(-2)), 0, 0, 1, 0},
		{"χPO, lost", loss.ChiPO{Beta: 1, MaxReward: 1}, -1e4, 1e4, math.Log1p(math.Exp(2)), 0, 0, 0, 0},
		// Hinges are flat once they are won.
		{"hinge, won", with(loss.Hinge{}, loss.ForwardKL{}), 0, -1e4, 0, 0, 0, 1, 0},
		{"hinge, lost", with(loss.Hinge{}, loss.ForwardKL{}), -1e4, 0, inf, -inf, 0.1, 0, 0},
		{"exponential, won", with(loss.Exponential{}, loss.ForwardKL{}), 0, -1e4, 0, 0, 0, 1, 0},
		// e^{βe^x}·e^{−x}: the slope of this link wins against any e^{−x}.
		{"exponential, lost", with(loss.Exponential{}, loss.ForwardKL{}), -1e4, 1e4, inf, -inf, inf, 0, 0},
		// The square has slope 2z with z = βe^{800}, and the other score the derivative
		// e^{−800}: 2·β²·e⁰ = 0.02; 2·β²·e^{1} one further on; and e^{9200}.
		{"squared", with(loss.Squared{}, loss.ForwardKL{}), 800, -800, inf, 0.02, -inf, 1, 0},
		{"squared, ratio e", with(loss.Squared{}, loss.ForwardKL{}), 800, -801, inf, 0.02 * math.E, -inf, 1, 0},
		{"squared, ratio e⁻⁵⁰", with(loss.Squared{}, loss.ForwardKL{}), 850, -800, inf, 0.02 * math.Exp(-50), -inf, 1, 0},
		{"squared, far apart", with(loss.Squared{}, loss.ForwardKL{}), 800, -1e4, inf, inf, -inf, 1, 0},
		{"squared, lost", with(loss.Squared{}, loss.ForwardKL{}), -800, 800, inf, -inf, 0.02, 0, 0},
		{"truncated quadratic, lost", with(loss.SquaredHinge{}, loss.ForwardKL{}), -800, 800, inf, -inf, 0.02, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			value, dc, dr, total := evalPair(t, c.Pairwise, c.lc, c.lr)
			within(t, c.value, value, 1e-12, "loss")
			within(t, c.dc, dc, 1e-9, "∂chosen")
			within(t, c.dr, dr, 1e-9, "∂rejected")
			assert.Equal(t, [2]int{c.correct, c.tie}, [2]int{total.Correct, total.Ties})
		})
	}
}

// The weight of a pair scales its limits too.
func TestWideScoreChainWeight(t *testing.T) {
	b := loss.Pairs{Chosen: []float64{800}, Rejected: []float64{-800}, RefChosen: []float64{0}, RefRejected: []float64{0}, Weight: []float64{3}}
	out, _ := eval(t, loss.Contrast{Score: loss.ForwardKL{}, Link: loss.Squared{}, Beta: 0.1}, b)
	within(t, 0.06, out.Chosen[0], 1e-9)
}

// A score that may be infinite and does not say how fast it grows has no limit to give.
type steep struct{}

func (steep) Score(s, ds []float64, r loss.Responses) error {
	for i, lp := range r.LogProb {
		s[i], ds[i] = -math.Exp(-lp), math.Exp(-lp)
	}
	return nil
}

func TestChainWithoutLimitIsAnError(t *testing.T) {
	l := loss.Contrast{Score: steep{}, Link: loss.Logistic{}, Beta: 1}
	b := loss.Pairs{Chosen: []float64{-1, -1}, Rejected: []float64{-2, -1e4}}
	_, err := l.Eval(pairsOut(2), b)
	inputError(t, err, "Rejected", 1, -1e4)
	// It is one only for the derivative that is wanted.
	_, err = l.Eval(loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2)}, b)
	require.NoError(t, err)
	// Two scores of −∞ have no order.
	b.Chosen[1] = -2e4
	_, err = l.Eval(loss.PairsOut{}, b)
	inputError(t, err, "Chosen", 1, -2e4)
	// Certain replies have infinite odds; against a slope of 0 only ORPO knows the limit.
	_, err = loss.Contrast{Score: loss.Odds{}, Link: loss.Logistic{}, Beta: 1}.Eval(pairsOut(1),
		loss.Pairs{Chosen: []float64{0}, Rejected: []float64{-1}, ChosenLen: []int{1}, RejectedLen: []int{1}})
	inputError(t, err, "Chosen", 0, 0)
}

// ORPO at the edges of [0, 1]. As p̄⁺ → 1 slope and derivative of the odds are 0 and ∞ and
// their product −q/(1−q), for q = ¼ −⅓; with λ = 3 and the −1 of the likelihood, −2.
func TestORPOLimits(t *testing.T) {
	for _, c := range []struct {
		name             string
		chosen, rejected float64
		value, dc, dr    float64
	}{
		{"chosen certain", 0, -math.Log(4), 0, -2, 0},
		{"chosen almost certain", -1e-300, -math.Log(4), 1e-300 + 1e-300, -2, 4.0 / 3 * 1e-300},
		{"chosen within 1e-16 of certain", -1e-16, -math.Log(4), 2e-16, -2, 4.0 / 3 * 1e-16},
		// −log σ(z) with z = log(⅓) − ∞: +Inf; the odds of the rejected one are too steep.
		{"rejected certain", -math.Log(4), 0, inf, -1 - 3/0.75, inf},
		{"rejected certain, chosen impossible", -inf, 0, inf, -4, inf},
		{"rejected within 1e-300", -math.Log(4), -1e-300, math.Log(4) + 3*(300*math.Ln10+math.Log(3)), -1 - 3/0.75, 3e300},
		// Equal odds: −1 − 3·½·(1/x), and the other way.
		{"both within 1e-300", -1e-300, -1e-300, 3 * math.Ln2, -1.5e300, 1.5e300},
		{"both within 1e-16", -1e-16, -2e-16, 3*math.Log(1.5) + 1e-16, -1 - 1e16, 0.5e16},
		{"chosen impossible", -inf, -1, inf, -4, 3 / (1 - math.Exp(-1))},
		{"rejected impossible", -1, -inf, 1, -1, 0},
		{"both unlikely", -1e5, -1e5, 1e5 + 3*math.Ln2, -2.5, 1.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := loss.Pairs{Chosen: []float64{c.chosen}, Rejected: []float64{c.rejected}, ChosenLen: []int{1}, RejectedLen: []int{1}}
			out, _ := eval(t, loss.ORPO{Lambda: 3}, b)
			within(t, c.value, out.Loss[0], 1e-12, "loss")
			within(t, c.dc, out.Chosen[0], 1e-12, "∂chosen")
			within(t, c.dr, out.Rejected[0], 1e-12, "∂rejected")
		})
	}
	one := func(c, r float64) loss.Pairs {
		return loss.Pairs{Chosen: []float64{c}, Rejected: []float64{r}, ChosenLen: []int{1}, RejectedLen: []int{1}}
	}
	_, err := loss.ORPO{Lambda: 1}.Eval(loss.PairsOut{}, one(0, 0))
	inputError(t, err, "Chosen", 0, 0)
	assert.Contains(t, err.Error(), "Rejected[0] = 0")
	_, err = loss.ORPO{Lambda: 1}.Eval(loss.PairsOut{}, one(0.5, -1))
	inputError(t, err, "Chosen", 0, 0.5)
	assert.Contains(t, err.Error(), "above 1")
	_, err = loss.ORPO{Lambda: 1}.Eval(loss.PairsOut{}, one(-1, 0.5))
	inputError(t, err, "Rejected", 0, 0.5)
	assert.Contains(t, err.Error(), "above 1")
	_, err = loss.Contrast{Score: loss.Odds{}, Link: loss.Hinge{}, Beta: 1}.Eval(loss.PairsOut{}, one(-1, 0.5))
	inputError(t, err, "Rejected", 0, 0.5)
	// Without the contrast it is the likelihood, even where odds are infinite.
	out, _ := eval(t, loss.ORPO{}, one(-1, 0))
	assert.Equal(t, []float64{1, -1, 0}, []float64{out.Loss[0], out.Chosen[0], out.Rejected[0]})
}

// Losses that look at each reward by itself have limits where a difference has none.
func TestJointLimits(t *testing.T) {
	impossible := loss.Pairs{Chosen: []float64{-inf}, Rejected: []float64{-inf}, RefChosen: []float64{-1}, RefRejected: []float64{-1}}
	for _, c := range []struct {
		name string
		loss.Pairwise
		value, dc, dr float64
	}{
		{"NCA", loss.NCA{Beta: 2}, inf, -2, 0},
		{"BCO", loss.BCOPair{Beta: 2}, inf, -2, 0},
		{"SPPO", loss.SPPO{Beta: 2}, inf, -inf, -inf},
		{"APO zero", loss.APOZero{Beta: 2}, 1, 0, 0},
		{"Cal-DPO", loss.CalDPO{Beta: 2}, inf, -inf, -inf}, // the squares win
	} {
		out, total := eval(t, c.Pairwise, impossible)
		assert.Equal(t, []float64{c.value, c.dc, c.dr}, []float64{out.Loss[0], out.Chosen[0] + 0, out.Rejected[0] + 0}, c.name)
		assert.Equal(t, [2]int{}, [2]int{total.Correct, total.Ties}, c.name) // no order is known
	}
	_, err := loss.APODown{Beta: 1}.Eval(loss.PairsOut{}, impossible)
	inputError(t, err, "Chosen", 0, -inf)
	// The curvature of Cal-DPO depends on the path: 1 + σ′ of a difference that has no limit.
	one := make([]float64, 1)
	err = loss.CalDPO{Beta: 1}.Curvature(loss.JointCurvature{Chosen: one, Rejected: make([]float64, 1), Mixed: make([]float64, 1)}, impossible)
	inputError(t, err, "Chosen", 0, -inf)
}

// Losses of +Inf and −Inf in one batch have no sum.
func TestOppositeInfinitiesHaveNoSum(t *testing.T) {
	b := loss.Pairs{
		Chosen: []float64{-1, -inf, -1}, Rejected: []float64{-1, -1, -inf},
		RefChosen: []float64{-1, -1, -1}, RefRejected: []float64{-1, -1, -1},
	}
	_, err := loss.RobustDPO{Beta: 1, FlipProb: 0.1}.Eval(loss.PairsOut{}, b)
	inputError(t, err, "Chosen", 1, -inf)
	_, err = loss.MPO{{1, loss.RobustDPO{Beta: 1, FlipProb: 0.1}}}.Eval(loss.PairsOut{}, b)
	inputError(t, err, "Chosen", 1, -inf)
	last := loss.Pairs{Chosen: b.Chosen[2:], Rejected: b.Rejected[2:], RefChosen: b.RefChosen[2:], RefRejected: b.RefRejected[2:]}
	_, err = loss.MPO{{1, loss.RobustDPO{Beta: 1, FlipProb: 0.1}}, {1, loss.NCA{Beta: 1}}}.Eval(loss.PairsOut{}, last)
	require.NoError(t, err)
}
