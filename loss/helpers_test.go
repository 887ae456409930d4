package loss_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/diff/fd"

	"github.com/prefgrad/prefgrad/loss"
)

var inf = math.Inf(1)

// objective is a pairwise objective and what the shared tests must know of it.
type objective struct {
	name string
	loss.Pairwise
	uses uses
}

type uses uint16

const (
	free        uses = 1 << iota // of a reference
	lengths                      // reads them
	margin                       // is a function of the difference of two scores
	wide                         // exceeds float64 at log-ratios of 10⁴
	likely                       // wants log-probabilities below 0
	bounded                      // has a score with a finite limit at a log-ratio of +∞
	nll                          // contains a likelihood: shifts count
	readsWin                     // reads Pairs.Win
	readsMargin                  // reads Pairs.Margin
)

// pairwise lists the pairwise objectives, for the properties that all of them share.
var pairwise = []objective{
	{"DPO", loss.DPO{Beta: 0.1}, margin},
	{"cDPO", loss.DPO{Beta: 0.3, LabelSmoothing: 0.2}, margin},
	{"IPO sum", loss.IPO{Tau: 0.1, LogRatio: loss.Sum}, margin},
	{"IPO mean", loss.IPO{Tau: 0.5, LogRatio: loss.Mean}, margin | lengths},
	{"Contrast", loss.Contrast{Score: loss.MeanLogRatio{}, Link: loss.Smoothed{Epsilon: 0.1}, Beta: 2, Gamma: 0.5}, margin | lengths | readsMargin},
	{"Contrast of odds", loss.Contrast{Score: loss.Odds{}, Link: loss.SquaredHinge{}, Beta: 0.5}, margin | lengths | free | likely | readsMargin},
	{"RSO", loss.RSO{Beta: 0.2}, margin},
	{"GPO exponential", loss.GPO{Link: loss.Exponential{}, Beta: 0.1}, margin | wide},
	{"GPO truncated quadratic", loss.GPO{Link: loss.SquaredHinge{}, Beta: 0.3}, margin},
	{"robust DPO", loss.RobustDPO{Beta: 0.2, FlipProb: 0.1}, margin},
	{"DiscoPOP", loss.DiscoPOP{Beta: 0.1, Tau: 0.05}, margin},
	{"EXO", loss.EXO{Beta: 0.1, LabelSmoothing: 0.01}, margin},
	{"NormDPO", loss.NormDPO{Beta: 5, LabelSmoothing: 0.05}, margin | lengths},
	{"R-DPO", loss.RDPO{Beta: 0.1, Alpha: 0.02}, margin | lengths},
	{"ODPO", loss.ODPO{Beta: 0.3}, margin | readsMargin},
	{"DPOP", loss.DPOP{Beta: 0.1, Lambda: 5}, margin},
	{"f-DPO forward", loss.FDPO{Beta: 0.1, Divergence: loss.ForwardKL{}}, margin | wide | bounded},
	{"f-DPO Jensen–Shannon", loss.FDPO{Beta: 2, Divergence: loss.JensenShannon{}, LabelSmoothing: 0.1}, margin | bounded},
	{"f-DPO α", loss.FDPO{Beta: 0.2, Divergence: loss.AlphaDivergence{Alpha: 0.5}}, margin | wide | bounded},
	{"χPO", loss.ChiPO{Beta: 0.05, MaxReward: 2}, margin | wide},
	{"SimPO", loss.SimPO{Beta: 2, Gamma: 0.5}, margin | lengths | free},
	{"AlphaPO", loss.AlphaPO{Beta: 2, Gamma: 0.3, Alpha: 0.25}, margin | lengths | free | wide},
	{"CPO", loss.CPO{Beta: 0.1, Alpha: 1, NLLOver: loss.Sum, LabelSmoothing: 0.1}, margin | free | nll},
	{"ORPO", loss.ORPO{Lambda: 0.1}, margin | lengths | free | likely | nll},
	{"RPO", loss.RPO{Beta: 0.1, Alpha: 0.5, NLLOver: loss.Mean}, margin | lengths | nll},
	{"NCA", loss.NCA{Beta: 0.1}, 0},
	{"BCO pair", loss.BCOPair{Beta: 0.1, Delta: 0.3}, 0},
	{"SPPO", loss.SPPO{Beta: 0.5}, readsWin},
	{"Cal-DPO", loss.CalDPO{Beta: 0.25}, 0},
	{"APO zero", loss.APOZero{Beta: 0.1}, 0},
	{"APO down", loss.APODown{Beta: 0.1}, margin},
	{"MPO", loss.MPO{{0.8, loss.DPO{Beta: 0.1}}, {0.2, loss.BCOPair{Beta: 0.1}}, {1, loss.ChosenNLL{Over: loss.Mean}}}, margin | lengths | nll},
}

func (o objective) is(u uses) bool { return o.uses&u != 0 }

// relative reports whether only log-ratios count.
func (o objective) relative() bool { return !o.is(free | nll) }

// randomPairs makes n pairs whose log-ratios have a standard deviation of spread, with
// log-probabilities below 0 as long as that is no more than 5.
func randomPairs(seed uint64, n int, spread float64) loss.Pairs {
	rng := rand.New(rand.NewPCG(seed, 0))
	b := loss.Pairs{
		Chosen: make([]float64, n), Rejected: make([]float64, n),
		RefChosen: make([]float64, n), RefRejected: make([]float64, n),
		ChosenLen: make([]int, n), RejectedLen: make([]int, n),
	}
	for i := range n {
		b.RefChosen[i], b.RefRejected[i] = -30-60*rng.Float64(), -30-60*rng.Float64()
		b.Chosen[i] = b.RefChosen[i] + spread*rng.NormFloat64()
		b.Rejected[i] = b.RefRejected[i] + spread*rng.NormFloat64()
		b.ChosenLen[i], b.RejectedLen[i] = 1+rng.IntN(20), 1+rng.IntN(20)
	}
	return b
}

// onePair is a batch of one pair with log-ratios lc and lr.
func onePair(lc, lr float64) loss.Pairs {
	return loss.Pairs{
		Chosen: []float64{lc - 2}, Rejected: []float64{lr - 4},
		RefChosen: []float64{-2}, RefRejected: []float64{-4},
		ChosenLen: []int{1}, RejectedLen: []int{1},
	}
}

// part is pairs lo … hi−1.
func part(b loss.Pairs, lo, hi int) loss.Pairs {
	return loss.Pairs{
		Chosen: b.Chosen[lo:hi], Rejected: b.Rejected[lo:hi],
		RefChosen: b.RefChosen[lo:hi], RefRejected: b.RefRejected[lo:hi],
		ChosenLen: b.ChosenLen[lo:hi], RejectedLen: b.RejectedLen[lo:hi],
	}
}

func pairsOut(n int) loss.PairsOut {
	return loss.PairsOut{
		Loss: make([]float64, n), Chosen: make([]float64, n), Rejected: make([]float64, n),
		RewardChosen: make([]float64, n), RewardRejected: make([]float64, n),
	}
}

func eval(t testing.TB, l loss.Pairwise, b loss.Pairs) (loss.PairsOut, loss.Total) {
	t.Helper()
	out := pairsOut(len(b.Chosen))
	total, err := l.Eval(out, b)
	require.NoError(t, err)
	return out, total
}

// bits asserts that two slices are the same to the bit.
func bits(t testing.TB, want, got []float64, msg ...any) {
	t.Helper()
	require.Len(t, got, len(want), msg...)
	for i := range want {
		if math.Float64bits(want[i]) != math.Float64bits(got[i]) {
			assert.Fail(t, "not the same bits", "[%d]: %v and %v %v", i, want[i], got[i], msg)
		}
	}
}

// within asserts |got − want| ≤ rel·|want|, and equality where want is not finite.
func within(t testing.TB, want, got, rel float64, msg ...any) {
	t.Helper()
	if want == got {
		return
	}
	if !(math.Abs(got-want) <= rel*math.Abs(want)) {
		assert.Fail(t, "too far apart", "want %v, got %v, relative error %.2g > %.2g %v", want, got, math.Abs(got/want-1), rel, msg)
	}
}

// gradient is the central-difference gradient of f at x, of fourth order in the step.
func gradient(f func(x []float64) float64, x []float64, step float64) []float64 {
	return fd.Gradient(nil, f, x, &fd.Settings{Formula: fourth, Step: step})
}

var fourth = fd.Formula{
	Stencil:    []fd.Point{{Loc: -2, Coeff: 1.0 / 12}, {Loc: -1, Coeff: -2.0 / 3}, {Loc: 1, Coeff: 2.0 / 3}, {Loc: 2, Coeff: -1.0 / 12}},
	Derivative: 1, Step: 1e-3,
}

// pairGradient checks the derivatives at one pair against central differences of its loss.
func pairGradient(t *testing.T, l loss.Pairwise, b loss.Pairs, step, tol float64) {
	t.Helper()
	out, _ := eval(t, l, b)
	value := func(x []float64) float64 {
		c := b
		c.Chosen, c.Rejected = x[:1], x[1:]
		_, total := eval(t, l, c)
		return total.Sum
	}
	want := gradient(value, []float64{b.Chosen[0], b.Rejected[0]}, step)
	got := []float64{out.Chosen[0], out.Rejected[0]}
	assert.InDeltaSlice(t, want, got, tol*(1+math.Abs(want[0])), "at %v", b)
}
