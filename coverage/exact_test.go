package coverage_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/coverage"
)

var ln = math.Log

func golden(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, into))
}

// relative asserts a relative error below tol; 0 must be 0.
func relative(t *testing.T, want, got, tol float64, msg ...any) {
	t.Helper()
	if want == got { // infinities too
		return
	}
	assert.LessOrEqual(t, math.Abs(got/want-1), tol, "want %v, got %v: %v", want, got, msg)
}

func TestExactGolden(t *testing.T) {
	var g struct {
		Ball  []struct{ LogQ, Eps, Ball, Lambert float64 }
		Renyi []struct {
			Alpha, Value float64
			LogP, LogQ   []float64
		}
		BestOfN []struct {
			N                    int
			LogRef, Reward, Want []float64
		}
	}
	golden(t, "exact.json", &g)
	require.True(t, len(g.Ball) > 50 && len(g.Renyi) > 50 && len(g.BestOfN) == 16)
	for _, c := range g.Ball {
		relative(t, c.Ball, coverage.LogBall(c.LogQ, c.Eps), 2e-14, c)
		// The inverse: of a value that is given to the last bit, p near 1 keeps no more.
		if c.Eps < -c.LogQ*0.95 {
			relative(t, c.Eps, coverage.BallEps(c.LogQ, c.Ball), 3e-14*max(1, c.Ball), c)
		}
		lo, hi := coverage.LogBallBracket(c.LogQ, c.Eps)
		assert.LessOrEqual(t, lo, c.Ball*(1+1e-15), c)
		relative(t, min(c.Lambert, -c.LogQ), hi, 2e-14, c)
	}
	for _, c := range g.Renyi {
		relative(t, c.Value, coverage.Renyi(c.Alpha, c.LogP, c.LogQ), 2e-13, c)
	}
	for _, c := range g.BestOfN {
		dst := make([]float64, len(c.LogRef))
		coverage.BestOfN(dst, c.LogRef, c.Reward, c.N)
		for i := range dst {
			assert.InDelta(t, c.Want[i], dst[i], 1e-15*(3+math.Abs(c.Want[i])), "n = %d, %v", c.N, c.LogRef)
		}
	}
}

// What is 0 is not −0, and what is no number in float64's normal range is still in its bounds.
func TestSignsAndSubnormals(t *testing.T) {
	for name, v := range map[string]float64{
		"LogBall":   coverage.LogBall(0, 1),
		"Renyi ½":   coverage.Renyi(0.5, []float64{ln(0.5), ln(0.5)}, []float64{ln(0.5), ln(0.5)}),
		"Renyi ⅓":   coverage.Renyi(1./3, []float64{0}, []float64{0}),
		"BallEps":   coverage.BallEps(0, 0),
		"LogGlobal": coverage.LogGlobal([]float64{0}),
	} {
		assert.Equal(t, uint64(0), math.Float64bits(v), "%s = %v", name, v)
	}
	for _, c := range [][2]float64{{-1e-320, 1e-321}, {-1e-310, 1e-312}, {-1e-310, 9e-311}} {
		lo, hi := coverage.LogBallBracket(c[0], c[1])
		got := coverage.LogBall(c[0], c[1])
		assert.True(t, lo <= got && got <= hi && hi <= -c[0], "%v: %v outside [%v, %v]", c, got, lo, hi)
	}
}

func TestDivergencesByHand(t *testing.T) {
	p, q := []float64{ln(0.6), ln(0.4), -inf}, []float64{ln(0.2), ln(0.4), ln(0.4)}
	relative(t, 0.16/0.2+0.4, coverage.ChiSquare(p, q), 1e-15) // (0.4²)/0.2 + 0 + 0.4
	relative(t, ln(3), coverage.MaxLogRatio(p, q), 1e-15)
	relative(t, ln(2.2), coverage.Renyi(2, p, q), 1e-15)
	relative(t, -ln(0.6), coverage.Renyi(0, p, q), 1e-15)
	relative(t, -2*ln(math.Sqrt(0.12)+0.4), coverage.Renyi(0.5, p, q), 1e-14)
	relative(t, ln(3), coverage.Renyi(inf, p, q), 1e-15)
	assert.Equal(t, coverage.KL(p, q), coverage.Renyi(1, p, q))
	logMax, logMean := coverage.Concentrability(p, q)
	relative(t, ln(3), logMax, 1e-15)
	relative(t, ln(2.2), logMean, 1e-15)
	// w is 3 and 1 on masses 0.6 and 0.4.
	for _, c := range [][2]float64{{-inf, 1}, {-1, 1}, {0, 1}, {1e-9, 0.6}, {1.09, 0.6}, {1.11, 0}} {
		relative(t, c[1], coverage.Profile(p, q, c[0]), 1e-15, c)
	}
	relative(t, -ln(0.2), coverage.LogGlobal(q, p[:2]), 1e-15)
	assert.Equal(t, inf, coverage.LogGlobal(q, p))
	assert.Zero(t, coverage.LogGlobal())
	joint := coverage.Joint([]float64{ln(0.25), ln(0.75)}, [][]float64{{ln(0.5), ln(0.5)}, {0}})
	assert.InDeltaSlice(t, []float64{ln(0.125), ln(0.125), ln(0.75)}, joint, 1e-15)
}

// What a policy does where its reference is 0.
func TestDivergencesOutsideTheSupport(t *testing.T) {
	p, q := []float64{ln(0.5), ln(0.5)}, []float64{0, -inf}
	assert.Equal(t, inf, coverage.ChiSquare(p, q))
	assert.Equal(t, inf, coverage.MaxLogRatio(p, q))
	for _, alpha := range []float64{1, 1.5, 2, 1e6, inf} {
		assert.Equal(t, inf, coverage.Renyi(alpha, p, q), alpha)
	}
	relative(t, ln(2), coverage.Renyi(0.5, p, q), 1e-15) // −2·log √½
	assert.Zero(t, coverage.Renyi(0, p, q))
	for _, alpha := range []float64{0, 0.3, 0.7, 1, 2, inf} {
		disjoint := coverage.Renyi(alpha, []float64{0, -inf}, []float64{-inf, 0})
		assert.Equal(t, inf, disjoint, alpha)
	}
	assert.Equal(t, 0.5, coverage.Profile(p, q, 1e300))
	relative(t, 1.0, coverage.ChiSquare(q, p), 1e-15)
	same := []float64{0, -inf}
	for _, alpha := range []float64{0, 0.3, 1, 2, inf} {
		assert.Zero(t, coverage.Renyi(alpha, same, same), alpha)
	}
}

func TestExtremeProbabilities(t *testing.T) {
	tiny := -300 * ln(10)
	p, q := []float64{-1e-300, tiny}, []float64{tiny, -1e-300}
	relative(t, -tiny, coverage.MaxLogRatio(p, q), 1e-15)
	relative(t, -tiny, coverage.Renyi(1e300, p, q), 1e-15)
	relative(t, 1e300, coverage.ChiSquare(p, q), 1e-12)
	assert.Equal(t, inf, coverage.ChiSquare([]float64{0, -800}, []float64{-800, 0}))
	relative(t, 800, coverage.Renyi(2, []float64{0, -800}, []float64{-800, 0}), 1e-15)
	relative(t, -tiny, coverage.LogBall(tiny, 691), 1e-15)
	relative(t, math.Sqrt(2)*1e-155, coverage.LogBall(ln(0.5), 1e-310), 1e-13)
}

func TestExactNaN(t *testing.T) {
	nan := math.NaN()
	for _, c := range [][2][]float64{{{nan, 0}, {0, 0}}, {{0, 0}, {0, nan}}, {{-inf}, {nan}}} {
		for _, alpha := range []float64{0, 0.2, 0.5, 1, 2, inf} {
			assert.True(t, math.IsNaN(coverage.Renyi(alpha, c[0], c[1])), "%v %v", alpha, c)
		}
		assert.True(t, math.IsNaN(coverage.ChiSquare(c[0], c[1])), c)
		assert.True(t, math.IsNaN(coverage.MaxLogRatio(c[0], c[1])), c)
		assert.True(t, math.IsNaN(coverage.Profile(c[0], c[1], 0)), c)
	}
	p := []float64{ln(0.5), ln(0.5)}
	c, x := coverage.LogBallAverage([]float64{0}, [][]float64{{nan, 0}}, 1)
	_, none := coverage.LogBallAverage([]float64{-inf}, [][]float64{p}, 1)
	assert.True(t, x == 0 && none == -1)
	lo, hi := coverage.LogBallBracket(1, 1)
	for i, v := range []float64{
		coverage.Renyi(-1, p, p), coverage.Renyi(nan, p, p), coverage.LogGlobal([]float64{0, nan}), c, lo, hi,
		coverage.LogBall(0.1, 1), coverage.LogBall(-1, -1), coverage.LogBall(nan, 1), coverage.LogBall(-1, nan),
		coverage.LogBallPrompt([]float64{-1, nan, -2}, 1), coverage.LogBallPrompt([]float64{-inf}, 1),
		coverage.BallPolicy(nil, nil, 1), coverage.BallEps(-1, nan), coverage.BallPromptEps([]float64{-inf}, 1),
		coverage.BallAverageEps([]float64{-inf}, [][]float64{p}, 1),
	} {
		assert.True(t, math.IsNaN(v), "%d: %v", i, v)
	}
	dst := make([]float64, 2)
	coverage.BestOfN(dst, p, []float64{1, nan}, 3)
	assert.True(t, math.IsNaN(dst[0]) && math.IsNaN(dst[1]))
}

func TestExactPanics(t *testing.T) {
	two, three := make([]float64, 2), make([]float64, 3)
	for i, f := range []func(){
		func() { coverage.MaxLogRatio(two, three) }, func() { coverage.ChiSquare(two, three) },
		func() { coverage.Renyi(2, two, three) }, func() { coverage.Profile(two, three, 0) },
		func() { coverage.Joint(two, nil) }, func() { coverage.BallPolicy(two, three, 1) },
		func() { coverage.LogBallAverage(two, nil, 1) }, func() { coverage.BallAverageEps(two, nil, 1) },
		func() { coverage.BestOfN(two, three, three, 1) }, func() { coverage.BestOfN(two, two, three, 1) },
	} {
		assert.PanicsWithValue(t, "coverage: slices of different lengths", f, i)
	}
	assert.PanicsWithValue(t, "coverage: n < 1", func() { coverage.BestOfN(two, two, two, 0) })
	assert.PanicsWithValue(t, "coverage: n < 1", func() { coverage.BestOfNBounds(0) })
}

func TestBallEdges(t *testing.T) {
	assert.Equal(t, 0.0, coverage.LogBall(-1, 0))
	assert.Equal(t, 0.0, coverage.LogBall(0, 5))
	assert.Equal(t, 0.0, coverage.LogBall(-inf, 5))
	assert.Equal(t, 1.0, coverage.LogBall(-1, inf))
	assert.Equal(t, 1.0, coverage.LogBall(-1, 1))
	assert.Less(t, coverage.LogBall(-1, 0.999), 1.0)
	assert.Equal(t, 0.0, coverage.BallEps(-1, 0))
	assert.Equal(t, 1.0, coverage.BallEps(-1, 1))
	assert.Equal(t, inf, coverage.BallEps(-1, 1.1))
	assert.Equal(t, inf, coverage.BallEps(-inf, 1))
	// A response that the reference cannot give does not enter.
	assert.Equal(t, coverage.LogBall(ln(0.3), 0.1), coverage.LogBallPrompt([]float64{ln(0.7), -inf, ln(0.3)}, 0.1))
	one := []float64{0, -inf}
	assert.Zero(t, coverage.BallPolicy(one, one, 3))
	assert.Equal(t, []float64{0, -inf}, one)
}

func FuzzBallInsideBracket(f *testing.F) {
	f.Add(-1e-12, 1e-13)
	f.Add(-690.0, 1e-300)
	f.Add(-1e5, 99999.0)
	f.Add(-0.7, 0.69)
	f.Fuzz(func(t *testing.T, logq, eps float64) {
		if !(logq < -1e-290 && logq > -1e15) || !(eps > 1e-290 && eps < 1e15) {
			return
		}
		c := coverage.LogBall(logq, eps)
		lo, hi := coverage.LogBallBracket(logq, eps)
		require.True(t, lo*(1-1e-13) <= c && c <= hi*(1+1e-13), "%v ≤ %v ≤ %v", lo, c, hi)
		require.LessOrEqual(t, c, coverage.LogBall(logq, eps*1.001)*(1+1e-14))
	})
}
