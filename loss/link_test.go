package loss_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

var links = []struct {
	name string
	loss.Link
	convex bool
	swap   func(z float64) float64 // L(z) − L(−z)
}{
	{"logistic", loss.Logistic{}, true, func(z float64) float64 { return -z }},
	{"smoothed", loss.Smoothed{Epsilon: 0.1}, true, func(z float64) float64 { return -0.8 * z }},
	{"squared", loss.Squared{Target: 1.5}, true, func(z float64) float64 { return -6 * z }},
	{"hinge", loss.Hinge{}, true, func(z float64) float64 {
		if math.Abs(z) > 1 {
			return math.Copysign(1+math.Abs(z), -z)
		}
		return -2 * z
	}},
	{"truncated quadratic", loss.SquaredHinge{}, true, func(z float64) float64 {
		if math.Abs(z) > 1 {
			return math.Copysign(1+math.Abs(z), -z) * (1 + math.Abs(z))
		}
		return -4 * z
	}},
	{"exponential", loss.Exponential{}, true, func(z float64) float64 { return -2 * math.Sinh(z) }},
	{"robust", loss.Robust{Epsilon: 0.2}, true, func(z float64) float64 { return -z / 0.6 }},
	{"robust without flips", loss.Robust{}, true, func(z float64) float64 { return -z }},
	{"DiscoPOP", loss.LogRatioModulated{Tau: 0.05}, false, nil},
	{"DiscoPOP, τ = 2", loss.LogRatioModulated{Tau: 2}, true, nil},
	{"reverse KL", loss.ReverseKL{Epsilon: 0.1}, false, func(z float64) float64 { return -math.Log(9) * math.Tanh(z/2) }},
}

// None is on a kink.
var margins = []float64{0, 1e-12, -1e-12, 0.5, -0.5, 3, -3, 36, -36, 700, -700, 1e4, -1e4}

func link(l loss.Link, z ...float64) (value, slope []float64) {
	value, slope = make([]float64, len(z)), make([]float64, len(z))
	l.Link(value, slope, z)
	return value, slope
}

func TestLinkSlopes(t *testing.T) {
	for _, l := range links {
		value := func(x []float64) float64 { v, _ := link(l.Link, x[0]); return v[0] }
		for _, z := range margins {
			_, slope := link(l.Link, z)
			if v := value([]float64{z - 1}); math.IsInf(v, 0) {
				continue // e^{10⁴}
			}
			want := gradient(value, []float64{z}, 1e-3)[0]
			assert.InDelta(t, want, slope[0], 1e-8*(1+math.Abs(want)), "%s at %v", l.name, z)
		}
	}
}

// A link may store its slopes over the margins.
func TestLinkInPlace(t *testing.T) {
	for _, l := range links {
		value, slope := link(l.Link, margins...)
		z, inPlace := append([]float64(nil), margins...), make([]float64, len(margins))
		l.Link.Link(inPlace, z, z)
		bits(t, value, inPlace, l.name)
		bits(t, slope, z, l.name)
	}
}

// Convex links have slopes that grow with the margin.
func TestLinkConvex(t *testing.T) {
	var z []float64
	for x := -60.0; x <= 60; x += 0.25 {
		z = append(z, x)
	}
	for _, l := range links {
		value, slope := link(l.Link, z...)
		falls := false
		for i := 1; i < len(z); i++ {
			if !l.convex {
				falls = falls || slope[i] < slope[i-1]
				continue
			}
			require.GreaterOrEqual(t, slope[i], slope[i-1], "%s at %v", l.name, z[i])
			// Above its tangent, up to rounding.
			require.GreaterOrEqual(t, value[i], value[i-1]+slope[i-1]*0.25-1e-14*math.Abs(value[i-1]), "%s at %v", l.name, z[i])
		}
		assert.NotEqual(t, l.convex, falls, l.name)
	}
}

func TestLinkSwap(t *testing.T) {
	for _, l := range links {
		if l.swap == nil {
			continue
		}
		for _, z := range []float64{0.1, 0.5, 0.9, 2, 5, 30} {
			value, _ := link(l.Link, z, -z)
			within(t, l.swap(z), value[0]-value[1], 1e-13, l.name, z)
		}
	}
}

// Curvatures are the derivatives of slopes.
func TestLinkCurvature(t *testing.T) {
	curved := 0
	for _, l := range links {
		c, ok := l.Link.(loss.CurvedLink)
		if !ok {
			continue
		}
		curved++
		for _, z := range []float64{0, 0.5, -0.5, 3, -3, 36, -36} {
			slope := func(x []float64) float64 { _, s := link(l.Link, x[0]); return s[0] }
			want := gradient(slope, []float64{z}, 1e-3)[0]
			got := []float64{z}
			c.Curvature(got, got)
			assert.InDelta(t, want, got[0], 1e-9*(1+math.Abs(want)), "%s at %v", l.name, z)
		}
	}
	assert.Equal(t, 6, curved)
	tails := []float64{300, -300, 1e4, -1e4, inf, -inf}
	c := make([]float64, len(tails))
	loss.Logistic{}.Curvature(c, tails)
	within(t, math.Exp(-300), c[0], 1e-13)
	assert.Equal(t, c[0], c[1])
	assert.Equal(t, []float64{0, 0, 0, 0}, c[2:])
}

// The values and slopes that links have at infinite margins, and where they kink.
func TestLinkLimits(t *testing.T) {
	logHalf := math.Log(2)
	for _, c := range []struct {
		name string
		loss.Link
		z, value, slope float64
	}{
		{"hinge", loss.Hinge{}, 1, 0, 0},
		{"hinge", loss.Hinge{}, math.Nextafter(1, 0), 0x1p-53, -1},
		{"hinge", loss.Hinge{}, inf, 0, 0},
		{"hinge", loss.Hinge{}, -inf, inf, -1},
		{"truncated quadratic", loss.SquaredHinge{}, 1, 0, 0},
		{"truncated quadratic", loss.SquaredHinge{}, inf, 0, 0},
		{"truncated quadratic", loss.SquaredHinge{}, -inf, inf, -inf},
		{"exponential", loss.Exponential{}, inf, 0, 0},
		{"exponential", loss.Exponential{}, -inf, inf, -inf},
		{"exponential", loss.Exponential{}, -1e4, inf, -inf},
		{"robust", loss.Robust{Epsilon: 0.25}, inf, -inf, -0.5},
		{"robust", loss.Robust{Epsilon: 0.25}, -inf, inf, -1.5},
		{"robust, ε = 0", loss.Robust{}, inf, 0, 0},
		{"DiscoPOP", loss.LogRatioModulated{Tau: 0.05}, inf, 0, 0},
		{"DiscoPOP", loss.LogRatioModulated{Tau: 0.05}, -inf, inf, -1},
		{"DiscoPOP", loss.LogRatioModulated{Tau: 0.05}, -1e4, 1e4, -1},
		{"DiscoPOP", loss.LogRatioModulated{Tau: 1e-320}, -1, 1 + math.Log1p(math.Exp(-1)), -1 / (1 + math.Exp(-1))},
		{"DiscoPOP, τ = 2", loss.LogRatioModulated{Tau: 2}, -1e4, inf, -inf}, // e^{5000}
		{"DiscoPOP, τ = 2", loss.LogRatioModulated{Tau: 2}, -inf, inf, -inf},
		{"reverse KL", loss.ReverseKL{Epsilon: 0.25}, inf, -math.Log(0.75), 0},
		{"reverse KL", loss.ReverseKL{Epsilon: 0.25}, -inf, 2 * logHalf, 0},
		{"sigmoid", loss.Sigmoid{}, inf, 0, 0},
		{"sigmoid", loss.Sigmoid{}, -inf, 1, 0},
	} {
		value, slope := link(c.Link, c.z)
		within(t, c.value, value[0], 1e-15, c.name, c.z)
		within(t, c.slope, slope[0], 1e-15, c.name, c.z)
	}
}

// The published form of DiscoPOP's m·e⁻ᶻ is 0·∞ at large negative margins.
func TestDiscoPOPIsFiniteWhereItsFactorsAreNot(t *testing.T) {
	for _, z := range []float64{-709, -750, -1e4, -1e5} {
		value, slope := link(loss.LogRatioModulated{Tau: 0.05}, z)
		within(t, -z, value[0], 1e-12)
		within(t, -1, slope[0], 1e-12)
	}
}

// Averaged over flips of the label the robust link is the logistic one.
func TestRobustIsUnbiased(t *testing.T) {
	for _, eps := range []float64{0, 0.1, 0.3, 0.49} {
		for _, z := range []float64{-30, -2, 0, 0.7, 5} {
			v, s := link(loss.Robust{Epsilon: eps}, z, -z)
			want, slope := link(loss.Logistic{}, z)
			scale := 1e-15 * (1 + math.Abs(z)) / (1 - 2*eps)
			assert.InDelta(t, want[0], (1-eps)*v[0]+eps*v[1], scale)
			assert.InDelta(t, slope[0], (1-eps)*s[0]-eps*s[1], scale)
		}
	}
}

func TestLinkParams(t *testing.T) {
	for _, c := range []struct {
		param string
		bad   []float64
		link  func(v float64) loss.Link
	}{
		{"Smoothed.Epsilon", []float64{-0.1, 0.5, inf}, func(v float64) loss.Link { return loss.Smoothed{Epsilon: v} }},
		{"Robust.Epsilon", []float64{-0.1, 0.5, inf}, func(v float64) loss.Link { return loss.Robust{Epsilon: v} }},
		{"ReverseKL.Epsilon", []float64{-0.1, 0, 0.5, inf}, func(v float64) loss.Link { return loss.ReverseKL{Epsilon: v} }},
		{"LogRatioModulated.Tau", []float64{-1, 0, inf}, func(v float64) loss.Link { return loss.LogRatioModulated{Tau: v} }},
	} {
		for _, v := range append(c.bad, math.NaN()) {
			paramError(t, c.link(v).Check(), c.param, v)
		}
		assert.NoError(t, c.link(0.25).Check())
	}
}

// A smoothed link without smoothing is the logistic link to the bit; with it, it is
// −log σ(z) + ε·z.
func TestSmoothed(t *testing.T) {
	extreme := append([]float64{inf, -inf}, margins...)
	v, s := link(loss.Logistic{}, extreme...)
	v0, s0 := link(loss.Smoothed{}, extreme...)
	bits(t, v, v0)
	bits(t, s, s0)
	ve, se := link(loss.Smoothed{Epsilon: 0.3}, extreme...)
	assert.Equal(t, []float64{inf, inf}, ve[:2])
	assert.Equal(t, []float64{0.3, -0.7}, se[:2])
	for i := 2; i < len(extreme); i++ {
		z := extreme[i]
		assert.InDelta(t, v[i]+0.3*z, ve[i], 1e-15*(1+math.Abs(z)), "at %v", z)
		assert.InDelta(t, s[i]+0.3, se[i], 1e-15, "at %v", z)
	}
}

// Both tails keep their relative accuracy: the slope at z is −σ(−z) = −1 + σ(z), never the
// difference of two numbers near 1.
func TestLogisticTails(t *testing.T) {
	for _, z := range []float64{20, 40, 300, 700} {
		value, slope := link(loss.Logistic{}, z, -z)
		e := math.Exp(-z)
		within(t, e, value[0], 2*e+1e-15) // log(1+e⁻ᶻ) = e⁻ᶻ·(1 − …)
		within(t, -e, slope[0], 2*e+1e-15)
		within(t, z+e, value[1], 1e-15)
		within(t, -1, slope[1], 2*e+1e-15)
	}
}
