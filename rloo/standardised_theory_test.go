package rloo_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/prefgrad/prefgrad/rloo"
)

var stds = []rloo.Std{{}, {Population: true}, {Epsilon: 0.1}, {Epsilon: 0.02, Inside: true, Population: true}}

// spreadOf is the divisor by its definition.
func spreadOf(s rloo.Std, r []float64) float64 {
	m, sum := floats.Sum(r)/float64(len(r)), 0.0
	for _, v := range r {
		sum += (v - m) * (v - m)
	}
	n := float64(len(r) - 1)
	if s.Population {
		n++
	}
	if s.Inside {
		return math.Sqrt(sum/n + s.Epsilon)
	}
	return math.Sqrt(sum/n) + s.Epsilon
}

// For rewards 0 and 1 the mean is c(p)·∇p, with the sum over a binomial distribution that the
// documentation gives; a batch of one prompt is whitened in the same way.
func TestTheoryStandardisedBinary(t *testing.T) {
	p := randomSoftmax(5, 5)
	p.reward = []float64{0, 1, 0, 1, 0}
	success := 0.0
	for y, lp := range logSoftmax(p.logits) {
		success += p.reward[y] * math.Exp(lp)
	}
	for _, k := range []int{2, 3, 5} {
		for _, std := range stds {
			c := 0.0
			for m := 1; m < k; m++ {
				group, q := make([]float64, k), float64(m)/float64(k)
				floats.AddConst(1, group[:m])
				c += distuv.Binomial{N: float64(k), P: success}.Prob(float64(m)) * q * (1 - q) / spreadOf(std, group)
			}
			want := p.policyGradient(p.reward, c/(success*(1-success)))
			for _, a := range []rloo.Advantage{rloo.Standardised{Std: std}, rloo.Whitened{Std: std}} {
				mean := expectation(t, []softmax{p}, []int{k}, always(a))[0]
				assert.InDeltaSlice(t, want, mean, 1e-14, "%T, k = %d, %+v", a, k, std)
			}
		}
	}
}

// slope is the mean of an estimator for a prompt with rewards 0 and 1 that succeeds with
// probability p, as a multiple of ∇p; alone in its batch.
func slope(t *testing.T, a rloo.Advantage, k int, p float64) float64 {
	c, dst, reward := 0.0, make([]float64, k), make([]float64, k)
	for m := range k + 1 {
		clear(reward)
		floats.AddConst(1, reward[:m])
		_, err := a.Eval(dst, reward, rloo.Groups{K: k})
		require.NoError(t, err)
		c += distuv.Binomial{N: float64(k), P: p}.Prob(float64(m)) * (floats.Sum(dst[:m])/p - floats.Sum(dst[m:])/(1-p)) / float64(k)
	}
	return c
}

// Large groups: Standardised climbs 2·arcsin √p, RLOO p.
func TestTheoryStandardisedLimit(t *testing.T) {
	for _, p := range []float64{0.1, 0.5, 0.8} {
		assert.InEpsilon(t, 1/math.Sqrt(p*(1-p)), slope(t, rloo.Standardised{}, 1000, p), 3e-3)
		assert.InEpsilon(t, 1, slope(t, rloo.RLOO{}, 50, p), 1e-12)
		assert.InEpsilon(t, 0.98, slope(t, rloo.GroupMean{}, 50, p), 1e-12)
	}
}

// MaxRL climbs the series of log p, cut after k−1 terms, and with two samples p.
func TestTheoryMaxRL(t *testing.T) {
	for _, p := range []float64{0.01, 0.3, 0.9} {
		for _, k := range []int{2, 3, 8} {
			terms := 0.0 // the derivative of Σ −(1−p)ʲ/j
			for j := 1; j < k; j++ {
				terms += math.Pow(1-p, float64(j-1))
			}
			assert.InEpsilon(t, terms, slope(t, rloo.MaxRL{}, k, p), 1e-12)
		}
		assert.InEpsilon(t, 1/p, slope(t, rloo.MaxRL{}, 1500, p), 1e-3)
	}
	reward := []float64{1, 0, 1, 1, 0, 0}
	assert.Equal(t, eval(t, rloo.RLOO{}, reward, rloo.Groups{K: 2}), eval(t, rloo.MaxRL{}, reward, rloo.Groups{K: 2}))
}

// One spread for the batch leaves the weights of prompts as they are, in the limit; one for
// each group does not.
func TestTheoryWhitenedLimit(t *testing.T) {
	const k = 150
	ps := []float64{0.1, 0.5}
	slopes := func(a rloo.Advantage) float64 {
		var c [2]float64
		reward, dst := make([]float64, 2*k), make([]float64, 2*k)
		for m := range k + 1 {
			for n := range k + 1 {
				prob := distuv.Binomial{N: k, P: ps[0]}.Prob(float64(m)) * distuv.Binomial{N: k, P: ps[1]}.Prob(float64(n))
				if prob < 1e-9 {
					continue
				}
				clear(reward)
				floats.AddConst(1, reward[:m])
				floats.AddConst(1, reward[k:k+n])
				_, err := a.Eval(dst, reward, rloo.Groups{K: k})
				require.NoError(t, err)
				c[0] += prob * (floats.Sum(dst[:m])/ps[0] - floats.Sum(dst[m:k])/(1-ps[0]))
				c[1] += prob * (floats.Sum(dst[k:k+n])/ps[1] - floats.Sum(dst[k+n:])/(1-ps[1]))
			}
		}
		return c[0] / c[1]
	}
	assert.InEpsilon(t, 1, slopes(rloo.Whitened{}), 0.01)
	assert.InEpsilon(t, math.Sqrt(0.25/0.09), slopes(rloo.Standardised{}), 0.01)
}

// For other rewards the mean of Standardised is E[a(y)·∇ log π(y)], and is no multiple of the
// gradient, while that of RLOOStandardised is c·∇ E[r].
func TestTheoryStandardisedRewards(t *testing.T) {
	p := randomSoftmax(9, 5)
	p.reward[2] = 10 // an outlier
	truth := p.policyGradient(p.reward, 1)
	for _, k := range []int{3, 4} {
		for _, std := range stds {
			effective, c := make([]float64, 5), 0.0
			p.draws(k-1, func(others []int, prob float64) {
				rest := gather(p.reward, others)
				c += prob / spreadOf(std, rest)
				for y, r := range p.reward {
					group := append([]float64{r}, rest...)
					if floats.Max(group) > floats.Min(group) {
						effective[y] += prob * (r - floats.Sum(group)/float64(k)) / spreadOf(std, group)
					}
				}
			})
			name := fmt.Sprintf("k = %d, %+v", k, std)
			mean := expectation(t, []softmax{p}, []int{k}, always(rloo.Standardised{Std: std}))[0]
			assert.InDeltaSlice(t, p.policyGradient(effective, 1), mean, 1e-14, name)
			assert.Less(t, cosine(mean, truth), 0.999, name)
			if std.Epsilon > 0 {
				mean = expectation(t, []softmax{p}, []int{k}, always(rloo.RLOOStandardised{Std: std}))[0]
				assert.InDeltaSlice(t, p.policyGradient(p.reward, c), mean, 1e-12, name)
			}
		}
	}
}
