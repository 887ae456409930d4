// Package gap is the coverage-gap problem: a synthetic preference problem on which every
// quantity is exact. Most responses are garbage that the reference seldom writes, so that
// preference pairs drawn from the reference hardly ever show how bad they are; a policy that
// is held to the pairs alone is free to move its mass there.
package gap

import (
	"math"
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// The sizes of the problem.
const (
	Prompts   = 256 // to train on, and as many held out
	Responses = 64  // to each prompt
	Good      = 8   // of them no garbage
	Dim       = 48  // of a feature vector

	pairsPerPrompt = 2
	rewardNorm     = 3.0 // |θ*|
	garbagePenalty = 3.0 // off the reward of garbage
	garbageLogit   = 4.0 // off the reference's logit of garbage
)

// Fixed lists what no flag changes.
func Fixed() map[string]any {
	return map[string]any{
		"prompts": Prompts, "responses": Responses, "good_responses": Good, "dim": Dim, "pairs_per_prompt": pairsPerPrompt,
		"reward_norm": rewardNorm, "garbage_penalty": garbagePenalty, "garbage_logit": garbageLogit,
		"reward_model_l2": rewardL2, "optimizer": "Adam",
	}
}

// Problem is one draw of the problem.
type Problem struct {
	Train, Test Split
	Pairs       train.Data[*policy.Candidates, int] // offline data on the training prompts
	TestPairs   train.Data[*policy.Candidates, int] // the same on held-out prompts, to judge a reward model
}

// Split is a set of prompts with their true rewards.
type Split struct {
	X      []*policy.Candidates
	Reward [][]float64 // r*(x, y)
}

// New draws the problem of a seed.
func New(seed uint64) (*Problem, error) {
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	theta := make([]float64, Dim)
	norm := 0.0
	for i := range theta {
		theta[i] = rng.NormFloat64()
		norm += theta[i] * theta[i]
	}
	for i := range theta {
		theta[i] *= rewardNorm / math.Sqrt(norm)
	}
	p := &Problem{}
	for _, s := range []*Split{&p.Train, &p.Test} {
		if err := s.draw(rng, theta); err != nil {
			return nil, err
		}
	}
	p.Pairs = p.Train.pairs(rng)
	p.TestPairs = p.Test.pairs(rng)
	return p, nil
}

func (s *Split) draw(rng *rand.Rand, theta []float64) error {
	for range Prompts {
		phi := make([]float64, Responses*Dim)
		for j := range phi {
			phi[j] = rng.NormFloat64() * 2 / math.Sqrt(Dim)
		}
		f, err := policy.NewDense(Responses, Dim, phi)
		if err != nil {
			return err
		}
		ref, reward := make([]float64, Responses), make([]float64, Responses)
		f.Mul(reward, theta)
		for y := range ref {
			ref[y] = rng.NormFloat64()
			if y >= Good {
				ref[y] -= garbageLogit
				reward[y] -= garbagePenalty
			}
		}
		x := &policy.Candidates{Ref: normalize(ref), Features: f}
		s.X, s.Reward = append(s.X, x), append(s.Reward, reward)
	}
	return nil
}

// pairs draws two distinct responses from π_ref and labels them by Bradley–Terry on r*.
func (s *Split) pairs(rng *rand.Rand) train.Data[*policy.Candidates, int] {
	var d train.Data[*policy.Candidates, int]
	for i, x := range s.X {
		for range pairsPerPrompt {
			a := draw(rng, x.Ref)
			b := draw(rng, x.Ref)
			for b == a {
				b = draw(rng, x.Ref)
			}
			if rng.Float64() >= sigmoid(s.Reward[i][a]-s.Reward[i][b]) {
				a, b = b, a
			}
			d.X = append(d.X, x)
			d.Chosen, d.Rejected = append(d.Chosen, a), append(d.Rejected, b)
			d.RefChosen = append(d.RefChosen, x.Ref[a])
			d.RefRejected = append(d.RefRejected, x.Ref[b])
		}
	}
	return d
}

// draw returns a response from the distribution with the given log-probabilities.
func draw(rng *rand.Rand, logp []float64) int {
	u := rng.Float64()
	for y, l := range logp {
		if u -= math.Exp(l); u < 0 {
			return y
		}
	}
	return 0
}

func normalize(logits []float64) []float64 {
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(l)
	}
	for i := range logits {
		logits[i] -= math.Log(sum)
	}
	return logits
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
