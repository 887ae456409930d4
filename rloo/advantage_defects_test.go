package rloo_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/rloo"
)

// Defects seen in other libraries, each as what happens here instead.

// A KL that is taken off after the baseline is not centred: a constant in the log-ratios then
// moves every advantage. In the reward it moves none.
func TestDefectKLAfterBaseline(t *testing.T) {
	reward, logp, ref := randomSamples(6)
	advantage := func(shift float64, before bool) []float64 {
		r := append([]float64(nil), reward...)
		var err error
		if before {
			for i := range r {
				r[i] -= 0.5 * (logp[i] - ref[i] + shift)
			}
		}
		_, err = rloo.RLOO{}.Eval(r, r, rloo.Groups{K: 3})
		require.NoError(t, err)
		if !before {
			for i := range r {
				r[i] -= 0.5 * (logp[i] - ref[i] + shift)
			}
		}
		return r
	}
	want := make([]float64, 6)
	require.NoError(t, rloo.Reward(want, reward, logp, ref, 0.5, 3))
	assert.InDeltaSlice(t, want, advantage(0, true), 1e-14)
	assert.InDeltaSlice(t, want, advantage(40, true), 1e-13)
	assert.InDelta(t, -120, floats.Sum(advantage(40, false))-floats.Sum(advantage(0, false)), 1e-12)
}

// Where the others agree, a leave-one-out advantage in units of their spread has no bound but
// ε: it has to be given, and the bound holds.
func TestDefectStandardisedLeaveOneOutBlowsUp(t *testing.T) {
	reward := []float64{0, 0, 0, 1}
	_, err := rloo.RLOOStandardised{}.Eval(make([]float64, 4), reward, rloo.Groups{K: 4})
	assert.EqualError(t, err, "rloo: RLOOStandardised.Epsilon = 0, must be positive")
	for _, e := range []float64{1e-8, 0.1} {
		a := eval(t, rloo.RLOOStandardised{Std: rloo.Std{Epsilon: e}}, reward, rloo.Groups{K: 4})
		assert.Equal(t, 1/e, a[3])
		a = eval(t, rloo.RLOOStandardised{Std: rloo.Std{Epsilon: e, Inside: true}}, reward, rloo.Groups{K: 4})
		assert.InEpsilon(t, 1/math.Sqrt(e), a[3], 1e-15)
	}
}

// A group of one has nothing to be compared with: no advantage, rather than the raw reward or
// 0/0, and it is counted.
func TestDefectGroupOfOne(t *testing.T) {
	g := rloo.Groups{Begin: []int{0, 1, 4}}
	for _, a := range []rloo.Advantage{
		rloo.RLOO{}, rloo.GroupMean{}, rloo.Standardised{}, rloo.GPG{}, rloo.PassAtK{},
		rloo.OptimalBaseline{Weight: []float64{1, 1, 2, 3}}, rloo.OPO{Length: []float64{1, 1, 2, 3}},
	} {
		dst := make([]float64, 4)
		s, err := a.Eval(dst, []float64{5, 1, 2, 6}, g)
		require.NoError(t, err)
		assert.Zero(t, dst[0], "%T", a)
		assert.NotZero(t, floats.Norm(dst[1:], 1))
		assert.Equal(t, rloo.Signal{Groups: 2, Single: 1}, s)
	}
}

// Groups without variance give zeros and are counted, with ε = 0 too.
func TestDefectZeroVarianceGroups(t *testing.T) {
	reward := []float64{0.1, 0.1, 0.1, 1, 2, 3, -7, -7, -7}
	for name, a := range advantages(9, 3) {
		if name == "ReMax" || name == "ControlVariate" || name == "Whitened" || name == "Whitened by root" {
			continue // they compare groups with each other
		}
		dst := make([]float64, 9)
		s, err := a.Eval(dst, reward, rloo.Groups{K: 3})
		require.NoError(t, err)
		assert.Equal(t, make([]float64, 3), dst[:3], name)
		assert.Equal(t, make([]float64, 3), dst[6:], name)
		assert.NotZero(t, floats.Norm(dst[3:6], 1), name)
		assert.Equal(t, rloo.Signal{Groups: 3, Flat: 2}, s, name)
	}
}

// A reward that is missing is not 0: a NaN that stands for it is refused, and where the
// sample is left out the rest of its ragged group is compared among itself.
func TestDefectMissingRewardIsNotZero(t *testing.T) {
	_, err := rloo.RLOO{}.Eval(make([]float64, 4), []float64{1, 2, math.NaN(), 6}, rloo.Groups{K: 4})
	assert.EqualError(t, err, "rloo: reward[2] = NaN, must be finite")
	assert.Equal(t, []float64{-3, -1.5, 4.5}, eval(t, rloo.RLOO{}, []float64{1, 2, 6}, rloo.Groups{Begin: []int{0, 3}}))
}

// An offset of 10⁸, in which E[x²] − E[x]² drowns, leaves statistics as they are.
func TestDefectGroupStatisticsCancel(t *testing.T) {
	reward := []float64{0, 0.25, 0.5, 1, 0.75, 0.125, 0.375, 1.5}
	for name, a := range advantages(8, 2) {
		if name == "ReMax" {
			continue
		}
		shifted := append([]float64(nil), reward...)
		floats.AddConst(1e8, shifted)
		assert.Equal(t, eval(t, a, reward, rloo.Groups{K: 4}), eval(t, a, shifted, rloo.Groups{K: 4}), name)
	}
}

// A constant group has a spread of exactly 0, of whatever its numbers are, so it is never
// divided by what rounding made of them.
func TestDefectConstantGroupByRounding(t *testing.T) {
	for _, v := range []float64{0.1, 1.0 / 3, 1e8 + 0.1, math.Pi, 1e300} {
		for _, k := range []int{2, 3, 7, 10, 64, 1000} {
			reward := make([]float64, k)
			floats.AddConst(v, reward)
			for _, a := range []rloo.Advantage{rloo.Standardised{}, rloo.Whitened{}, rloo.Whitened{Of: rloo.GroupMean{}}} {
				assert.Equal(t, make([]float64, k), eval(t, a, reward, rloo.Groups{K: k}))
			}
		}
	}
}

// Spreads whose squares overflow or vanish are spreads still.
func TestDefectSpreadOutOfRange(t *testing.T) {
	want := eval(t, rloo.Standardised{}, []float64{1, 2, 6}, rloo.Groups{K: 3})
	for _, scale := range []float64{0x1p-1000, 0x1p-500, 0x1p500, 0x1p1000} {
		got := eval(t, rloo.Standardised{}, []float64{scale, 2 * scale, 6 * scale}, rloo.Groups{K: 3})
		assert.InDeltaSlice(t, want, got, 1e-15)
	}
	least := math.SmallestNonzeroFloat64
	got := eval(t, rloo.Standardised{Std: rloo.Std{Population: true}}, []float64{0, least}, rloo.Groups{K: 2})
	assert.Less(t, got[0], got[1])
}

// What a masked span does to time is said, not left to the loop: skipped, or discounted
// through.
func TestDefectGAEMasks(t *testing.T) {
	tr := rloo.Trajectories{
		Layout: rloo.Layout{Begin: []int{0, 4}, Mask: []bool{true, false, false, true}},
		Reward: []float64{0, math.NaN(), math.Inf(1), 8}, Value: []float64{1, math.NaN(), math.NaN(), 2},
	}
	a := make([]float64, 4)
	dst := rloo.TokenAdvantages{Advantage: a}
	require.NoError(t, rloo.GAE{Gamma: 0.5, Lambda: 0.5}.Eval(dst, tr))
	// δ = 8 − 2 and ½·2 − 1; A₀ = 0 + ¼·6
	assert.Equal(t, []float64{1.5, 0, 0, 6}, a)
	require.NoError(t, rloo.GAE{Gamma: 0.5, Lambda: 0.5, Through: true}.Eval(dst, tr))
	// δ₀ = ⅛·2 − 1; A₀ = −¾ + 6/64
	assert.Equal(t, []float64{-0.75 + 6.0/64, 0, 0, 6}, a)
}

// Whitening a constant batch gives 0, and not ±rounding/ε; whitening one token, too.
func TestDefectWhiteningOfConstants(t *testing.T) {
	l := rloo.Layout{Begin: []int{0, 5, 8}, Prompt: []int{1, 0}, Mask: []bool{true, true, false, true, true, true, true, true}}
	nan := math.NaN()
	for _, std := range append(stds, rloo.Std{Epsilon: 1e-300}) {
		dst := make([]float64, 8)
		require.NoError(t, rloo.WhitenTokens(dst, []float64{nan, 0.1, nan, 0.1, 0.1, 0.1, 0.1, 0.1}, l, std))
		assert.Equal(t, make([]float64, 8), dst)
		one := rloo.Layout{Begin: []int{0, 2}, Prompt: []int{1}}
		require.NoError(t, rloo.WhitenTokens(dst[:2], []float64{nan, 7}, one, std))
		assert.Equal(t, make([]float64, 2), dst[:2])
	}
}
