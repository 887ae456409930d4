package rloo_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/rloo"
)

// tokenReward makes rewards for the tokens of a reply, and what they add up to.
func tokenReward(r reply) (each []float64, sum float64) {
	for t, id := range r.ids {
		each = append(each, 0.7*float64(id)-0.3*float64(r.contexts[t])+math.Sin(float64(t+id)))
	}
	return each, floats.Sum(each)
}

// The mean over all groups of replies is the gradient, for k replies of a prompt and with
// replies of different lengths among them.
func TestTheoryOptimalTokenBaseline(t *testing.T) {
	w := newWriter(3)
	want := gradient(w.logits, func(logits []float64) float64 {
		return w.expect(logits, func(_ int, r reply) float64 { _, sum := tokenReward(r); return sum })
	})
	logp := make([]float64, len(w.replies))
	for i, r := range w.replies {
		logp[i] = floats.Sum(r.logp(w.logits))
	}
	for _, k := range []int{1, 2, 3} {
		mean := make([]float64, len(want))
		softmax{logits: logp}.draws(k, func(ys []int, prob float64) {
			b := w.batch(ys)
			reward, weight := append([]float64(nil), b.logp...), append([]float64(nil), b.logp...)
			for i, y := range ys {
				each, _ := tokenReward(w.replies[y])
				for p := b.layout.Begin[i]; p < b.layout.Begin[i+1]; p++ {
					if c := b.contexts[p]; c >= 0 {
						reward[p], each = each[0], each[1:]
						weight[p] = 1 - 2*math.Exp(b.logp[p])
						for _, lp := range row(w.logits, c) {
							weight[p] += math.Exp(2 * lp)
						}
					}
				}
			}
			require.NoError(t, rloo.OptimalTokenBaseline{Weight: weight}.Eval(reward, reward, b.layout, rloo.Groups{K: k}))
			floats.AddScaled(mean, prob, b.pullback(t, reward))
		})
		assert.InDeltaSlice(t, want, mean, 1e-8, "k = %d", k)
	}
}

// Baselines from their definition, in ragged groups of replies with masked spans.
func TestOptimalTokenBaselineByDefinition(t *testing.T) {
	tr := trajectories(5, 9)
	g := rloo.Groups{Begin: []int{0, 4, 4, 5, 9}}
	l := tr.Layout
	weight := make([]float64, len(tr.Value))
	for p, v := range tr.Value {
		weight[p] = v * v
	}
	var at [9][]int // positions that count
	for i := range at {
		for p := l.Begin[i] + l.Prompt[i]; p < l.Begin[i+1]; p++ {
			if l.Mask[p] {
				at[i] = append(at[i], p)
			}
		}
	}
	togo := func(i, t int) (sum float64) {
		for _, p := range at[i][t:] {
			sum += tr.Reward[p]
		}
		return sum
	}
	want := make([]float64, len(weight))
	for group := range 4 {
		lo, hi := g.Group(group)
		for i := lo; i < hi; i++ {
			for s, p := range at[i] {
				var num, den float64
				for j := lo; j < hi; j++ {
					if j != i && len(at[j]) > s {
						w := 0.0
						for _, q := range at[j][:s+1] {
							w += weight[q]
						}
						num += w * togo(j, s)
						den += w
					}
				}
				if want[p] = togo(i, s); den > 0 {
					want[p] -= num / den
				}
			}
		}
	}
	got := make([]float64, len(want))
	require.NoError(t, rloo.OptimalTokenBaseline{Weight: weight}.Eval(got, tr.Reward, l, g))
	assert.InDeltaSlice(t, want, got, 1e-13)

	allocatesNothing(t, func() {
		if err := (rloo.OptimalTokenBaseline{Weight: weight}).Eval(got, tr.Reward, l, g); err != nil {
			t.Error(err)
		}
	})
}

func TestOptimalTokenBaselineErrors(t *testing.T) {
	l, g := rloo.Layout{Begin: []int{0, 2, 4}, Prompt: []int{1, 0}}, rloo.Groups{K: 2}
	nan := math.NaN()
	for _, c := range []struct {
		text           string
		reward, weight []float64
	}{
		{"", []float64{nan, 1, 2, 3}, []float64{nan, 1, 1, 1}},
		{"rloo: Trajectories.Reward[2] = NaN, must be finite", []float64{nan, 1, nan, 3}, []float64{nan, 1, 1, 1}},
		{"rloo: OptimalTokenBaseline.Weight[3] = -1, must be finite and not negative", []float64{nan, 1, 2, 3}, []float64{nan, 1, 1, -1}},
		{"rloo: OptimalTokenBaseline.Weight times rewards of group 0: the sum overflows", []float64{nan, 0, 1e300, 0}, []float64{nan, 1, 1e9, 0}},
	} {
		err := rloo.OptimalTokenBaseline{Weight: c.weight}.Eval(make([]float64, 4), c.reward, l, g)
		if c.text == "" {
			assert.NoError(t, err)
		} else {
			assert.EqualError(t, err, c.text)
		}
	}
	four := make([]float64, 4)
	dependent := rloo.Groups{K: 2, Dependent: true}
	assert.ErrorIs(t, rloo.OptimalTokenBaseline{Weight: four}.Eval(four, four, l, dependent), rloo.ErrDependent)
	assert.Panics(t, func() { rloo.OptimalTokenBaseline{}.Eval(four, four, l, g) })
	assert.Panics(t, func() { rloo.OptimalTokenBaseline{Weight: four}.Eval(four, four, l, rloo.Groups{K: 3}) })
	assert.Panics(t, func() { rloo.OptimalTokenBaseline{Weight: four}.Eval(four[:2], four, l, g) })
}

// Two replies with one reward each at the end. The third token of the first has no other to
// be compared with.
func ExampleOptimalTokenBaseline() {
	l := rloo.Layout{Begin: []int{0, 3, 5}}
	advantage := []float64{0, 0, 3, 0, 1}
	weight := []float64{0.5, 0.5, 0.5, 0.5, 0.5}
	err := rloo.OptimalTokenBaseline{Weight: weight}.Eval(advantage, advantage, l, rloo.Groups{K: 2})
	fmt.Println(advantage, err)
	// Output:
	// [2 2 3 -2 -2] <nil>
}
