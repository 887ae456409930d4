package main

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/internal/draw"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/rloo"
)

// problem is a softmax policy on one prompt.
type problem struct {
	rloo.Exact
	logp, ref, reward []float64
}

func newProblem(c *config) *problem {
	rng := rand.New(rand.NewPCG(c.Seed, 0x3c6ef372fe94f82b))
	n := c.Responses
	p := &problem{logp: make([]float64, n), ref: make([]float64, n), reward: make([]float64, n)}
	for y := range n {
		p.ref[y] = rng.NormFloat64()
		p.logp[y] = p.ref[y] + c.Distance*rng.NormFloat64()
		p.reward[y] = c.Offset + rng.NormFloat64()
	}
	floats.AddConst(-floats.LogSumExp(p.ref), p.ref)
	floats.AddConst(-floats.LogSumExp(p.logp), p.logp)
	for y := range n {
		p.Prob = append(p.Prob, math.Exp(p.logp[y]))
	}
	total := floats.Sum(p.Prob)
	floats.Scale(1/total, p.Prob)
	for y := range n { // ∇ log π(y) = e_y − π
		for j, q := range p.Prob {
			if j == y {
				p.Score = append(p.Score, 1-q)
			} else {
				p.Score = append(p.Score, -q)
			}
		}
	}
	return p
}

// estimator is one way to weights. Each call of make returns one with its own workspace.
type estimator struct {
	name string
	make func() rloo.Weights
}

// goal is a gradient with its estimators.
type goal struct {
	name       string
	gradient   []float64
	estimators []estimator
}

func (p *problem) targets() []goal {
	ratio := floats.SubTo(make([]float64, len(p.logp)), p.logp, p.ref)
	value := func(v rloo.KLValue) []float64 {
		out := make([]float64, len(ratio))
		for y, l := range ratio {
			out[y] = v.At(l)
		}
		return out
	}
	reward := func(a rloo.Advantage) func() rloo.Weights {
		return func() rloo.Weights { return rloo.Advantages(a, p.reward) }
	}
	penalty := func(v rloo.KLValue) func() rloo.Weights {
		return func() rloo.Weights { return rloo.Advantages(rloo.RLOO{}, value(v)) }
	}
	return []goal{
		{"reward", p.Gradient(p.reward), []estimator{
			{"no baseline", func() rloo.Weights { return gathered(p.reward) }},
			{"leave-one-out", reward(rloo.RLOO{})},
			{"optimal baseline", p.optimal},
			{"group mean", reward(rloo.GroupMean{})},
			{"mean and std", reward(rloo.Standardised{})},
		}},
		{"KL", p.Gradient(ratio), []estimator{
			{"k1 in the reward", penalty(rloo.K1)},
			{"k2 in the reward", penalty(rloo.K2)},
			{"k3 in the reward", penalty(rloo.K3)},
			{"k1 in the loss", func() rloo.Weights { return ones }},
			{"k2 in the loss", p.inLoss(func(dst, logp, ref []float64) error {
				return rloo.ReverseKLInLoss(dst, logp, ref, nil, rloo.Layout{})
			})},
			{"k3 in the loss", p.inLoss(func(dst, logp, ref []float64) error {
				return rloo.ForwardKLInLoss(dst, logp, ref, rloo.Layout{})
			})},
		}},
	}
}

// gathered is REINFORCE without a baseline.
func gathered(f []float64) rloo.Weights {
	return func(dst []float64, draws []int) error {
		for i, y := range draws {
			dst[i] = f[y]
		}
		return nil
	}
}

// optimal weighs the rewards of the others by their squared scores.
func (p *problem) optimal() rloo.Weights {
	dim := len(p.logp)
	square := make([]float64, dim)
	for y := range square {
		s := p.Score[y*dim : (y+1)*dim]
		square[y] = floats.Dot(s, s)
	}
	var weight []float64
	return func(dst []float64, draws []int) error {
		weight = weight[:0]
		for i, y := range draws {
			dst[i], weight = p.reward[y], append(weight, square[y])
		}
		_, err := rloo.OptimalBaseline{Weight: weight}.Eval(dst, dst, rloo.Groups{K: len(draws)})
		return err
	}
}

// ones is the derivative of k1.
func ones(dst []float64, _ []int) error {
	for i := range dst {
		dst[i] = 1
	}
	return nil
}

func (p *problem) inLoss(f func(dst, logp, ref []float64) error) func() rloo.Weights {
	return func() rloo.Weights {
		var logp, ref []float64
		return func(dst []float64, draws []int) error {
			logp, ref = logp[:0], ref[:0]
			for _, y := range draws {
				logp, ref = append(logp, p.logp[y]), append(ref, p.ref[y])
			}
			return f(dst, logp, ref)
		}
	}
}

// evaluate fills in one row.
func (p *problem) evaluate(row *entry, w rloo.Weights, gradient []float64, c *config) error {
	scale := norm(gradient)
	m, err := p.Moments(row.K, w)
	if err != nil {
		return err
	}
	row.Exact = figures(m.Bias(gradient), m.Trace(), scale)
	row.Cosine = jsonnum.Float(floats.Dot(m.Mean, gradient) / (norm(m.Mean) * scale))
	if norm(m.Mean) < 1e-12*scale {
		row.Cosine = jsonnum.Float(math.NaN()) // a mean of 0 points nowhere
	}

	var s rloo.GradientStats
	g, weights, ys := make([]float64, len(gradient)), make([]float64, row.K), make([]int, row.K)
	stream := rand.NewPCG(c.Seed, uint64(row.K)) // the same draws for all estimators
	for range c.Groups {
		for i := range ys {
			ys[i] = draw.Categorical(p.logp, draw.Uniform(stream))
		}
		if err := w(weights, ys); err != nil {
			return err
		}
		clear(g)
		for i, y := range ys {
			floats.AddScaled(g, weights[i]/float64(row.K), p.Score[y*len(g):(y+1)*len(g)])
		}
		if err := s.Add(g); err != nil {
			return err
		}
	}
	noise := s.Noise()
	row.Measured = figures(floats.Distance(s.Mean, gradient, 2), noise.Trace, scale)
	row.BiasSE = jsonnum.Float(noise.SE(c.Groups) / scale)
	return nil
}

func norm(v []float64) float64 { return floats.Norm(v, 2) }
