package sampler_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/sampler"
)

var nan = math.NaN()

func TestBestAndWorst(t *testing.T) {
	reward := []float64{1, 3, 3, 1, nan, nan, nan, nan, nan, -2, math.Inf(-1), nan, 0, 0, 0, 0}
	dst := make([]int, 4)
	assert.Equal(t, 6, sampler.Best(dst, reward, 4))
	assert.Equal(t, []int{1, -1, 9, 12}, dst)
	assert.Equal(t, 6, sampler.Worst(dst, reward, 4))
	assert.Equal(t, []int{3, -1, 10, 15}, dst)
	assert.Panics(t, func() { sampler.Best(dst, reward, 3) })
	assert.Panics(t, func() { sampler.Worst(nil, nil, 0) })
}

func TestTopBottom(t *testing.T) {
	var c sampler.Choice
	reward := []float64{
		5, 1, 4, 2, 3, 0,
		7, 7, 7, 7, 7, 7, // nothing to choose
		nan, 2, 1, nan, nan, 3, // three left: one pair
		nan, nan, nan, nan, nan, 1, // one left: none
		1, 2, 2, 2, 1, 3, // 5 over 4 and 1 over 0
	}
	c.TopBottom(reward, 6, 2)
	assert.Equal(t, []int{0, 2, 17, 29, 25}, c.Chosen)
	assert.Equal(t, []int{5, 1, 14, 28, 24}, c.Rejected)
	assert.Equal(t, 2, c.Tied)
	assert.Equal(t, 3+5, c.Failed)
	c.Reset()
	c.BestWorst(reward, 6)
	assert.Equal(t, []int{0, 17, 29}, c.Chosen)
	assert.Equal(t, []int{5, 14, 28}, c.Rejected)
	assert.Equal(t, 1, c.Tied)
	for i := range c.Chosen {
		group := i
		if i == 2 {
			group = 4
		} else if i == 1 {
			group = 2
		}
		best, worst := make([]int, 5), make([]int, 5)
		sampler.Best(best, reward, 6)
		sampler.Worst(worst, reward, 6)
		assert.Equal(t, best[group], c.Chosen[i], "the same order as Best")
		assert.Equal(t, worst[group], c.Rejected[i], "the same order as Worst")
	}
	assert.Panics(t, func() { c.TopBottom(reward, 6, 4) })
	assert.Panics(t, func() { c.TopBottom(reward, 4, 1) })
	assert.Panics(t, func() { c.TopBottom(reward, 6, 0) })
	assert.Zero(t, testing.AllocsPerRun(5, func() { c.Reset(); c.BestWorst(reward, 6) }))
}

// Defects 19 and 22: a missing verdict is no 0, and a tie no win.
func TestJudgedLeavesOutTiesAndFailures(t *testing.T) {
	var c sampler.Choice
	c.Judged([]int{0, 1, 2, 3, 4}, []int{5, 6, 7, 8, 9}, []float64{1, 0, 0.5, nan, 0.6})
	assert.Equal(t, []int{0, 6, 4}, c.Chosen)
	assert.Equal(t, []int{5, 1, 9}, c.Rejected)
	assert.Equal(t, 1, c.Tied)
	assert.Equal(t, 1, c.Failed)
	assert.Panics(t, func() { c.Judged([]int{1}, []int{2}, nil) })
}

// The batch is one that losses take; REBEL's minimum is where its definition says.
func TestPairsForLosses(t *testing.T) {
	logp, ref := []float64{-1, -2, -3, -4}, []float64{-1.5, -2.5, -2, -5}
	reward := []float64{0, 2, 1, -1}
	var c sampler.Choice
	c.TopBottom(reward, 4, 2)
	var b loss.Pairs
	c.Pairs(&b, logp, ref, []int{3, 4, 5, 6})
	assert.Equal(t, []float64{-2, -3}, b.Chosen)
	assert.Equal(t, []float64{-4, -1}, b.Rejected)
	assert.Equal(t, []float64{-2.5, -2}, b.RefChosen)
	assert.Equal(t, []float64{-5, -1.5}, b.RefRejected)
	assert.Equal(t, []int{4, 5}, b.ChosenLen)
	assert.Equal(t, []int{6, 3}, b.RejectedLen)
	out := loss.PairsOut{Loss: make([]float64, 2), Chosen: make([]float64, 2)}
	_, err := loss.DPO{Beta: 0.1}.Eval(out, b)
	require.NoError(t, err)
	assert.InDelta(t, math.Log1p(math.Exp(0.1*0.5)), out.Loss[0], 1e-14) // h = 0.5 − 1
	c.Margins(&b, reward)
	assert.Equal(t, []float64{3, 1}, b.Margin)
	const eta = 0.25
	_, err = loss.REBEL{Eta: eta}.Eval(out, b)
	require.NoError(t, err)
	for i, h := range []float64{0.5 - 1, -1 - 0.5} {
		d := h/eta - b.Margin[i]
		assert.InDelta(t, d*d, out.Loss[i], 1e-12)
		assert.InDelta(t, 2*d/eta, out.Chosen[i], 1e-12)
	}
	c.Pairs(&b, logp, nil, nil)
	assert.Nil(t, b.RefChosen)
	assert.Nil(t, b.Margin)
}
