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
}{
	{"logistic", loss.Logistic{}},
	{"smoothed", loss.Smoothed{Epsilon: 0.1}},
	{"squared", loss.Squared{Target: 1.5}},
}

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
			want := gradient(value, []float64{z}, 1e-3)[0]
			assert.InDelta(t, want, slope[0], 1e-6*(1+math.Abs(want)), "%s at %v", l.name, z)
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

// All links here are convex: slopes grow with the margin.
func TestLinkConvex(t *testing.T) {
	var z []float64
	for x := -60.0; x <= 60; x += 0.25 {
		z = append(z, x)
	}
	for _, l := range links {
		value, slope := link(l.Link, z...)
		for i := 1; i < len(z); i++ {
			require.GreaterOrEqual(t, slope[i], slope[i-1], "%s at %v", l.name, z[i])
			// Above its tangent, up to rounding.
			require.GreaterOrEqual(t, value[i], value[i-1]+slope[i-1]*0.25-1e-14*value[i-1], "%s at %v", l.name, z[i])
		}
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
