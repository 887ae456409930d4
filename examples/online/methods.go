package main

import (
	"github.com/prefgrad/prefgrad/examples/internal/gap"
	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

// What no flag changes. They are the values of the papers or of the usual libraries.
const (
	clip    = 0.2   // of ratios, on both sides
	alpha   = 1e-5  // of XPO's optimism
	eta     = 1.0   // of REBEL
	mixture = 0.125 // the reference's share in Nash-MD's opponent
)

// fixed lists them, and the problem's.
func fixed() map[string]any {
	m := gap.Fixed()
	m["clip"], m["xpo_alpha"], m["rebel_eta"], m["nash_md_mixture"] = clip, alpha, eta, mixture
	return m
}

type (
	x       = *policy.Candidates
	term    = train.Term[x, int]
	learner = *policy.LogLinear
	frozen  = *policy.Finite[x]
)

// method is one of those compared.
type method struct {
	name    string
	offline bool // it sees no reward
	drawn   bool // it draws responses
	repeat  bool // it makes several updates on a batch
	terms   func(c *config, pi learner, ref frozen, reward train.RewardFunc[x, int]) ([]term, error)
}

// single makes a method of a term that cannot fail.
func single(make func(c *config, pi learner, ref frozen, reward train.RewardFunc[x, int]) term) func(*config, learner, frozen, train.RewardFunc[x, int]) ([]term, error) {
	return func(c *config, pi learner, ref frozen, reward train.RewardFunc[x, int]) ([]term, error) {
		return []term{make(c, pi, ref, reward)}, nil
	}
}

func offline(c *config, pi learner) term {
	return &train.Offline[x, int]{Policy: pi, Loss: loss.DPO{Beta: c.DPOBeta}}
}

// judged is a judge that answers with the probabilities of a Bradley–Terry model.
func judged(reward train.RewardFunc[x, int]) sampler.Judge[x, int] {
	return sampler.Scored[x, int]{Scorer: sampler.ScorerFunc[x, int](reward)}
}

// methods lists all, in the order of the table.
var methods = []method{
	{name: "dpo", offline: true, terms: single(func(c *config, pi learner, _ frozen, _ train.RewardFunc[x, int]) term {
		return offline(c, pi)
	})},
	{name: "hypo", offline: true, drawn: true, terms: func(c *config, pi learner, ref frozen, _ train.RewardFunc[x, int]) ([]term, error) {
		return []term{offline(c, pi), &train.KLPenalty[x, int]{Policy: pi, Ref: ref, K: c.K, Lambda: c.Lambda}}, nil
	}},
	{name: "rloo", drawn: true, terms: single(func(c *config, pi learner, ref frozen, reward train.RewardFunc[x, int]) term {
		return gradient(c, pi, ref, reward, rloo.RLOO{}, c.Beta, loss.Reinforce{By: loss.SumTokens})
	})},
	{name: "ppo", drawn: true, repeat: true, terms: single(func(c *config, pi learner, ref frozen, reward train.RewardFunc[x, int]) term {
		return gradient(c, pi, ref, reward, rloo.RLOO{}, c.Beta, loss.PPO{ClipLow: clip, ClipHigh: clip, By: loss.SumTokens})
	})},
	{name: "grpo", drawn: true, repeat: true, terms: single(func(c *config, pi learner, ref frozen, reward train.RewardFunc[x, int]) term {
		return gradient(c, pi, ref, reward, rloo.Standardised{}, 0, loss.GRPO{ClipLow: clip, ClipHigh: clip, Beta: c.Beta})
	})},
	{name: "online-dpo", drawn: true, terms: single(func(c *config, pi learner, ref frozen, reward train.RewardFunc[x, int]) term {
		return &train.OnlinePairs[x, int]{Policy: pi, Ref: ref, Loss: loss.DPO{Beta: c.Beta}, K: c.K, Judge: judged(reward), Soft: true}
	})},
	{name: "nash-md", drawn: true, terms: func(c *config, pi learner, ref frozen, reward train.RewardFunc[x, int]) ([]term, error) {
		opponent, err := policy.GeometricMixture[x](pi, ref, mixture)
		return []term{&train.NashMD[x, int]{Policy: pi, Ref: ref, Opponent: opponent, Judge: judged(reward), K: c.K / 2, Beta: c.Beta}}, err
	}},
	{name: "xpo", drawn: true, terms: single(func(c *config, pi learner, ref frozen, reward train.RewardFunc[x, int]) term {
		return &train.XPO[x, int]{Policy: pi, Ref: ref, Loss: loss.DPO{Beta: c.Beta}, Judge: judged(reward), Soft: true, Alpha: alpha, K: c.K / 2}
	})},
	{name: "rebel", drawn: true, repeat: true, terms: single(func(c *config, pi learner, ref frozen, reward train.RewardFunc[x, int]) term {
		return &train.REBEL[x, int]{Policy: pi, Ref: ref, Reward: reward, K: c.K, Eta: eta, Beta: c.Beta}
	})},
	{name: "best-of-n", drawn: true, terms: single(func(c *config, pi learner, ref frozen, reward train.RewardFunc[x, int]) term {
		return &train.BestOfN[x, int]{Policy: pi, From: ref, Reward: reward, N: c.K}
	})},
}

func gradient(c *config, pi learner, ref frozen, reward train.RewardFunc[x, int], a rloo.Advantage, beta float64, l loss.PolicyGradient) term {
	return &train.PolicyGradient[x, int]{Policy: pi, Ref: ref, Reward: reward, K: c.K, Advantage: a, Beta: beta, Loss: l}
}

func methodNames() []string {
	var names []string
	for _, m := range methods {
		names = append(names, m.name)
	}
	return names
}
