package loss_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
)

var tokenMasks = []loss.TokenMask{
	loss.DropTruncated{},
	loss.IcePop{Min: 0.7, Max: 1.4},
	loss.GeometricMask{Min: 0.9, Max: 1.1},
	loss.OffPolicySequences{Delta: 0.05},
	loss.TopEntropy{Share: 0.4},
	loss.TokenMasks{loss.DropTruncated{}, loss.TopEntropy{Share: 0.5}},
}

// What each mask says, by hand. The fourth token is masked, and the first of each reply is its
// prompt.
func TestTokenMasks(t *testing.T) {
	nan := math.NaN()
	b := loss.Rollouts{
		Layout:    loss.Layout{Begin: []int{0, 5, 8, 10}, Prompt: []int{1, 1, 1}, Mask: []bool{true, true, true, false, true, true, true, true, true, true}},
		LogProb:   []float64{nan, -1, -1, nan, -1, nan, -2, -2, nan, -5},
		Behaviour: []float64{nan, -1, -1 - math.Log(1.5), nan, -1, nan, -1, -1, nan, -1},
		Advantage: []float64{nan, 1, 1, nan, 1, nan, -1, 0.5, nan, -1},
		Entropy:   []float64{nan, 4, 1, nan, 3, nan, 2, 2, nan, 0},
		Truncated: []bool{false, true, false},
	}
	all := []int{1, 2, 4, 6, 7, 9}
	for _, c := range []struct {
		name string
		mask loss.TokenMask
		keep []int
	}{
		{"none", loss.TokenMasks{}, all},
		{"truncated", loss.DropTruncated{}, []int{1, 2, 4, 9}},
		{"IcePop", loss.IcePop{Min: 0.3, Max: 1.4}, []int{1, 4, 6, 7}},
		{"IcePop, one side", loss.IcePop{Max: 1.2}, []int{1, 4, 6, 7, 9}},
		{"geometric mean", loss.GeometricMask{Min: 0.3, Max: 1.2}, []int{1, 2, 4, 6, 7}},
		{"geometric mean, 1.5^⅓ is too large", loss.GeometricMask{Min: 0.3, Max: 1.1}, []int{6, 7}},
		{"off-policy, only where A < 0", loss.OffPolicySequences{Delta: 0.5}, []int{1, 2, 4, 7}},
		{"off-policy, further", loss.OffPolicySequences{Delta: 1}, []int{1, 2, 4, 6, 7}},
		{"top entropy", loss.TopEntropy{Share: 0.2}, []int{1, 4}},
		{"top entropy, ties stay", loss.TopEntropy{Share: 0.4}, []int{1, 4, 6, 7}},
		{"top entropy, all", loss.TopEntropy{Share: 1}, all},
		{"both", loss.TokenMasks{loss.DropTruncated{}, loss.TopEntropy{Share: 0.01}}, []int{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dst := slices.Repeat([]bool{true}, len(b.LogProb))
			dropped, err := c.mask.Keep(dst, b)
			require.NoError(t, err)
			var keep []int
			for p, k := range dst {
				if k {
					keep = append(keep, p)
				}
			}
			assert.Equal(t, c.keep, keep)
			assert.Equal(t, len(all)-len(keep), dropped)
			// In place of the mask itself.
			in := b
			in.Mask = slices.Clone(b.Mask)
			_, err = c.mask.Keep(in.Mask, in)
			require.NoError(t, err)
			assert.Equal(t, dst, in.Mask)
		})
	}
}

// Masks only take away, and their order does not matter where none looks at the whole batch.
func TestTokenMasksCompose(t *testing.T) {
	b := randomRollouts(4, 30, 0.4, true, true)
	keep := func(m loss.TokenMask) []bool {
		dst := make([]bool, len(b.LogProb))
		_, err := m.Keep(dst, b)
		require.NoError(t, err)
		return dst
	}
	ice, geo := loss.IcePop{Min: 0.7, Max: 1.4}, loss.OffPolicySequences{Delta: 0.01}
	both := keep(loss.TokenMasks{ice, loss.DropTruncated{}})
	assert.Equal(t, both, keep(loss.TokenMasks{loss.DropTruncated{}, ice}))
	some := 0
	for p, k := range keep(ice) {
		assert.Equal(t, both[p], k && keep(loss.DropTruncated{})[p])
		if both[p] {
			some++
		}
	}
	assert.Positive(t, some)
	assert.False(t, loss.IsCoupled(loss.TokenMasks{ice, geo}))
	assert.True(t, loss.IsCoupled(loss.TokenMasks{ice, loss.TopEntropy{Share: 0.5}}))
}

// The share of the tokens that TopEntropy keeps.
func TestTopEntropyShare(t *testing.T) {
	for _, n := range []int{1, 2, 10, 11, 101, 1000} {
		for _, share := range []float64{1e-9, 0.1, 0.2, 0.29, 0.3, 0.5, 0.7, 1} {
			b := loss.Rollouts{Layout: loss.Layout{Begin: []int{0, n}, Prompt: []int{0}}, LogProb: make([]float64, n)}
			for i := range rand.New(rand.NewPCG(1, uint64(n))).Perm(n) {
				b.Entropy = append(b.Entropy, float64(i))
			}
			dst := make([]bool, n)
			dropped, err := loss.TopEntropy{Share: share}.Keep(dst, b)
			require.NoError(t, err)
			// Elements 0 … ⌊share·(n−1)⌋ from the top are not below the quantile.
			assert.Equal(t, 1+int(share*float64(n-1)+1e-6), n-dropped, "%d, %v", n, share)
			assert.True(t, dst[slices.Index(b.Entropy, float64(n-1))])
		}
	}
}

func TestTokenMaskErrors(t *testing.T) {
	b := randomRollouts(4, 3, 0.4, false, true)
	dst := make([]bool, len(b.LogProb))
	at, _ := b.Reply(1)
	for param, m := range map[string]loss.TokenMask{
		"IcePop.Min": loss.IcePop{Min: -1, Max: 1}, "IcePop.Max": loss.IcePop{Min: 1, Max: 1},
		"GeometricMask.Min": loss.GeometricMask{Min: math.NaN()}, "GeometricMask.Max": loss.GeometricMask{Max: math.NaN()},
		"OffPolicySequences.Delta": loss.OffPolicySequences{Delta: -1},
		"TopEntropy.Share":         loss.TokenMasks{loss.TopEntropy{}},
	} {
		_, err := m.Keep(dst, b)
		var bad *loss.ParamError
		require.ErrorAs(t, err, &bad, param)
		assert.Equal(t, param, bad.Param)
	}
	for _, c := range []struct {
		field string
		m     loss.TokenMask
		set   func(b *loss.Rollouts, v float64)
		v     float64
	}{
		{"Behaviour", loss.IcePop{Max: 2}, func(b *loss.Rollouts, v float64) { b.Behaviour[at] = v }, -inf},
		{"Old", loss.GeometricMask{Max: 2}, func(b *loss.Rollouts, v float64) { b.Old[at] = v }, inf},
		{"LogProb", loss.OffPolicySequences{}, func(b *loss.Rollouts, v float64) { b.LogProb[at] = v }, math.NaN()},
		{"Advantage", loss.OffPolicySequences{}, func(b *loss.Rollouts, v float64) { b.Advantage[at] = v }, math.NaN()},
		{"Entropy", loss.TopEntropy{Share: 1}, func(b *loss.Rollouts, v float64) { b.Entropy[at] = v }, math.NaN()},
	} {
		b := randomRollouts(4, 3, 0.4, false, true)
		c.set(&b, c.v)
		_, err := c.m.Keep(dst, b)
		inputError(t, err, c.field, at, c.v)
	}
	empty := loss.Rollouts{Layout: b.Layout, LogProb: b.LogProb, Advantage: b.Advantage}
	for want, m := range map[string]loss.TokenMask{
		"loss: DropTruncated without Rollouts.Truncated":               loss.DropTruncated{},
		"loss: a mask of off-policy tokens without Rollouts.Behaviour": loss.OffPolicySequences{},
		"loss: TopEntropy without Rollouts.Entropy":                    loss.TopEntropy{Share: 1},
		"loss: TokenMasks with a mask that is nil":                     loss.TokenMasks{nil},
	} {
		assert.PanicsWithValue(t, want, func() { m.Keep(dst, empty) })
	}
	assert.Panics(t, func() { loss.IcePop{Max: 1}.Keep(dst[:2], b) })
	assert.Panics(t, func() { loss.ZeroWeights(make([]float64, 2), nil, dst) })
}

// A mask that becomes weights leaves the denominators and takes the rest.
func TestZeroWeights(t *testing.T) {
	b := randomRollouts(9, 12, 0.4, false, true)
	for p := range b.Weight {
		b.Weight[p] = 1
	}
	keep := make([]bool, len(b.LogProb))
	_, err := loss.IcePop{Min: 0.7, Max: 1.4}.Keep(keep, b)
	require.NoError(t, err)
	masked, weighed := b, b
	masked.Mask = keep
	weighed.Weight = make([]float64, len(keep))
	loss.ZeroWeights(weighed.Weight, nil, keep)
	l := loss.DAPO{ClipLow: 0.2, ClipHigh: 0.28}
	one, t1 := evalRollouts(t, l, masked)
	two, t2 := evalRollouts(t, l, weighed)
	bits(t, one.LogProb, two.LogProb)
	assert.InDelta(t, t1.Sum, t2.Sum, 1e-13)
	assert.Equal(t, t1.Tokens+t1.Masked, t2.Tokens)
	assert.Positive(t, t1.Masked)
	// Aliasing, and a weight that is there.
	loss.ZeroWeights(weighed.Weight, weighed.Weight, keep)
	again, _ := evalRollouts(t, l, weighed)
	bits(t, two.LogProb, again.LogProb)
}
