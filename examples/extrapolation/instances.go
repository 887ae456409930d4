package main

import (
	"math"
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/policy"
)

// threeResponses is the example of the paper: φ(y₁) = (1, 0) is the best and in no pair,
// φ(y₂) = (½, ½) chosen, φ(y₃) = (0, 1) rejected; π_ref is uniform. The seed changes only
// what online RLHF draws.
func threeResponses(uint64) (*instance, error) {
	f, err := policy.NewDense(3, 2, []float64{1, 0, 0.5, 0.5, 0, 1})
	if err != nil {
		return nil, err
	}
	x := &policy.Candidates{Features: f}
	in := &instance{x: []*policy.Candidates{x}, best: []int{0}, exact: true}
	for range copies {
		in.data.X = append(in.data.X, x)
		in.data.Chosen, in.data.Rejected = append(in.data.Chosen, 1), append(in.data.Rejected, 2)
	}
	return in, in.fit(oneL2) // the one label has no finite fit without it
}

// randomFeatures draws prompts whose responses have Gaussian features, r* = φ·θ*, and pairs
// of distinct responses other than the best, labelled by Bradley–Terry. π_ref is uniform.
func randomFeatures(seed uint64) (*instance, error) {
	rng := rand.New(rand.NewPCG(seed, 0x6a09e667f3bcc909))
	theta, norm := make([]float64, dim), 0.0
	for i := range theta {
		theta[i] = rng.NormFloat64()
		norm = math.Hypot(norm, theta[i])
	}
	for i := range theta {
		theta[i] *= rewardLen / norm
	}
	in := &instance{}
	for range prompts {
		phi := make([]float64, responses*dim)
		for i := range phi {
			phi[i] = rng.NormFloat64()
		}
		f, err := policy.NewDense(responses, dim, phi)
		if err != nil {
			return nil, err
		}
		x, r := &policy.Candidates{Features: f}, make([]float64, responses)
		f.Mul(r, theta)
		best := 0
		for y, v := range r {
			if v > r[best] {
				best = y
			}
		}
		in.x, in.best = append(in.x, x), append(in.best, best)
		for range pairs {
			a := other(rng, best)
			b := other(rng, best)
			for b == a {
				b = other(rng, best)
			}
			if rng.Float64() >= 1/(1+math.Exp(r[b]-r[a])) {
				a, b = b, a
			}
			in.data.X = append(in.data.X, x)
			in.data.Chosen, in.data.Rejected = append(in.data.Chosen, a), append(in.data.Rejected, b)
		}
	}
	return in, in.fit(0)
}

// other draws a response that is not best.
func other(rng *rand.Rand, best int) int {
	y := rng.IntN(responses - 1)
	if y >= best {
		y++
	}
	return y
}
