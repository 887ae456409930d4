package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

var scores = []struct {
	name string
	loss.Score
	relative bool
	limits   [2]float64 // of the score at a log-ratio, or mean log-probability, of −∞ and +∞ (or 0)
}{
	{"log-ratio", loss.LogRatio{}, true, [2]float64{-inf, inf}},
	{"mean log-ratio", loss.MeanLogRatio{}, true, [2]float64{-inf, inf}},
	{"length-regularised", loss.LengthRegularised{PerToken: 0.25}, true, [2]float64{-inf, inf}},
	{"forward KL", loss.ForwardKL{}, true, [2]float64{-inf, 0}},
	{"Jensen–Shannon", loss.JensenShannon{}, true, [2]float64{-inf, 0}},
	{"α = ½", loss.AlphaDivergence{Alpha: 0.5}, true, [2]float64{-inf, 2}},
	{"α = −½", loss.AlphaDivergence{Alpha: -0.5}, true, [2]float64{-2, inf}},
	{"α = 0", loss.AlphaDivergence{}, true, [2]float64{-inf, inf}},
	{"χ²", loss.ChiSquared{}, true, [2]float64{-inf, inf}},
	{"log-probability", loss.LogProb{}, false, [2]float64{-inf, 0}},
	{"mean log-probability", loss.MeanLogProb{}, false, [2]float64{-inf, 0}},
	{"α-reward", loss.AlphaReward{Alpha: 0.25}, false, [2]float64{-inf, 0}},
	{"α-reward, α = −½", loss.AlphaReward{Alpha: -0.5}, false, [2]float64{-2, 0}},
	{"odds", loss.Odds{}, false, [2]float64{-inf, inf}},
}

// scoreAt evaluates one response at a log-ratio, or log-probability, x of n tokens.
func scoreAt(t testing.TB, s loss.Score, relative bool, x float64, n int) (value, slope float64) {
	t.Helper()
	r := loss.Responses{LogProb: []float64{x}, Len: []int{n}}
	if relative {
		r.Ref = []float64{-8}
		r.LogProb[0] = x - 8
		if math.IsInf(x, 1) {
			r.LogProb[0], r.Ref[0] = -8, -inf
		}
	}
	var v, d [1]float64
	require.NoError(t, s.Score(v[:], d[:], r))
	return v[0], d[0]
}

func TestScoreSlopes(t *testing.T) {
	for _, s := range scores {
		for _, x := range []float64{-30, -5, -1, -0.1} {
			for _, n := range []int{1, 7} {
				_, slope := scoreAt(t, s.Score, s.relative, x, n)
				want := gradient(func(x []float64) float64 { v, _ := scoreAt(t, s.Score, s.relative, x[0], n); return v }, []float64{x}, 1e-3)
				assert.InDelta(t, want[0], slope, 1e-7*(1+math.Abs(want[0])), "%s at %v/%d", s.name, x, n)
				assert.Positive(t, slope, s.name)
			}
		}
	}
}

func TestScoreLimits(t *testing.T) {
	for _, s := range scores {
		top := 0.0
		if s.relative {
			top = inf
		}
		for i, x := range []float64{-inf, top} {
			v, d := scoreAt(t, s.Score, s.relative, x, 1)
			assert.Equal(t, s.limits[i], v+0, "%s at %v", s.name, x)
			assert.False(t, math.IsNaN(d), "%s at %v", s.name, x)
		}
	}
}

// The logarithms of a WideScore agree with the score where nothing overflows, and go on
// where it does.
func TestWideScoreLogs(t *testing.T) {
	for _, s := range scores {
		w, ok := s.Score.(loss.WideScore)
		if !ok {
			continue
		}
		logs := func(x float64) (v, d float64) {
			r := loss.Responses{LogProb: []float64{x}, Len: []int{3}}
			if s.relative {
				r.Ref, r.LogProb[0] = []float64{-8}, x-8
			}
			var lv, ld [1]float64
			w.Log(lv[:], ld[:], r)
			return lv[0], ld[0]
		}
		for _, x := range []float64{-50, -3, -0.5, 1, 5, 50} {
			if x > 0 && !s.relative {
				continue
			}
			v, d := scoreAt(t, s.Score, s.relative, x, 3)
			lv, ld := logs(x)
			within(t, math.Abs(v), math.Exp(lv), 1e-13, s.name, x)
			within(t, d, math.Exp(ld), 1e-13, s.name, x)
		}
		for _, x := range []float64{-1e5, 1e5} {
			if x > 0 && !s.relative {
				continue
			}
			lv, ld := logs(x)
			less, _ := logs(x / 2)
			assert.False(t, math.IsNaN(lv) || math.IsNaN(ld) || math.IsInf(ld, 0), "%s at %v", s.name, x)
			assert.False(t, math.IsNaN(less), "%s at %v", s.name, x)
		}
	}
}

// Beyond float64 the logarithms are those of the leading term.
func TestWideScoreLogsBeyondOverflow(t *testing.T) {
	for _, c := range []struct {
		loss.WideScore
		relative  bool
		x         float64
		log, dlog float64
	}{
		{loss.ForwardKL{}, true, -1e5, 1e5, 1e5},
		{loss.AlphaDivergence{Alpha: 0.5}, true, -1e5, 5e4 + math.Ln2, 5e4},
		{loss.AlphaDivergence{Alpha: -0.25}, true, 1e5, 2.5e4 + 2*math.Ln2, 2.5e4},
		{loss.ChiSquared{}, true, 1e5, 1e5, 1e5},
		{loss.AlphaReward{Alpha: 0.5}, false, -3e5, 5e4 + math.Ln2, 5e4 - math.Log(3)},
	} {
		r := loss.Responses{LogProb: []float64{c.x}, Len: []int{3}}
		if c.relative {
			r.Ref = []float64{0}
		}
		var v, d [1]float64
		c.Log(v[:], d[:], r)
		within(t, c.log, v[0], 1e-15, c.WideScore)
		within(t, c.dlog, d[0], 1e-15, c.WideScore)
	}
}

// Which scores say that they depend on log-ratios alone.
func TestRelativeScores(t *testing.T) {
	for _, s := range scores {
		_, ok := s.Score.(loss.RelativeScore)
		assert.Equal(t, s.relative, ok, s.name)
	}
}

// α → 0 is the reverse KL and α = 1 the forward KL; tiny α must not cancel.
func TestAlphaLimits(t *testing.T) {
	for _, x := range []float64{-40, -1, -1e-9, 1e-9, 0.3, 40} {
		forward, dForward := scoreAt(t, loss.ForwardKL{}, true, x, 1)
		one, dOne := scoreAt(t, loss.AlphaDivergence{Alpha: 1}, true, x, 1)
		assert.InDelta(t, forward+1, one, 1e-15*(1+math.Abs(forward)))
		within(t, dForward, dOne, 1e-15)
		for _, a := range []float64{1e-4, 1e-6, 1e-8, 1e-12, 1e-300, 5e-324, -1e-8, -1e-300} {
			// (x − 8) + 8 has rounded: compare at the log-ratio that there is.
			l := (x - 8) + 8
			v, d := scoreAt(t, loss.AlphaDivergence{Alpha: a}, true, x, 1)
			want := l * (1 - a*l/2*(1-a*l/3*(1-a*l/4*(1-a*l/5))))
			within(t, want, v, 1e-14, "α =", a, "ℓ =", x)
			within(t, math.Exp(-a*l), d, 1e-14)
			mean, _ := scoreAt(t, loss.AlphaReward{Alpha: a}, false, -math.Abs(x), 3)
			m := -math.Abs(x) / 3
			within(t, m*(1-a*m/2*(1-a*m/3*(1-a*m/4*(1-a*m/5)))), mean, 1e-14, "α =", a)
		}
	}
}

// Where e^{−αx} overflows and the quotient by α does not, the quotient is returned.
func TestAlphaQuotientOfOverflow(t *testing.T) {
	v, _ := scoreAt(t, loss.AlphaDivergence{Alpha: 1e3}, true, -0.712, 1)
	within(t, -math.Exp(0.7119999999999997*1e3-math.Log(1e3)), v, 1e-11)
	assert.False(t, math.IsInf(v, 0))
}

func TestScoreParams(t *testing.T) {
	for _, v := range []float64{inf, -inf, math.NaN()} {
		for param, s := range map[string]loss.Score{
			"AlphaDivergence.Alpha":      loss.AlphaDivergence{Alpha: v},
			"AlphaReward.Alpha":          loss.AlphaReward{Alpha: v},
			"LengthRegularised.PerToken": loss.LengthRegularised{PerToken: v},
		} {
			_, err := loss.Contrast{Score: s, Link: loss.Logistic{}, Beta: 1}.Eval(loss.PairsOut{}, onePair(0, 0))
			paramError(t, err, param, v)
		}
	}
}

func TestScoreLengthErrors(t *testing.T) {
	for _, n := range []int{0, -2} {
		b := onePair(0, 0)
		b.RejectedLen[0] = n
		for _, s := range []loss.Score{loss.MeanLogRatio{}, loss.MeanLogProb{}, loss.AlphaReward{Alpha: 1}, loss.Odds{}, loss.LengthRegularised{}} {
			_, err := loss.Contrast{Score: s, Link: loss.Logistic{}, Beta: 1}.Eval(loss.PairsOut{}, b)
			if _, ok := s.(loss.LengthRegularised); ok && n == 0 {
				require.NoError(t, err) // an empty reply has a length
				continue
			}
			inputError(t, err, "RejectedLen", 0, float64(n))
		}
		for _, l := range []loss.Pairwise{loss.ChosenNLL{Over: loss.Mean}, loss.RPO{Beta: 1, Alpha: 1, NLLOver: loss.Mean}} {
			b := onePair(0, 0)
			b.ChosenLen[0] = n
			_, err := l.Eval(loss.PairsOut{}, b)
			inputError(t, err, "ChosenLen", 0, float64(n))
		}
	}
}
