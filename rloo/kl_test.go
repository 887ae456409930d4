package rloo_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/rloo"
)

// klGolden is what testdata/generate_kl.py writes.
type klGolden struct {
	Peers    map[string][]float64
	Exact    []struct{ L, K2, K3, Slope jsonnum.Float }
	Adaptive []struct {
		Init, Target, Rate float64
		KL, Verl, OpenRLHF []float64
	}
	JSD []struct {
		Beta, Temperature float64
		Vocab             int
		Student, Teacher  []float32
		Value, Gradient   []float64
	}
}

func readKL(t *testing.T) (g klGolden) {
	text, err := os.ReadFile("testdata/kl.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &g))
	return g
}

// nearly says that two numbers agree to n roundings; infinities and zeros must be equal.
func nearly(want, got, n float64) bool {
	return want == got || math.Abs(got-want) <= n*0x1p-53*math.Abs(want)+5e-324
}

// Defects 4 and 36: k3 keeps its digits near 0, is never negative, and is +Inf only where it
// exceeds every float64.
func TestKLValuesAgainstExactArithmetic(t *testing.T) {
	g := readKL(t)
	require.Greater(t, len(g.Exact), 30)
	infinite := 0
	for _, c := range g.Exact {
		l := float64(c.L)
		assert.Equal(t, l, rloo.K1.At(l))
		assert.True(t, nearly(float64(c.K2), rloo.K2.At(l), 2), "k2(%v) = %v, want %v", l, rloo.K2.At(l), c.K2)
		k3 := rloo.K3.At(l)
		// Beyond −700 a rounding of ℓ alone is |ℓ| roundings of e^{−ℓ}; ℓ is exact here.
		assert.True(t, nearly(float64(c.K3), k3, 8), "k3(%v) = %v, want %v", l, k3, c.K3)
		assert.GreaterOrEqual(t, k3, 0.0)

		dst := []float64{0}
		err := rloo.ForwardKLInLoss(dst, []float64{l}, []float64{0}, rloo.Layout{})
		value := rloo.K3.Values([]float64{0}, []float64{l}, []float64{0}, rloo.Layout{})
		if math.IsInf(k3, 1) {
			infinite++
			assert.ErrorContains(t, err, "rloo: forward KL[0] overflows at a log-ratio of -")
			assert.ErrorContains(t, value, "rloo: k3[0] overflows at a log-ratio of -")
			continue
		}
		require.NoError(t, err)
		require.NoError(t, value)
		assert.True(t, nearly(float64(c.Slope), dst[0], 4), "1 − e^{−%v} = %v, want %v", l, dst[0], c.Slope)
	}
	assert.Equal(t, 2, infinite, "at −709.79 and −10⁴")

	// The obvious formula fails this very check.
	naive := func(l float64) float64 { return math.Exp(-l) - 1 + l }
	assert.False(t, nearly(5e-17, naive(1e-8), 1e6))
	assert.True(t, nearly(5e-17, rloo.K3.At(1e-8), 1e8), "up to ℓ³/6")
}

// verl, TRL and OpenRLHF, executed: values, and the derivatives that autograd takes.
func TestKLAgainstPeers(t *testing.T) {
	p := readKL(t).Peers
	logp, ref, behaviour := p["logp"], p["ref"], p["behaviour"]
	dst := make([]float64, len(logp))
	check := func(want []float64, tolerance float64, err error) {
		t.Helper()
		require.NoError(t, err)
		require.Len(t, want, len(dst))
		assert.InDeltaSlice(t, want, dst, tolerance)
	}
	var l rloo.Layout
	check(p["k1"], 1e-14, rloo.K1.Values(dst, logp, ref, l))
	check(p["k2"], 1e-14, rloo.K2.Values(dst, logp, ref, l))
	check(p["k3"], 1e-14, rloo.K3.Values(dst, logp, ref, l))
	for _, v := range p["k1_loss"] {
		assert.Equal(t, 1.0, v, "k1 in the loss: the score itself, of mean 0")
	}
	check(p["k2_loss"], 1e-14, rloo.ReverseKLInLoss(dst, logp, ref, nil, l))
	check(p["k3_plus"], 1e-14, rloo.ReverseKLInLoss(dst, logp, ref, nil, l))
	check(p["k3_loss"], 1e-14, rloo.ForwardKLInLoss(dst, logp, ref, l))
	check(p["k3_ratio"], 1e-13, rloo.ReverseKLInLoss(dst, logp, ref, behaviour, l))
	check(p["openrlhf"], 2e-6, rloo.ReverseKLInLoss(dst, logp, ref, behaviour, l)) // float32 there
}

// Defects 12 and 31: a ratio that overflows is an error that says where, and nothing clamps.
func TestKLOverflow(t *testing.T) {
	dst, zero := make([]float64, 2), make([]float64, 2)
	big := []float64{0, -800}
	var l rloo.Layout
	assert.EqualError(t, rloo.ForwardKL(dst, big, zero, l), "rloo: forward KL[1] overflows at a log-ratio of -800")
	assert.EqualError(t, rloo.ForwardKLInLoss(dst, big, zero, l), "rloo: forward KL[1] overflows at a log-ratio of -800")
	assert.EqualError(t, rloo.ReverseKLInLoss(dst, zero, []float64{0, -1}, big, l), "rloo: ratio[1] overflows at a log-ratio of 800")
	require.NoError(t, rloo.ReverseKLInLoss(dst, zero, zero, big, l))
	assert.Equal(t, zero, dst, "0·∞ is 0: a log-ratio of 0 has no gradient at any ρ")
	require.NoError(t, rloo.ReverseKL(dst, big, zero, l, rloo.Groups{K: 2}))
	assert.Equal(t, []float64{800, -800}, dst, "reverse KLs have no ratio")
	huge := []float64{1.5e308, -1.5e308}
	assert.EqualError(t, rloo.ReverseKL(dst, huge, zero, l, rloo.Groups{K: 2}), "rloo: the weight at position 0 overflows")
	three := make([]float64, 3)
	assert.EqualError(t, rloo.SequenceSum(three, make([]float64, 3), []float64{1e308, 1e308, 1e308}, rloo.Layout{Begin: []int{0, 3}}, rloo.Groups{K: 1}), "rloo: the weight at position 0 overflows")

	// A ratio of the prefix that has recovered, and one that is lost for good.
	sequence := rloo.Layout{Begin: []int{0, 3}}
	dst = make([]float64, 3)
	require.NoError(t, rloo.ForwardKL(dst, []float64{900, -890, 0.5}, make([]float64, 3), sequence))
	assert.InDelta(t, 1, dst[0], 1e-15)
	assert.InEpsilon(t, -math.Exp(-10), dst[1], 1e-12)
	assert.InEpsilon(t, -math.Exp(-10)*math.Expm1(-0.5), dst[2], 1e-12)
	require.NoError(t, rloo.ForwardKL(dst, []float64{800, 5, -5}, make([]float64, 3), sequence))
	assert.Equal(t, []float64{1, 0, 0}, dst)
}

// What errors name, and what panics.
func TestKLErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	var l rloo.Layout
	g := rloo.Groups{K: 2}
	type call func(dst, logp, ref []float64, l rloo.Layout) error
	calls := map[string]call{
		"K1.Values":       rloo.K1.Values,
		"ReverseKL":       func(dst, logp, ref []float64, l rloo.Layout) error { return rloo.ReverseKL(dst, logp, ref, l, g) },
		"ForwardKL":       rloo.ForwardKL,
		"ForwardKLInLoss": rloo.ForwardKLInLoss,
		"ReverseKLInLoss": func(dst, logp, ref []float64, l rloo.Layout) error {
			return rloo.ReverseKLInLoss(dst, logp, ref, nil, l)
		},
		"Distill": rloo.Distill{}.Eval,
	}
	for name, f := range calls {
		t.Run(name, func(t *testing.T) {
			dst := make([]float64, 2)
			assert.EqualError(t, f(dst, []float64{0, nan}, []float64{0, 0}, l), "rloo: logp[1] = NaN, must be finite")
			assert.EqualError(t, f(dst, []float64{-inf, 0}, []float64{0, 0}, l), "rloo: logp[0] = -Inf, must be finite")
			assert.EqualError(t, f(dst, []float64{0, 0}, []float64{0, -inf}, l), "rloo: ref[1] = -Inf, must be finite")
			require.NoError(t, f(dst, []float64{0, nan}, []float64{0, nan}, rloo.Layout{Mask: []bool{true, false}}))
			assert.Zero(t, dst[1])
			require.NoError(t, f(nil, nil, nil, rloo.Layout{}))

			const lengths = "rloo: slices of different lengths"
			assert.PanicsWithValue(t, lengths, func() { _ = f(dst, dst[:1], dst, l) })
			assert.PanicsWithValue(t, lengths, func() { _ = f(dst, dst, dst[:1], l) })
			assert.PanicsWithValue(t, lengths, func() { _ = f(dst, dst, dst, rloo.Layout{Mask: []bool{true}}) })
			for _, bad := range []rloo.Layout{
				{Begin: []int{}}, {Begin: []int{0}}, {Begin: []int{1, 2}}, {Begin: []int{0, 1}}, {Prompt: []int{0}},
				{Begin: []int{0, 2}, Prompt: []int{3}}, {Begin: []int{0, 2}, Prompt: []int{-1}}, {Begin: []int{0, 2}, Prompt: []int{1, 1}},
				{Begin: []int{0, 3, 2}},
			} {
				assert.PanicsWithValue(t, "rloo: Layout does not fit its batch", func() { _ = f(dst, dst, dst, bad) }, "%+v", bad)
			}
		})
	}
	dst, zero := make([]float64, 2), make([]float64, 2)
	assert.ErrorIs(t, rloo.ReverseKL(dst, zero, zero, l, rloo.Groups{K: 2, Dependent: true}), rloo.ErrDependent)
	assert.ErrorIs(t, rloo.SequenceSum(dst, dst, zero, l, rloo.Groups{K: 2, Dependent: true}), rloo.ErrDependent)
	assert.EqualError(t, rloo.SequenceSum(dst, dst, []float64{0, inf}, l, g), "rloo: f[1] = +Inf, must be finite")
	assert.EqualError(t, rloo.Entropy(dst, []float64{0, -inf}, l, g), "rloo: logp[1] = -Inf, must be finite")
	assert.EqualError(t, rloo.ReverseKLInLoss(dst, zero, zero, []float64{-inf, 0}, l), "rloo: behaviour[0] = -Inf, must be finite")
	assert.Panics(t, func() { _ = rloo.ReverseKLInLoss(dst, zero, zero, zero[:1], l) })
	assert.Panics(t, func() { _ = rloo.SequenceSum(dst, dst[:1], zero, l, g) })
	assert.Panics(t, func() { _ = rloo.SequenceSum(dst, dst, zero[:1], l, g) })
	assert.Panics(t, func() { _ = rloo.Entropy(dst, zero[:1], l, g) })
	assert.Panics(t, func() { _ = rloo.ReverseKL(dst, zero, zero, l, rloo.Groups{K: 3}) })
	assert.PanicsWithValue(t, "rloo: KLValue is not K1, K2 or K3", func() { rloo.KLValue(0).At(1) })
	assert.Equal(t, "k1 k2 k3 KLValue(7)", rloo.K1.String()+" "+rloo.K2.String()+" "+rloo.K3.String()+" "+rloo.KLValue(7).String())
}

// With the zero Layout and groups of one size, ReverseKL is KL, to the bit; a layout of loss
// converts; dst may be an argument.
func TestReverseKLIsKL(t *testing.T) {
	_, logp, ref := randomSamples(24)
	want, got := make([]float64, 24), make([]float64, 24)
	for _, k := range []int{2, 3, 8} {
		require.NoError(t, rloo.KL(want, logp, ref, k))
		require.NoError(t, rloo.ReverseKL(got, logp, ref, rloo.Layout{}, rloo.Groups{K: k}))
		assert.Equal(t, want, got)
		begin := []int{}
		for i := 0; i <= 24; i += k {
			begin = append(begin, i)
		}
		copy(got, logp)
		require.NoError(t, rloo.ReverseKL(got, got, ref, rloo.Layout{}, rloo.Groups{Begin: begin}))
		assert.Equal(t, want, got)
	}
	require.NoError(t, rloo.ReverseKL(got, logp, ref, rloo.Layout{}, rloo.Groups{K: 1}))
	for i := range got {
		assert.Equal(t, logp[i]-ref[i], got[i], "a group of one has no baseline")
	}
	l := rloo.Layout(loss.Layout{Begin: []int{0, 3, 5}, Prompt: []int{1, 1}})
	require.NoError(t, rloo.ReverseKL(got[:5], []float64{9, 1, 2, 9, 4}, make([]float64, 5), l, rloo.Groups{K: 2}))
	assert.Equal(t, []float64{0, 3 - 4, 2 - 0, 0, 4 - 3}, got[:5])
}

// Defect 16: prompts, masked spans and what stands there change nothing.
func TestKLOfMaskedIsKLOfSubset(t *testing.T) {
	logp, ref := []float64{-1, -2, -0.5, -3, -1.5}, []float64{-1.25, -1, -1, -2, -2}
	plain := rloo.Layout{Begin: []int{0, 3, 5}}
	nan := math.NaN()
	longLogP, longRef := []float64{nan, -1, nan, nan, -2, -0.5, nan, nan, -3, -1.5}, []float64{nan, -1.25, nan, nan, -1, -1, nan, nan, -2, -2}
	long := rloo.Layout{Begin: []int{0, 7, 10}, Prompt: []int{1, 1},
		Mask: []bool{false, true, false, false, true, true, false, true, true, true}}
	for name, f := range map[string]func(dst, logp, ref []float64, l rloo.Layout) error{
		"K3": rloo.K3.Values, "ForwardKL": rloo.ForwardKL, "Distill": rloo.Distill{Discount: 0.9}.Eval,
		"ReverseKL": func(dst, logp, ref []float64, l rloo.Layout) error {
			return rloo.ReverseKL(dst, logp, ref, l, rloo.Groups{K: 2})
		},
		"SequenceSum": func(dst, logp, _ []float64, l rloo.Layout) error {
			return rloo.SequenceSum(dst, make([]float64, len(dst)), logp, l, rloo.Groups{K: 2})
		},
	} {
		want, got := make([]float64, 5), make([]float64, 10)
		require.NoError(t, f(want, logp, ref, plain))
		require.NoError(t, f(got, longLogP, longRef, long), name)
		w := want
		assert.Equal(t, []float64{0, w[0], 0, 0, w[1], w[2], 0, 0, w[3], w[4]}, got, name)
	}
}
