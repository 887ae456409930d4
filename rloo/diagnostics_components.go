package rloo

import (
	"fmt"
	"math"
)

// Components splits the variance of a gradient estimate into what more samples per prompt
// reduce and what only more prompts do. With g_x the gradient from K samples of prompt x,
//
//	tr Cov(mean of g_x over n prompts) = (Between + Within)/n
//	Within = E_x tr Cov(g_x | x),    Between = tr Cov_x(E[g_x | x])
//
// It takes two or more independent groups of K samples for each prompt, the same number for
// all, and is a one-way analysis of variance: both estimates are unbiased, and Between may
// come out below 0. The zero value but for K is ready; accumulators merge. It is not safe for
// concurrent use.
type Components struct {
	K      int           // samples of a group, positive
	Groups int           // groups of a prompt; set by the first Add
	Inside float64       // Σ over prompts of the unbiased tr Cov of one group
	Means  GradientStats // of the prompts' means over their groups
	mean   []float64
}

// Add adds one prompt by the gradients of its groups. A coordinate that is not finite is an
// error, and then nothing is added. It panics for fewer than two groups, another number of
// them than before, or different lengths.
func (c *Components) Add(groups ...[]float64) error {
	m := len(groups)
	if m < 2 || c.Groups != 0 && c.Groups != m {
		panic("rloo: Components needs two or more groups of every prompt, always as many")
	}
	n := len(groups[0])
	for j, g := range groups {
		if len(g) != n {
			panic(badLength)
		}
		for i, v := range g {
			if !isFinite(v) {
				return fmt.Errorf("rloo: gradient of group %d [%d] = %v, must be finite", j, i, v)
			}
		}
	}
	if len(c.mean) != n {
		c.mean = make([]float64, n)
	}
	inside := 0.0
	for i := range c.mean {
		base, sum := groups[0][i], 0.0
		for _, g := range groups {
			sum += g[i] - base
		}
		mean := base + sum/float64(m)
		c.mean[i] = mean
		for _, g := range groups {
			inside += (g[i] - mean) * (g[i] - mean)
		}
	}
	if err := c.Means.Add(c.mean); err != nil {
		return err
	}
	c.Groups = m
	c.Inside += inside / float64(m-1)
	return nil
}

// Merge adds the prompts that o has seen. It panics if K or the number of groups differ.
func (c *Components) Merge(o *Components) {
	if o.Groups == 0 {
		return
	}
	if c.K != o.K || c.Groups != 0 && c.Groups != o.Groups {
		panic("rloo: Components of different K or numbers of groups")
	}
	c.Means.Merge(&o.Means)
	c.Groups = o.Groups
	c.Inside += o.Inside
}

// Variance returns both components, for groups of K samples; Between is NaN for fewer than
// two prompts, and both are for none.
func (c *Components) Variance() (within, between float64) {
	if c.Means.N == 0 {
		return math.NaN(), math.NaN()
	}
	within = c.Inside / float64(c.Means.N)
	return within, c.Means.Noise().Trace - within/float64(c.Groups)
}

// SE extrapolates the standard error of the mean over a number of prompts with k samples
// each, √((Between + Within·K/k)/prompts). The law 1/k is exact for averages; of a
// leave-one-out estimate, whose variance is (a + b/(k−1))/k, it is an upper bound for k > K.
// A Between below 0 counts as 0.
func (c *Components) SE(k, prompts int) float64 {
	within, between := c.Variance()
	if between < 0 {
		between = 0
	}
	return math.Sqrt((between + within*float64(c.K)/float64(k)) / float64(prompts))
}
