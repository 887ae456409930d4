package policy_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
)

// The values come from a program of a few lines in Python, in exact integers: another
// implementation of SplitMix64's finalizer and of PCG-DXSM. They hold on every
// architecture, and changing them would change every run of every user.
func TestStreamGolden(t *testing.T) {
	const all = math.MaxUint64
	for _, c := range []struct {
		key  policy.Key
		id   uint64
		j    int
		want [2]uint64
	}{
		{policy.Key{}, 0, 0, [2]uint64{0xa328d42b314dbcb7, 0x2f70bd73e61fa4f4}},
		{policy.Key{Seed: 1}, 0, 0, [2]uint64{0xee84ac660b42212f, 0x906335a7cf7ce39c}},
		{policy.Key{Step: 1}, 0, 0, [2]uint64{0xc47111924b582394, 0x76c09a7e11f0c9eb}},
		{policy.Key{}, 1, 0, [2]uint64{0x737fcaca2f4fdb32, 0xaee24b38d8597ce8}},
		{policy.Key{}, 0, 1, [2]uint64{0x53b19dc9d1ad0258, 0x799c3951507d6d2f}},
		{policy.Key{Seed: all, Step: all}, all, math.MaxInt32, [2]uint64{0xce8398f9afe60365, 0x6e8fdbc260c5ad44}},
		{policy.Key{Seed: 42, Step: 1500}, 7, 3, [2]uint64{0x71f7bf70b73755b9, 0x86a77ac9440cdaca}},
	} {
		var g rand.PCG
		c.key.Stream(&g, c.id, c.j)
		assert.Equal(t, c.want, [2]uint64{g.Uint64(), g.Uint64()}, "%+v id %d draw %d", c.key, c.id, c.j)
	}
}

// Small numbers in every place give different streams, also when they change places.
func TestStreamsDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	var g rand.PCG
	for i := range 4 * 4 * 32 * 32 {
		policy.Key{Seed: uint64(i % 4), Step: uint64(i / 4 % 4)}.Stream(&g, uint64(i/16%32), i/512)
		seen[g.Uint64()] = true
	}
	assert.Len(t, seen, 4*4*32*32)
}

// Draws along each part of a name follow the distribution: χ² with 4 degrees of
// freedom stays below its 1 − 1e-6 quantile, 35.0. So do pairs of neighbours, with 24
// degrees of freedom and 74.3.
func TestDrawsFollowTheDistribution(t *testing.T) {
	const n = 20000
	want := weights{0.5, 0.25, 0.15, 0.09, 0.01}
	p := policy.NewFinite(want)
	ctx := context.Background()
	draw := func(y []int, ids []uint64, key policy.Key) {
		k := len(y) / len(ids)
		require.NoError(t, p.Sample(ctx, policy.Draws[int]{Y: y}, make([]int, len(ids)), ids, k, key))
	}
	axes := map[string]func(y []int){
		"draws": func(y []int) { draw(y, []uint64{3}, policy.Key{Seed: 1}) },
		"ids": func(y []int) {
			ids := make([]uint64, n)
			for i := range ids {
				ids[i] = uint64(i)
			}
			draw(y, ids, policy.Key{Seed: 1})
		},
		"steps": func(y []int) {
			for i := range y {
				draw(y[i:i+1], []uint64{3}, policy.Key{Seed: 1, Step: uint64(i)})
			}
		},
		"seeds": func(y []int) {
			for i := range y {
				draw(y[i:i+1], []uint64{3}, policy.Key{Seed: uint64(i)})
			}
		},
	}
	for name, sample := range axes {
		y := make([]int, n)
		sample(y)
		var count [5]float64
		var pairs [5][5]float64
		for i, v := range y {
			count[v]++
			if i%2 == 1 {
				pairs[y[i-1]][v]++
			}
		}
		chi, chiPairs := 0.0, 0.0
		for a, q := range want {
			chi += (count[a] - n*q) * (count[a] - n*q) / (n * q)
			for b, r := range want {
				e := n / 2 * q * r
				chiPairs += (pairs[a][b] - e) * (pairs[a][b] - e) / e
			}
		}
		assert.Less(t, chi, 35.0, name)
		assert.Less(t, chiPairs, 74.3, name)
	}
}
