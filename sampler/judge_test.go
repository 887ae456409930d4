package sampler_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
)

// byLength scores a reply by its length; "?" fails.
var byLength = sampler.ScorerFunc[int, string](func(_ context.Context, dst []float64, xs []int, ys []string) error {
	var errs []error
	for i, y := range ys {
		if y == "?" {
			dst[i] = math.NaN()
			errs = append(errs, &policy.ItemError{Index: i, Err: errors.New("no idea")})
			continue
		}
		dst[i] = float64(len(y))
	}
	return errors.Join(errs...)
})

func TestScored(t *testing.T) {
	xs, as, bs := make([]int, 5), []string{"aaa", "a", "aa", "?", "a"}, []string{"a", "aaa", "bb", "a", "?"}
	dst := make([]float64, 5)
	err := sampler.Compare(ctx, sampler.Scored[int, string]{Scorer: byLength}, dst, xs, as, bs)
	p := 1 / (1 + math.Exp(-2))
	assert.InDeltaSlice(t, []float64{p, 1 - p, 0.5}, dst[:3], 1e-15)
	assert.True(t, math.IsNaN(dst[3]) && math.IsNaN(dst[4]), "a failure is no 0")
	assert.EqualError(t, err, "policy: item 3: no idea\npolicy: item 4: no idea")
	err = sampler.Compare(ctx, sampler.Scored[int, string]{Scorer: byLength, Hard: true}, dst, xs, as, bs)
	require.Error(t, err)
	assert.Equal(t, []float64{1, 0, 0.5}, dst[:3])
	assert.True(t, math.IsNaN(dst[3]) && math.IsNaN(dst[4]))

	// Infinite scores: of two equal ones none wins.
	inf := sampler.ScorerFunc[int, string](func(_ context.Context, dst []float64, _ []int, ys []string) error {
		for i, y := range ys {
			dst[i] = map[string]float64{"-": math.Inf(-1), "0": 0, "+": math.Inf(1)}[y]
		}
		return nil
	})
	for _, hard := range []bool{false, true} {
		require.NoError(t, sampler.Compare(ctx, sampler.Scored[int, string]{Scorer: inf, Hard: hard},
			dst, xs, []string{"-", "+", "+", "-", "0"}, []string{"-", "+", "-", "+", "0"}))
		assert.Equal(t, []float64{0.5, 0.5, 1, 0, 0.5}, dst)
	}
}

func TestMissingResultsStayMissing(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name  string
		write func(dst []float64) error
		want  string
		whole bool
	}{
		{"nothing written", func([]float64) error { return nil }, "policy: item 0: no result\npolicy: item 1: no result", false},
		{"a verdict out of range", func(dst []float64) error { dst[0], dst[1] = 1, 1.5; return nil }, "policy: item 1: verdict 1.5, outside [0, 1]", false},
		{"named once", func(dst []float64) error { dst[0] = 0; return &policy.ItemError{Index: 1, Err: boom} }, "policy: item 1: boom", false},
		{"all failed", func(dst []float64) error { dst[0], dst[1] = 0, 0; return boom }, "boom", true},
		{"all failed, with items", func(dst []float64) error { return errors.Join(boom, &policy.ItemError{Index: 1, Err: boom}) }, "boom\npolicy: item 1: boom", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			judge := sampler.JudgeFunc[int, string](func(_ context.Context, dst []float64, _ []int, _, _ []string) error { return c.write(dst) })
			dst := []float64{0, 0} // left by somebody else
			err := sampler.Compare(ctx, judge, dst, []int{0, 0}, []string{"a", "b"}, []string{"c", "d"})
			assert.EqualError(t, err, c.want)
			if !c.whole {
				assert.True(t, math.IsNaN(dst[1]))
			}
			_, err = sampler.BothOrders[int, string]{Inner: judge}.JudgeBias(ctx, dst, []int{0, 0}, []string{"a", "b"}, []string{"c", "d"})
			assert.Error(t, err)
			assert.Equal(t, c.whole, errors.Is(err, boom) && c.name != "named once")
		})
	}
	assert.Panics(t, func() { _ = sampler.Score(ctx, byLength, nil, []int{1}, nil) })
}

// A judge who likes the first place decides nothing once the places are swapped.
func TestBothOrders(t *testing.T) {
	inner := sampler.JudgeFunc[int, string](func(_ context.Context, dst []float64, _ []int, as, bs []string) error {
		for i := range dst {
			switch d := len(as[i]) - len(bs[i]); {
			case d > 1:
				dst[i] = 1
			case d < -1:
				dst[i] = 0
			default:
				dst[i] = 0.9 // close: the first place decides
			}
			if len(as[i])+len(bs[i]) == 13 { // a tie in one of the orders
				dst[i] = 0.5
				if len(as[i]) > len(bs[i]) {
					dst[i] = 1
				}
			}
			if as[i] == "?" {
				dst[i] = math.NaN()
			}
		}
		return nil
	})
	both := sampler.BothOrders[int, string]{Inner: inner}
	dst := make([]float64, 5)
	bias, err := both.JudgeBias(ctx, dst, make([]int, 5), []string{"a", "aaaa", "aa", "a", "?"}, []string{"b", "a", "a", "?", "a"})
	assert.EqualError(t, err, "policy: item 4: no result\npolicy: item 3: no result")
	assert.Equal(t, []float64{0.5, 1, 0.5}, dst[:3])
	assert.True(t, math.IsNaN(dst[3]) && math.IsNaN(dst[4]), "failed in one of the orders")
	assert.Equal(t, 3, bias.N)
	assert.Equal(t, 2, bias.Flipped)
	assert.InDelta(t, (0.9+0.5+0.9)/3, bias.First, 1e-15)
	bias, err = both.JudgeBias(ctx, dst[:1], []int{0}, []string{"aaaaaaa"}, []string{"bbbbbb"})
	require.NoError(t, err)
	assert.Equal(t, 0.75, dst[0])
	assert.Zero(t, bias.Flipped, "a tie is no winner")
	bias, err = both.JudgeBias(ctx, nil, nil, nil, nil)
	require.NoError(t, err)
	assert.True(t, math.IsNaN(bias.First))
}

// From samples and a judge to a batch for SPPO: win rates against all k replies.
func TestPreferencesForSPPO(t *testing.T) {
	const k = 3
	xs, ys := []int{7, 8}, []string{"a", "aaa", "aa", "a", "?", "aa"}
	calls := 0
	judge := sampler.JudgeFunc[int, string](func(ctx context.Context, dst []float64, xs []int, as, bs []string) error {
		calls++
		assert.Equal(t, []int{7, 7, 7, 8, 8, 8}, xs)
		return sampler.Scored[int, string]{Scorer: byLength, Hard: true}.Judge(ctx, dst, xs, as, bs)
	})
	prefer := make([]float64, 2*k*k)
	err := sampler.Preferences(ctx, judge, prefer, xs, ys, k)
	assert.EqualError(t, err, "policy: item 5: no idea\npolicy: item 3: no idea")
	assert.Equal(t, 1, calls)
	assert.Equal(t, []float64{0.5, 0, 0, 1, 0.5, 1, 1, 0, 0.5}, prefer[:9])
	for i, want := range []float64{0.5, nan, 0, nan, 0.5, nan, 1, nan, 0.5} {
		assert.Equal(t, math.IsNaN(want), math.IsNaN(prefer[9+i]))
	}
	var g sampler.Groups
	g.Complete(prefer, len(ys), k)
	assert.Equal(t, sampler.Groups{Index: []int{0, 1, 2}, Failed: 1}, g)
	logp, ref := []float64{-1, -2, -3, -4, -5, -6}, []float64{-1, -2.5, -2.5, -4, -4, -4}
	var b loss.Unpaired
	win, err := g.KWise(&b, nil, logp, ref, prefer, k)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{0.5 / 3, 2.5 / 3, 1.5 / 3}, win, 1e-15)
	out := loss.UnpairedOut{Loss: make([]float64, 3)}
	_, err = loss.SPPOKWise{Beta: 2}.Eval(out, b, win)
	require.NoError(t, err)
	for i := range win {
		d := logp[i] - ref[i] - (win[i]-0.5)/2
		assert.InDelta(t, d*d, out.Loss[i], 1e-14)
	}
	assert.Panics(t, func() { _ = sampler.Preferences(ctx, judge, prefer[1:], xs, ys, k) })
}

func TestGroups(t *testing.T) {
	var g sampler.Groups
	reward := []float64{1, 2, nan, 4, 5, 6}
	g.Complete(reward, 6, 2)
	assert.Equal(t, []int{0, 1, 4, 5}, g.Index)
	assert.Equal(t, 1, g.Failed)
	var s loss.Samples
	g.Samples(&s, []float64{-1, -2, -3, -4, -5, -6}, []float64{-2, -2, -2, -2, -2, -2}, reward, 2)
	assert.Equal(t, loss.Samples{LogProb: []float64{-1, -2, -5, -6}, Ref: []float64{-2, -2, -2, -2}, Reward: []float64{1, 2, 5, 6}, K: 2}, s)
	_, err := loss.RLHF{Beta: 0.1}.Eval(loss.SamplesOut{LogProb: make([]float64, 4)}, s)
	assert.NoError(t, err)
	g.Complete(nil, 0, 2)
	assert.Empty(t, g.Index)
	assert.Panics(t, func() { g.Complete(reward, 6, 4) })
	assert.Panics(t, func() { g.Complete(reward, 4, 2) })
}

func TestSuccessive(t *testing.T) {
	nanPair := []float64{nan, nan}
	var c sampler.Choice
	c.Successive([]float64{1, 2, 3, 3, nan, 1, 5, 4})
	assert.Equal(t, []int{1, 2, 6}, c.Chosen)
	assert.Equal(t, []int{0, 3, 7}, c.Rejected)
	assert.Equal(t, 1, c.Failed)
	assert.Zero(t, c.Tied, "a tie is data")
	assert.Panics(t, func() { c.Successive(nanPair[1:]) })
}
