package sampler

import (
	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
)

// Rollouts describes the replies of r in dst, for policy gradients ([loss.PolicyGradient]): where
// their tokens lie, log μ of each as Behaviour, and as Truncated which of them reached the maximum
// length. dst shares the memory of r, all but that of Truncated. Its other fields stay as they
// are: LogProb, Old and Ref are for passes of the policy and its reference to fill in, Advantage
// for package rloo. Where the generator computes to the bit as the policy does, r.Model is Old.
func Rollouts(dst *loss.Rollouts, r *policy.Rollout) {
	t := r.Tokens
	dst.Layout = loss.Layout{Begin: t.Begin, Prompt: t.Prompt, Mask: t.Mask}
	dst.Behaviour = r.LogProb
	dst.Truncated = dst.Truncated[:0]
	for _, f := range r.Finish {
		dst.Truncated = append(dst.Truncated, f == policy.FinishLength)
	}
}
