package policy_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
)

// weights is a distribution by its probabilities, the same for every prompt.
type weights []float64

func (w weights) Responses(int) int { return len(w) }

func (w weights) Distribution(dst []float64, _ int) error {
	for i, v := range w {
		dst[i] = math.Log(v)
	}
	return nil
}

func probabilities(t *testing.T, p *policy.Finite[int]) []float64 {
	t.Helper()
	d := make([]float64, p.Responses(0))
	require.NoError(t, p.Distribution(d, 0))
	for i, l := range d {
		require.False(t, math.IsNaN(l))
		d[i] = math.Exp(l)
	}
	return d
}

func TestMixturesByHand(t *testing.T) {
	p, q := weights{0.2, 0.8, 0, 0}, weights{0.45, 0.05, 0.5, 0}
	for _, c := range []struct {
		name             string
		a                float64
		geometric, arith []float64
	}{
		{"the ends are the parts, zeros included", 0, p, p},
		{"the ends are the parts, zeros included", 1, q, q},
		{"half", 0.5, []float64{0.3 / 0.5, 0.2 / 0.5, 0, 0}, []float64{0.325, 0.425, 0.25, 0}},
		{"quarter", 0.25, []float64{
			math.Pow(0.2, 0.75) * math.Pow(0.45, 0.25) / (math.Pow(0.2, 0.75)*math.Pow(0.45, 0.25) + math.Pow(0.8, 0.75)*math.Pow(0.05, 0.25)),
			math.Pow(0.8, 0.75) * math.Pow(0.05, 0.25) / (math.Pow(0.2, 0.75)*math.Pow(0.45, 0.25) + math.Pow(0.8, 0.75)*math.Pow(0.05, 0.25)),
			0, 0,
		}, []float64{0.2625, 0.6125, 0.125, 0}},
	} {
		g, err := policy.GeometricMixture[int](p, q, c.a)
		require.NoError(t, err)
		assert.InDeltaSlice(t, c.geometric, probabilities(t, g), 1e-15, "%s: %v", c.name, c.a)
		m, err := policy.ArithmeticMixture[int](p, q, c.a)
		require.NoError(t, err)
		assert.InDeltaSlice(t, c.arith, probabilities(t, m), 1e-15, "%s: %v", c.name, c.a)
	}
}

// Along π_ref·e^{r/β}, the geometric mixture is the optimum at another β.
func TestGeometricMixtureIsAnotherBeta(t *testing.T) {
	reward, ref := []float64{1, -2, 0.5}, []float64{0.1, 0.6, 0.3}
	tilt := func(beta float64) weights {
		w, sum := make(weights, 3), 0.0
		for y := range w {
			w[y] = ref[y] * math.Exp(reward[y]/beta)
			sum += w[y]
		}
		for y := range w {
			w[y] /= sum
		}
		return w
	}
	const beta, a = 0.3, 0.4
	m, err := policy.GeometricMixture[int](tilt(beta), weights(ref), a)
	require.NoError(t, err)
	assert.InDeltaSlice(t, tilt(beta/(1-a)), probabilities(t, m), 1e-14)
}

func TestMixtureErrors(t *testing.T) {
	p := weights{0.5, 0.5}
	for _, a := range []float64{-1e-9, 1.0000001, math.NaN(), inf} {
		_, err := policy.GeometricMixture[int](p, p, a)
		assert.ErrorContains(t, err, "mixture weight a is")
		_, err = policy.ArithmeticMixture[int](p, p, a)
		assert.ErrorContains(t, err, "mixture weight a is")
	}
	disjoint, err := policy.GeometricMixture[int](weights{1, 0}, weights{0, 1}, 0.5)
	require.NoError(t, err)
	assert.ErrorIs(t, disjoint.Distribution(make([]float64, 2), 0), policy.ErrPrompt)
	unequal, err := policy.GeometricMixture[int](p, weights{1}, 0.5)
	require.NoError(t, err)
	assert.ErrorContains(t, unequal.Distribution(make([]float64, 2), 0), "mixture of 2 and 1 responses")
}

func TestMixtureFollowsItsParts(t *testing.T) {
	p := policy.NewTabular(1, 2, nil)
	m, err := policy.GeometricMixture[int](p, weights{0.5, 0.5}, 0.5)
	require.NoError(t, err)
	p.Params()[0] = math.Log(9)
	assert.InDeltaSlice(t, []float64{0.75, 0.25}, probabilities(t, m), 1e-15) // odds √9
}
