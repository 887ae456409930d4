package sampler_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/sampler"
)

// outcomes visits what the rounds of the algorithm can lead to, by its description.
func outcomes(reward []float64, beta float64, want int, visit func(accepted []int, proposed int, p float64)) {
	var round func(left, accepted []int, proposed int, p float64)
	round = func(left, accepted []int, proposed int, p float64) {
		top := math.Inf(-1)
		for _, i := range left {
			top = math.Max(top, reward[i])
		}
		var walk func(at int, rejected, accepted []int, proposed int, p float64)
		walk = func(at int, rejected, accepted []int, proposed int, p float64) {
			switch {
			case p < 1e-9: // the tail of endless rounds
			case len(accepted) == want:
				visit(accepted, proposed, p)
			case at == len(left):
				round(rejected, accepted, proposed, p)
			default:
				i := left[at]
				q := math.Exp((reward[i] - top) / beta)
				walk(at+1, rejected, append(accepted[:len(accepted):len(accepted)], i), proposed+1, p*q)
				walk(at+1, append(rejected[:len(rejected):len(rejected)], i), accepted, proposed+1, p*(1-q))
			}
		}
		walk(0, nil, accepted, proposed, p)
	}
	var all []int
	for i := range reward {
		all = append(all, i)
	}
	round(all, nil, 0, 1)
}

func TestRejection(t *testing.T) {
	const n, beta, want = 15000, 0.7, 3
	// Defect 38: two equal candidates are two.
	reward := []float64{0.2, 0.5, 0.5, 1}
	exact, proposed, total := map[string]float64{}, 0.0, 0.0
	outcomes(reward, beta, want, func(accepted []int, trials int, p float64) {
		exact[fmt.Sprint(accepted)] += p
		proposed += p * float64(trials)
		total += p
	})
	require.InDelta(t, 1, total, 1e-6)
	require.Len(t, exact, 11)
	require.Equal(t, exact["[0 1 3]"], exact["[0 2 3]"])
	g, dst, left, counts := rand.NewPCG(21, 0), make([]int, want), make([]int, 4), map[string]float64{}
	var all sampler.Acceptance
	s := sampler.Rejection{Beta: beta}
	for range n {
		a, err := s.Select(dst, left, reward, g)
		require.NoError(t, err)
		all.Proposed, all.Accepted = all.Proposed+a.Proposed, all.Accepted+a.Accepted
		counts[fmt.Sprint(dst)]++
	}
	chiSquare(t, exact, counts, n)
	assert.Equal(t, want*n, all.Accepted)
	assert.InDelta(t, proposed, float64(all.Proposed)/n, 4*2/math.Sqrt(n))
	assert.InDelta(t, want/proposed, all.Rate(), 0.01)

	g = rand.NewPCG(22, 0)
	a, err := s.Select(dst, left, reward, g)
	require.NoError(t, err)
	assert.Equal(t, a.Proposed, used(t, g, 22), "one number for each proposal")
	assert.Zero(t, testing.AllocsPerRun(5, func() { _, _ = s.Select(dst, left, reward, g) }))
	assert.True(t, math.IsNaN(sampler.Acceptance{}.Rate()))
}

// One draw of many candidates is about one of π_ref·e^{r/β}, here exactly a softmax.
func TestRejectionTilts(t *testing.T) {
	const n, levels, copies = 5000, 3, 40
	var reward []float64
	for range copies {
		for l := range levels {
			reward = append(reward, float64(l))
		}
	}
	g, order, left, counts := rand.NewPCG(23, 0), rand.New(rand.NewPCG(24, 0)), make([]int, len(reward)), map[string]float64{}
	dst := make([]int, 1)
	for range n {
		order.Shuffle(len(reward), func(i, j int) { reward[i], reward[j] = reward[j], reward[i] })
		_, err := sampler.Rejection{Beta: 1}.Select(dst, left, reward, g)
		require.NoError(t, err)
		counts[fmt.Sprint(reward[dst[0]])]++
	}
	// The next candidate of a shuffled few is not quite a fresh one: 1/120.
	for l, p := range softmax([]float32{0, 1, 2}, 1) {
		assert.InDelta(t, p, counts[fmt.Sprint(float64(l))]/n, 4*0.5/math.Sqrt(n)+1.0/120)
	}
}

func TestRejectionLimitsAndErrors(t *testing.T) {
	g, left := rand.NewPCG(1, 0), make([]int, 4)
	reward := []float64{3, nan, 5, 4}
	dst := make([]int, 3)
	a, err := sampler.Rejection{Beta: 1e-6}.Select(dst, left, reward, g)
	require.NoError(t, err)
	assert.Equal(t, []int{2, 3, 0}, dst, "the best first; what failed is no candidate")
	assert.Equal(t, sampler.Acceptance{Proposed: 3 + 2 + 1, Accepted: 3}, a)
	for want, f := range map[string]func() error{
		"sampler: 4 accepted candidates wanted of 3": func() error {
			_, err := sampler.Rejection{Beta: 1}.Select(make([]int, 4), left, reward, g)
			return err
		},
		"sampler: Rejection.Beta is 0, must be positive and finite": func() error {
			_, err := sampler.Rejection{}.Select(dst, left, reward, g)
			return err
		},
		"sampler: reward[1] = +Inf": func() error {
			_, err := sampler.Rejection{Beta: 1}.Select(dst[:1], left[:2], []float64{1, math.Inf(1)}, g)
			return err
		},
	} {
		assert.EqualError(t, f(), want)
	}
	assert.Panics(t, func() { _, _ = sampler.Rejection{Beta: 1}.Select(dst, left[1:], reward, g) })
}
