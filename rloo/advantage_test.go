package rloo_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/rloo"
)

// advantages are all estimators for a batch of n samples in m groups. Weights and
// baselines are the same for all, so that a permutation of samples changes nothing else.
func advantages(n, m int) map[string]rloo.Advantage {
	weight, base := make([]float64, n), make([]float64, m)
	floats.AddConst(2, weight)
	return map[string]rloo.Advantage{
		"RLOO":                  rloo.RLOO{},
		"GroupMean":             rloo.GroupMean{},
		"Standardised":          rloo.Standardised{},
		"Standardised, ε":       rloo.Standardised{Std: rloo.Std{Epsilon: 1e-4, Population: true}},
		"RLOOStandardised":      rloo.RLOOStandardised{Std: rloo.Std{Epsilon: 0.01}},
		"Whitened":              rloo.Whitened{},
		"Whitened by root":      rloo.Whitened{Std: rloo.Std{Epsilon: 1e-8, Inside: true}},
		"Whitened of GroupMean": rloo.Whitened{Of: rloo.GroupMean{}},
		"ReMax":                 rloo.ReMax{Baseline: base},
		"OptimalBaseline":       rloo.OptimalBaseline{Weight: weight},
		"OPO":                   rloo.OPO{Length: weight},
		"GPG":                   rloo.GPG{},
		"PassAtK":               rloo.PassAtK{},
		"PassAtK of 2":          rloo.PassAtK{K: 2},
		"ControlVariate":        rloo.ControlVariate{Value: base},
		"GDPO":                  gdpo{},
	}
}

// gdpo is GDPO with one reward, taken once and once with weight 2.
type gdpo struct{}

func (gdpo) Eval(dst, reward []float64, g rloo.Groups) (rloo.Signal, error) {
	r := append([]float64(nil), reward...)
	return rloo.GDPO{Weight: []float64{1, 2}}.Eval(dst, [][]float64{r, r}, g)
}

func eval(t *testing.T, a rloo.Advantage, reward []float64, g rloo.Groups) []float64 {
	t.Helper()
	dst := make([]float64, len(reward))
	_, err := a.Eval(dst, reward, g)
	require.NoError(t, err)
	return dst
}

func TestAdvantagesByHand(t *testing.T) {
	three := rloo.Groups{K: 3}
	two := rloo.Groups{Begin: []int{0, 2, 5}}
	root := math.Sqrt
	for _, c := range []struct {
		name   string
		a      rloo.Advantage
		g      rloo.Groups
		reward []float64
		want   []float64
	}{
		{"RLOO", rloo.RLOO{}, three, []float64{1, 2, 6}, []float64{-3, -1.5, 4.5}},
		{"RLOO, ragged", rloo.RLOO{}, two, []float64{5, 2, 1, 2, 6}, []float64{3, -3, -3, -1.5, 4.5}},
		{"group mean", rloo.GroupMean{}, two, []float64{5, 2, 1, 2, 6}, []float64{1.5, -1.5, -2, -1, 3}},
		// deviations −2, −1, 3: squares add up to 14
		{"k−1", rloo.Standardised{}, three, []float64{1, 2, 6}, []float64{-2 / root(7), -1 / root(7), 3 / root(7)}},
		{"k", rloo.Standardised{Std: rloo.Std{Population: true}}, three, []float64{1, 2, 6}, []float64{-2 / root(14./3), -1 / root(14./3), 3 / root(14./3)}},
		{"ε outside", rloo.Standardised{Std: rloo.Std{Epsilon: 1}}, three, []float64{1, 2, 6}, []float64{-2 / (root(7) + 1), -1 / (root(7) + 1), 3 / (root(7) + 1)}},
		{"ε inside", rloo.Standardised{Std: rloo.Std{Epsilon: 2, Inside: true}}, three, []float64{1, 2, 6}, []float64{-2. / 3, -1. / 3, 1}},
		// others of 1: 2, 6 with spread √8; of 2: 1, 6 with √12.5; of 6: 1, 2 with √½
		{"spread of others", rloo.RLOOStandardised{Std: rloo.Std{Epsilon: 1}}, three, []float64{1, 2, 6}, []float64{-3 / (root(8) + 1), -1.5 / (root(12.5) + 1), 4.5 / (root(0.5) + 1)}},
		{"others agree", rloo.RLOOStandardised{Std: rloo.Std{Epsilon: 0.25}}, three, []float64{0, 0, 1}, []float64{-0.5 / (root(0.5) + 0.25), -0.5 / (root(0.5) + 0.25), 4}},
		// mean 3.2; group means 3.5 and 3: deviations 1.5, −1.5, −2, −1, 3 with squares 18.5
		{"batch", rloo.Whitened{Std: rloo.Std{Population: true}}, two, []float64{5, 2, 1, 2, 6}, []float64{1.8 / root(3.76), -1.2 / root(3.76), -2.2 / root(3.76), -1.2 / root(3.76), 2.8 / root(3.76)}},
		{"batch of group means", rloo.Whitened{Of: rloo.GroupMean{}, Std: rloo.Std{Population: true}}, two, []float64{5, 2, 1, 2, 6}, []float64{1.5 / root(3.7), -1.5 / root(3.7), -2 / root(3.7), -1 / root(3.7), 3 / root(3.7)}},
		{"greedy", rloo.ReMax{Baseline: []float64{1, -1}}, two, []float64{5, 2, 1, 2, 6}, []float64{4, 1, 2, 3, 7}},
		// others of 1: (2·1 + 6·3)/4 = 5; of 2: (1·4 + 6·3)/7; of 6: (1·4 + 2·1)/5
		{"optimal", rloo.OptimalBaseline{Weight: []float64{4, 1, 3}}, three, []float64{1, 2, 6}, []float64{-4, 2 - 22./7, 6 - 1.2}},
		{"optimal, small weights", rloo.OptimalBaseline{Weight: []float64{0.04, 0.01, 0.03}}, three, []float64{1, 2, 6}, []float64{-4, 2 - 22./7, 6 - 1.2}},
		{"no weights", rloo.OptimalBaseline{Weight: []float64{0, 0, 0}}, three, []float64{1, 2, 6}, []float64{-3, -1.5, 4.5}},
		{"one weight", rloo.OptimalBaseline{Weight: []float64{0, 0, 7}}, three, []float64{1, 2, 6}, []float64{-5, -4, 4.5}},
		{"lengths", rloo.OPO{Length: []float64{4, 1, 3}}, three, []float64{1, 2, 6}, []float64{-2, -1, 3}},
		// one of two groups has a signal
		{"GPG", rloo.GPG{}, three, []float64{1, 2, 6, 4, 4, 4}, []float64{-4, -2, 6, 0, 0, 0}},
		{"GPG, ragged", rloo.GPG{}, two, []float64{1, 1, 1, 2, 6}, []float64{0, 0, -10. / 3, -5. / 3, 5}},
		{"likelihood", rloo.MaxRL{}, rloo.Groups{Begin: []int{0, 4, 6, 7, 10}}, []float64{1, 0, 0, 0, 0, 0, 1, 1, 0, 1}, []float64{3, -1, -1, -1, 0, 0, 0, 0.5, -1, 0.5}},
		{"best of 3", rloo.PassAtK{}, three, []float64{2, 6, 1}, []float64{0, 12, 0}},
		{"tie for the best", rloo.PassAtK{}, three, []float64{6, 6, 1}, []float64{0, 0, 0}},
		// pairs 1–2, 1–6, 2–6: the better of each by its lead
		{"best of 2 of 3", rloo.PassAtK{K: 2}, three, []float64{1, 2, 6}, []float64{0, 1, 9}},
		// V = 0, 1, 2: the lines through the other two are 3 + 0·…, etc.
		{"line", rloo.ControlVariate{Value: []float64{0, 1, 2}}, rloo.Groups{K: 1}, []float64{5, 3, 3}, []float64{2, -1, 2}},
		{"no line", rloo.ControlVariate{Value: []float64{0, 1, 1}}, rloo.Groups{K: 1}, []float64{5, 3, 1}, []float64{3, 2, -2}},
		{"values of two", rloo.ControlVariate{Value: []float64{0, 1}}, rloo.Groups{K: 1}, []float64{5, 3}, []float64{2, -2}},
	} {
		assert.InDeltaSlice(t, c.want, eval(t, c.a, c.reward, c.g), 1e-14, c.name)
	}
	dst := make([]float64, 3)
	_, err := rloo.MaxRL{}.Eval(make([]float64, 3), []float64{1, 0, 1}, rloo.Groups{K: 3, Dependent: true})
	assert.ErrorIs(t, err, rloo.ErrDependent)
	s, err := rloo.GDPO{Weight: []float64{1, 3}}.Eval(dst, [][]float64{{1, 2, 6}, {0, 0, 0}}, three)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{-2 / root(7), -1 / root(7), 3 / root(7)}, dst, 1e-15)
	assert.Equal(t, rloo.Signal{Groups: 1}, s)
	_, err = rloo.GDPO{}.Eval(dst, [][]float64{{1, 2, 6}, {2, 4, 12}}, three) // without weights, twice the same
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{-4 / root(7), -2 / root(7), 6 / root(7)}, dst, 1e-15)
}

// The line through the others, fitted for each sample anew.
func TestControlVariateByFits(t *testing.T) {
	reward, value, _ := randomSamples(12)
	for _, c := range []struct {
		name  string
		begin []int
		value func(i int) float64
	}{
		{"single samples", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, func(i int) float64 { return value[i] }},
		{"groups", []int{0, 3, 3, 7, 12}, func(i int) float64 { return value[i] }},
		{"one apart", []int{0, 1, 4, 8, 12}, func(i int) float64 { return []float64{1e9, 1, 2, 3}[i] }},
		{"one almost apart", []int{0, 4, 8, 11, 12}, func(i int) float64 { return []float64{1, 1 + 1e-6, 1, 50}[i] }},
		{"two far apart", []int{0, 1, 11, 12}, func(i int) float64 { return []float64{-1, 0, 1}[i] }},
		{"huge", []int{0, 6, 9, 12}, func(i int) float64 { return []float64{-1.5e308, 0, 1.5e308}[i] }},
	} {
		g := rloo.Groups{Begin: c.begin}
		v, of := make([]float64, g.Len(12)), make([]float64, 12)
		for i := range v {
			v[i] = c.value(i)
			lo, hi := g.Group(i)
			floats.AddConst(v[i], of[lo:hi])
		}
		floats.Scale(1/floats.Norm(of, math.Inf(1)), of) // the line is the same
		want := make([]float64, 12)
		for i := range want {
			var r, x []float64
			for j := range 12 {
				if j != i {
					r, x = append(r, reward[j]), append(x, of[j])
				}
			}
			mr, mx, srx, sxx := floats.Sum(r)/11, 0.0, 0.0, 0.0
			for _, u := range x {
				mx += u / 11
			}
			for j := range r {
				srx += (r[j] - mr) * (x[j] - mx)
				sxx += (x[j] - mx) * (x[j] - mx)
			}
			want[i] = reward[i] - mr
			if floats.Max(x) > floats.Min(x) {
				want[i] -= srx / sxx * (of[i] - mx)
			}
		}
		got := eval(t, rloo.ControlVariate{Value: v}, reward, g)
		for i := range want {
			assert.InDelta(t, want[i], got[i], 1e-9*(1+math.Abs(want[i])), "%s: %d", c.name, i)
		}
	}
}

func TestSignal(t *testing.T) {
	reward := []float64{1, 1, 7, 2, 3, 0.1, 0.1, 0.1}
	g := rloo.Groups{Begin: []int{0, 2, 3, 3, 5, 8}}
	want := rloo.Signal{Groups: 5, Flat: 2, Single: 1, Empty: 1}
	for name, a := range advantages(8, 5) {
		if name == "RLOOStandardised" || name == "PassAtK of 2" {
			continue // they need groups of three and of two
		}
		s, err := a.Eval(make([]float64, 8), reward, g)
		require.NoError(t, err)
		assert.Equal(t, want, s, name)
	}
	assert.Equal(t, 0.8, want.Silent())
	assert.Zero(t, rloo.Signal{}.Silent())
	sum := rloo.Signal{Groups: 2, Flat: 1}
	sum.Add(want)
	assert.Equal(t, rloo.Signal{Groups: 7, Flat: 3, Single: 1, Empty: 1}, sum)
}

// Groups of one, of equal rewards and of nothing give zeros, not NaN, from all that compare
// the samples of a group.
func TestAdvantagesWithoutSignal(t *testing.T) {
	for name, a := range advantages(4, 2) {
		if name == "ReMax" {
			continue // its baseline is from elsewhere
		}
		for _, v := range []float64{0, 0.1, -1e300, 5e-324} {
			reward := []float64{v, v, v, v}
			assert.Equal(t, []float64{0, 0, 0, 0}, eval(t, a, reward, rloo.Groups{Begin: []int{0, 4, 4}}), "%s of %v", name, v)
		}
	}
	for name, a := range advantages(1, 1) {
		if name != "ReMax" && name != "RLOOStandardised" {
			assert.Equal(t, []float64{0}, eval(t, a, []float64{3}, rloo.Groups{K: 1}), name)
		}
	}
	for name, a := range advantages(0, 0) {
		for _, g := range []rloo.Groups{{}, {K: 4}, {Begin: []int{0}}} {
			s, err := a.Eval(nil, nil, g)
			assert.NoError(t, err, name)
			assert.Zero(t, s)
		}
	}
}

// Groups of one size are the same by K and by Begin; dst may be the rewards; a constant that
// adds exactly changes nothing but ReMax, and nor does the order of samples.
func TestAdvantageProperties(t *testing.T) {
	reward := make([]float64, 12)
	for i := range reward {
		reward[i] = float64(i*i*7%40) / 8
	}
	ragged := rloo.Groups{Begin: []int{0, 3, 6, 9, 12}}
	for name, a := range advantages(12, 4) {
		want := eval(t, a, reward, rloo.Groups{K: 3})
		assert.Equal(t, want, eval(t, a, reward, ragged), name)

		in := append([]float64(nil), reward...)
		_, err := a.Eval(in, in, ragged)
		require.NoError(t, err)
		assert.Equal(t, want, in, "%s, in place", name)

		if name != "ReMax" {
			floats.AddConst(1<<40, copyInto(in, reward))
			assert.Equal(t, want, eval(t, a, in, ragged), "%s, shifted", name)
		}
		reversed := copyInto(in, reward)
		slices.Reverse(reversed)
		got := eval(t, a, reversed, ragged)
		slices.Reverse(got)
		assert.InDeltaSlice(t, want, got, 1e-13, "%s, reversed", name)
	}
}

func copyInto(dst, src []float64) []float64 { copy(dst, src); return dst }

func TestAdvantageErrors(t *testing.T) {
	for name, a := range advantages(6, 2) {
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			reward := []float64{1, 2, 3, 4, bad, 6}
			_, err := a.Eval(make([]float64, 6), reward, rloo.Groups{K: 3})
			field := "reward"
			if name == "GDPO" {
				field = "rewards[0]"
			}
			assert.EqualError(t, err, fmt.Sprintf("rloo: %s[4] = %v, must be finite", field, bad), name)
		}
		if name != "ReMax" {
			_, err := a.Eval(make([]float64, 6), []float64{1e308, -1e308, 0, 0, 0, 0}, rloo.Groups{K: 3})
			assert.ErrorContains(t, err, "overflows", name)
			_, err = a.Eval(make([]float64, 6), make([]float64, 6), rloo.Groups{K: 3, Dependent: true})
			assert.ErrorIs(t, err, rloo.ErrDependent, name)
		}
	}
	four := rloo.Groups{K: 2}
	std := func(e float64) rloo.Std { return rloo.Std{Epsilon: e} }
	for text, a := range map[string]rloo.Advantage{
		"rloo: Std.Epsilon = -1, must be finite and not negative":                 rloo.Standardised{Std: std(-1)},
		"rloo: Std.Epsilon = NaN, must be finite and not negative":                rloo.Whitened{Std: std(math.NaN())},
		"rloo: Std.Epsilon = +Inf, must be finite and not negative":               rloo.RLOOStandardised{Std: std(math.Inf(1))},
		"rloo: RLOOStandardised.Epsilon = 0, must be positive":                    rloo.RLOOStandardised{},
		"rloo: group 0 has 2 samples, RLOOStandardised needs 3":                   rloo.RLOOStandardised{Std: std(1)},
		"rloo: group 0 has 2 samples, PassAtK.K is 3":                             rloo.PassAtK{K: 3},
		"rloo: reward[1] = 2, must be 0 or 1":                                     rloo.MaxRL{},
		"rloo: PassAtK.K = -1, must not be negative":                              rloo.PassAtK{K: -1},
		"rloo: ReMax.Baseline[1] = NaN, must be finite":                           rloo.ReMax{Baseline: []float64{1, math.NaN()}},
		"rloo: reward[2] − ReMax.Baseline[1] overflows":                           rloo.ReMax{Baseline: []float64{0, -1.7e308}},
		"rloo: OptimalBaseline.Weight[2] = -1, must be finite and not negative":   rloo.OptimalBaseline{Weight: []float64{1, 1, -1, 1}},
		"rloo: OptimalBaseline.Weight[3] = +Inf, must be finite and not negative": rloo.OptimalBaseline{Weight: []float64{1, 1, 1, math.Inf(1)}},
		"rloo: OPO.Length[0] = NaN, must be finite and not negative":              rloo.OPO{Length: []float64{math.NaN(), 1, 1, 1}},
		"rloo: OPO.Length of group 1 are all 0":                                   rloo.OPO{Length: []float64{0, 1, 0, 0}},
		"rloo: OPO.Length times rewards of group 1: the sum overflows":            rloo.OPO{Length: []float64{1, 1, 1e308, 1e308}},
	} {
		_, err := a.Eval(make([]float64, 4), []float64{1, 2, 1e308, 1e308}, four)
		assert.EqualError(t, err, text)
	}
	// Each group alone is within bounds, the batch is not.
	for _, a := range []rloo.Advantage{rloo.Whitened{}, rloo.GPG{}, rloo.ControlVariate{Value: make([]float64, 2)}} {
		_, err := a.Eval(make([]float64, 4), []float64{1e308, 1e308, -1e308, -1e308}, four)
		assert.EqualError(t, err, "rloo: reward from -1e+308 to 1e+308: the sum of differences overflows")
	}
	_, err := rloo.ControlVariate{Value: []float64{1, math.Inf(1)}}.Eval(make([]float64, 4), make([]float64, 4), four)
	assert.EqualError(t, err, "rloo: ControlVariate.Value[1] = +Inf, must be finite")
	two := [][]float64{{1, 2}, {1, math.Inf(1)}}
	_, err = rloo.GDPO{}.Eval(make([]float64, 2), two, four)
	assert.EqualError(t, err, "rloo: rewards[1][1] = +Inf, must be finite")
	_, err = rloo.GDPO{Weight: []float64{1, math.NaN()}}.Eval(make([]float64, 2), two, four)
	assert.EqualError(t, err, "rloo: GDPO.Weight[1] = NaN, must be finite")
	_, err = rloo.GDPO{Weight: []float64{1e308, 1e308}}.Eval(make([]float64, 3), [][]float64{{0, 0, 1}, {0, 0, 1}}, rloo.Groups{K: 3})
	assert.EqualError(t, err, "rloo: the advantage of sample 2 overflows: GDPO.Weight = [1e+308 1e+308]")
	_, err = rloo.RLOOStandardised{Std: std(0.01)}.Eval(make([]float64, 3), []float64{0, 0, 1e307}, rloo.Groups{K: 3})
	assert.EqualError(t, err, "rloo: reward[2] = 1e+307 overflows over a spread of 0.01")
	_, err = rloo.GDPO{Std: std(-1)}.Eval(make([]float64, 2), two, four)
	assert.EqualError(t, err, "rloo: Std.Epsilon = -1, must be finite and not negative")
	_, err = rloo.Whitened{Of: rloo.PassAtK{K: 9}}.Eval(make([]float64, 2), two[0], four)
	assert.EqualError(t, err, "rloo: group 0 has 2 samples, PassAtK.K is 9")
	_, err = rloo.ReMax{Baseline: []float64{0}}.Eval(make([]float64, 2), two[0], rloo.Groups{K: 2, Dependent: true})
	assert.NoError(t, err)
}

func TestAdvantagePanics(t *testing.T) {
	six := make([]float64, 6)
	for name, a := range advantages(6, 2) {
		assert.Panics(t, func() { a.Eval(six[:3], six, rloo.Groups{K: 3}) }, name)
		for text, g := range map[string]rloo.Groups{
			"rloo: Groups.K does not divide the number of samples": {K: 4},
			"rloo: Groups.K < 0":                           {K: -1},
			"rloo: Groups.Begin does not span the samples": {Begin: []int{0, 3, 5}},
			"rloo: Groups.Begin decreases":                 {Begin: []int{0, 5, 3, 6}},
		} {
			assert.PanicsWithValue(t, text, func() { a.Eval(six, six, g) }, name)
		}
		for _, g := range []rloo.Groups{{}, {Begin: []int{1, 6}}, {Begin: []int{}}} {
			assert.PanicsWithValue(t, "rloo: Groups.Begin does not span the samples", func() { a.Eval(six, six, g) }, name)
		}
	}
	three := rloo.Groups{K: 3}
	for text, f := range map[string]func(){
		"rloo: not one ReMax.Baseline for each group":       func() { rloo.ReMax{}.Eval(six, six, three) },
		"rloo: not one ControlVariate.Value for each group": func() { rloo.ControlVariate{Value: six}.Eval(six, six, three) },
		"rloo: not one weight for each sample":              func() { rloo.OptimalBaseline{}.Eval(six, six, three) },
		"rloo: GDPO without rewards":                        func() { rloo.GDPO{}.Eval(six, nil, three) },
		"rloo: not one GDPO.Weight for each reward":         func() { rloo.GDPO{Weight: six}.Eval(six, [][]float64{six}, three) },
	} {
		assert.PanicsWithValue(t, text, f)
	}
	assert.Panics(t, func() { rloo.OPO{Length: six[:2]}.Eval(six, six, three) })
}

func TestAdvantagesAllocateNothing(t *testing.T) {
	reward, value, _ := randomSamples(64)
	dst, g := make([]float64, 64), rloo.Groups{K: 4}
	both := [][]float64{reward, value}
	all := advantages(64, 16)
	delete(all, "GDPO")
	for name, a := range all {
		allocatesNothing(t, func() {
			if _, err := a.Eval(dst, reward, g); err != nil {
				t.Error(err)
			}
		}, name)
	}
	allocatesNothing(t, func() {
		if _, err := (rloo.GDPO{}).Eval(dst, both, g); err != nil {
			t.Error(err)
		}
	})
}
