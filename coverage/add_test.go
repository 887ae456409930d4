package coverage_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/coverage"
)

// plain makes the accumulators that have no replicates.
func plain(t *testing.T, from coverage.Source) (*coverage.Moments, *coverage.Histogram) {
	return moments(t, from, 0), histogram(t, coverage.HistogramConfig{Source: from, Lo: -4, Hi: 4, Bins: 33})
}

// withoutSupport makes some samples impossible under the policy that they were not drawn from.
func withoutSupport(rng *rand.Rand, from coverage.Source, b coverage.Batch) {
	for i := range b.LogP {
		switch {
		case rng.IntN(50) > 0:
		case from == coverage.FromPolicy:
			b.LogRef[i] = -inf
		default:
			b.LogP[i] = -inf
		}
	}
}

// An error anywhere in a long batch leaves what was added before as it was, and what is added after.
func TestAddIsUndone(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 1))
	for _, from := range sources {
		for _, at := range []int{0, 7, 511, 512, 1999} {
			m, h := plain(t, from)
			m2, h2 := plain(t, from)
			first, second, bad := randomBatch(rng, from, 700), randomBatch(rng, from, 300), randomBatch(rng, from, 2000)
			withoutSupport(rng, from, bad)
			bad.LogRef[at] = math.NaN()
			for _, add := range []func(coverage.Batch) error{m.Add, h.Add} {
				require.NoError(t, add(first))
				require.ErrorContains(t, add(bad), "] = NaN")
				require.NoError(t, add(second))
			}
			for _, add := range []func(coverage.Batch) error{m2.Add, h2.Add} {
				require.NoError(t, add(first))
				require.NoError(t, add(second))
			}
			assert.Equal(t, marshal(t, m2), marshal(t, m), "%v, %d", from, at)
			assert.Equal(t, marshal(t, h2), marshal(t, h), "%v, %d", from, at)
		}
	}
	b := randomBatch(rng, coverage.FromPolicy, 1500)
	b.LogP[1300] = inf
	m, h := plain(t, coverage.FromPolicy)
	assert.ErrorContains(t, m.Add(b), "LogP[1300] = +Inf")
	assert.ErrorContains(t, h.Add(b), "LogP[1300] = +Inf")
}

// The sums over many chunks, with samples outside the support among them, are those of a loop over the definition;
// with replicates or without.
func TestAddOfManySamples(t *testing.T) {
	for _, from := range sources {
		law(t, "sums over samples of "+from.String(), 4, 1e-9, func(rng *rand.Rand, err float64) bool {
			n := 1500 + rng.IntN(100)
			b := randomBatch(rng, from, n)
			withoutSupport(rng, from, b)
			m, h := plain(t, from)
			require.NoError(t, m.Add(b))
			require.NoError(t, h.Add(b))
			replicated := moments(t, from, 3)
			require.NoError(t, replicated.Add(b))
			below, bins, above := h.Counts()
			counts, edges := append(append([]uint64{below}, bins...), above), append(h.Edges(), inf)
			seen := make([]uint64, len(counts))
			tail := make([]float64, len(edges)-1)
			sums := make([]float64, len(orders))
			for i := range n {
				l := b.LogP[i] - b.LogRef[i]
				for k, e := range edges {
					if l < e || e == inf {
						seen[k]++
						break
					}
				}
				weight, ref := 1.0, math.Exp(-l) // π/from and π_ref/from
				switch from {
				case coverage.FromRef:
					weight, ref = math.Exp(l), 1
				case coverage.FromMixture:
					weight, ref = math.Exp(b.LogP[i]-b.LogFrom[i]), math.Exp(b.LogRef[i]-b.LogFrom[i])
				}
				for k := range tail {
					if l >= edges[k] {
						tail[k] += weight / float64(n)
					}
				}
				for k, alpha := range orders {
					if ref == 0 && alpha == 1 {
						sums[k] = inf // 0⁰ of the definition
					} else if weight > 0 {
						sums[k] += math.Pow(weight, alpha) * math.Pow(ref, 1-alpha) / float64(n)
					}
				}
			}
			ok := assert.ObjectsAreEqual(seen, counts)
			for k, p := range h.Profile() {
				ok = ok && near(p.P, tail[k]+err, 1e-12)
			}
			for k, alpha := range orders {
				got := m.LogMean(alpha).Value
				ok = ok && near(got, math.Log(sums[k])+err, 1e-12) && near(got, replicated.LogMean(alpha).Value, 1e-13)
			}
			return ok
		})
	}
}

func TestAddWithoutReplicatesAllocatesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, from := range sources {
		m, h := plain(t, from)
		b := randomBatch(rng, from, 1300)
		assert.Zero(t, testing.AllocsPerRun(5, func() {
			if m.Add(b) != nil || h.Add(b) != nil {
				t.Error("failed")
			}
		}), from)
	}
}

// Groups far from the first ones, or all alike, lose no digits to the center that is taken for the mean.
func TestKLEstimatorOfUnlikePrompts(t *testing.T) {
	for _, k := range []int{1, 2, 3, 4, 8, 12} {
		for _, c := range []struct {
			name  string
			value func(prompt int) float64
		}{
			{"all alike", func(int) float64 { return 0.1 }},
			{"first far", func(i int) float64 {
				if i < 32 {
					return 1e6
				}
				return 1e-3 * float64(i%7)
			}},
			{"far from 0", func(i int) float64 { return 1e9 + float64(i%5) }},
		} {
			const prompts = 1000
			l := make([]float64, 0, prompts*k)
			mean := 0.0
			for i := range prompts {
				mean += (c.value(i) - c.value(prompts-1)) / prompts
				for j := range k {
					l = append(l, c.value(i)+float64(2*j-k+1)) // their mean is that of the prompt
				}
			}
			variance := 0.0
			for i := range prompts {
				d := c.value(i) - c.value(prompts-1) - mean
				variance += d * d / (prompts - 1)
			}
			var e coverage.KLEstimator
			add(t, &e, l, k)
			r, value := e.Result(), c.value(prompts-1)+mean
			assert.InEpsilon(t, value, r.Value, 1e-13, "%s, k = %d", c.name, k)
			assert.InDelta(t, math.Sqrt(variance/prompts), r.SE, 1e-13*math.Sqrt(variance/prompts)+1e-16*value, "%s, k = %d", c.name, k)
		}
	}
}

func TestKLEstimatorIsUndone(t *testing.T) {
	l := make([]float64, 6000)
	var e coverage.KLEstimator
	add(t, &e, l, 3)
	before := e
	l[5000] = inf
	assert.ErrorContains(t, e.Add(l, 3), "coverage: l[5000] = +Inf")
	assert.Equal(t, before, e)
}

// The largest exponent is rounded, and so are the others before it is subtracted: the logarithm of a sum
// stays next to it, however large it is.
func TestMomentsOfHugeLogRatios(t *testing.T) {
	for _, order := range []float64{0.3, 1, 1.7, 3, 7} {
		for e := -1; e <= 306; e++ {
			l := math.Pow(10, float64(e)) * 1.2345678901234567
			for _, sign := range []float64{-1, 1} {
				m, err := coverage.NewMoments(coverage.MomentsConfig{Source: coverage.FromRef, Orders: []float64{order}})
				require.NoError(t, err)
				for range 2 { // the second time the largest is known
					require.NoError(t, m.Add(coverage.Batch{Prompt: make([]uint64, 9), LogP: slices.Repeat([]float64{sign * l}, 9), LogRef: make([]float64, 9)}))
				}
				require.InEpsilon(t, sign*l*order, m.LogMean(order).Value, 1e-12, "order %v, log-ratio %v", order, sign*l)
			}
		}
	}
}
