package coverage_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
)

var inf = math.Inf(1)

func TestKLByHand(t *testing.T) {
	ln := math.Log
	for _, c := range []struct {
		name string
		p, q []float64
		want float64
	}{
		// ½·log(½/¼) + ½·log(½/¾) = ½·(log 2 + log ⅔) = ½·log 4/3
		{"two responses", []float64{ln(0.5), ln(0.5)}, []float64{ln(0.25), ln(0.75)}, 0.5 * ln(4./3)},
		{"certain against uniform", []float64{0, -inf, -inf, -inf}, []float64{ln(0.25), ln(0.25), ln(0.25), ln(0.25)}, ln(4)},
		{"uniform against certain", []float64{ln(0.5), ln(0.5)}, []float64{0, -inf}, inf},
		{"equal", []float64{ln(0.3), ln(0.7)}, []float64{ln(0.3), ln(0.7)}, 0},
		{"0 against 0", []float64{0, -inf}, []float64{0, -inf}, 0},
		{"nothing", nil, nil, 0},
		// p·ℓ − p + q of unnormalised weights 2 and 1: 2·log 2 − 2 + 1
		{"unnormalised", []float64{ln(2)}, []float64{0}, 2*ln(2) - 1},
	} {
		got := coverage.KL(c.p, c.q)
		if math.IsInf(c.want, 1) {
			assert.Equal(t, c.want, got, c.name)
		} else {
			assert.InDelta(t, c.want, got, 4e-16, c.name)
		}
	}
}

func TestKLGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/kl.json")
	require.NoError(t, err)
	var cases []struct {
		Note        string
		LogP, LogQ  []jsonnum.Float
		Generalised jsonnum.Float
		Entropy     *jsonnum.Float
	}
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	plain := func(v []jsonnum.Float) []float64 {
		out := make([]float64, len(v))
		for i, x := range v {
			out[i] = float64(x)
		}
		return out
	}
	for _, c := range cases {
		t.Run(c.Note, func(t *testing.T) {
			got, want := coverage.KL(plain(c.LogP), plain(c.LogQ)), float64(c.Generalised)
			if math.IsInf(want, 1) || want == 0 {
				assert.Equal(t, want, got)
			} else {
				assert.InEpsilon(t, want, got, 2e-15)
			}
			if c.Entropy != nil {
				assert.InEpsilon(t, float64(*c.Entropy), got, 1e-12)
			}
		})
	}
}

func TestKLNaN(t *testing.T) {
	nan := math.NaN()
	for _, c := range [][2][]float64{
		{{nan, 0}, {0, 0}}, {{0, 0}, {0, nan}}, {{-inf}, {nan}}, {{nan, 0}, {0, -inf}}, {{0, nan}, {-inf, 0}},
	} {
		assert.True(t, math.IsNaN(coverage.KL(c[0], c[1])), "%v", c)
	}
}

func TestKLPanics(t *testing.T) {
	assert.PanicsWithValue(t, "coverage: slices of different lengths", func() { coverage.KL(make([]float64, 2), make([]float64, 3)) })
}

func FuzzKLIsNotNegative(f *testing.F) {
	f.Add(-1.0, -1.0000001, -2.0, -3.0)
	f.Add(-744.0, -745.0, -745.1, -743.0)
	f.Add(-inf, 0.0, 0.0, -1e308)
	f.Fuzz(func(t *testing.T, p1, q1, p2, q2 float64) {
		for _, v := range []float64{p1, q1, p2, q2} {
			if !(v <= 0) {
				return
			}
		}
		kl := coverage.KL([]float64{p1, p2}, []float64{q1, q2})
		require.GreaterOrEqual(t, kl, 0.0)
	})
}
