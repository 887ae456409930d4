package loss

import (
	"cmp"

	"github.com/prefgrad/prefgrad/internal/elem"
	"github.com/prefgrad/prefgrad/rloo"
)

// Samples is a batch of responses drawn from the policy that is trained, K independent
// draws for each prompt next to each other.
type Samples struct {
	LogProb []float64 // log π(y|x)
	Ref     []float64 // log π_ref(y|x)
	Reward  []float64 // r(x, y), for objectives that have a reward
	K       int       // draws per prompt, at least 2
}

// SamplesOut receives what an online objective makes of Samples: slices as long as the
// batch, or nil where not wanted.
type SamplesOut struct {
	Loss []float64 // the loss of each sample
	// LogProb is the weight wᵢ of ∇ log π(yᵢ), no log-probability and no derivative of Loss, which
	// would miss that the samples' distribution depends on π: the leave-one-out estimate of
	// rloo, with E[(1/n)·Σᵢ wᵢ·∇ log π(yᵢ)] = ∇ of the objective.
	LogProb []float64
}

// RLHF is the KL-regularised reward of online RLHF, as a loss,
//
//	−E_π[r(x, y)] + β·KL(π‖π_ref)
//
// estimated from samples of π: each sample's loss is −(r − β·ℓ), and the weights are the
// negative leave-one-out advantages of r − β·ℓ, with the KL inside the reward and so
// inside the baseline (Song et al. 2024, arXiv:2406.01462; Ahmadian et al. 2024,
// arXiv:2402.14740). Its minimiser is π ∝ π_ref·e^{r/β}.
//
// Beta is finite and not negative; at 0 the reference is still read, since the loss says
// how far the policy has gone.
type RLHF struct {
	Beta float64 // β, the KL coefficient: reward per nat
}

// Eval stores per-sample losses and weights in dst. A reward or log-probability that is
// not finite is an [*InputError].
func (l RLHF) Eval(dst SamplesOut, s Samples) (Total, error) {
	if s.Reward == nil {
		panic("loss: RLHF without rewards")
	}
	if err := nonNegative("RLHF.Beta", l.Beta); err != nil {
		return Total{}, err
	}
	t, err := s.value(dst, l.Beta)
	if err != nil || dst.LogProb == nil {
		return t, err
	}
	if err := rloo.Reward(dst.LogProb, s.Reward, s.LogProb, s.Ref, l.Beta, s.K); err != nil {
		return t, err
	}
	elem.Affine(dst.LogProb, dst.LogProb, -1, 0)
	return t, nil
}

// KLPenalty is λ·KL(π‖π_ref) estimated from samples of π: each sample's loss is λ·ℓ, and
// the weights are λ times the leave-one-out advantages of ℓ. It is the online term of
// [HyPO], and needs no reward. Its minimiser is π_ref. train.KLPenalty is the term of a training
// loop that draws the samples and calls this.
//
// Lambda is finite and not negative.
type KLPenalty struct {
	Lambda float64
}

// Eval stores per-sample losses and weights in dst; s.Reward is not read. A
// log-probability that is not finite is an [*InputError].
func (l KLPenalty) Eval(dst SamplesOut, s Samples) (Total, error) {
	if err := nonNegative("KLPenalty.Lambda", l.Lambda); err != nil {
		return Total{}, err
	}
	s.Reward = nil
	t, err := s.value(dst, l.Lambda)
	if err != nil || dst.LogProb == nil {
		return t, err
	}
	if err := rloo.KL(dst.LogProb, s.LogProb, s.Ref, s.K); err != nil {
		return t, err
	}
	elem.Affine(dst.LogProb, dst.LogProb, l.Lambda, 0)
	return t, nil
}

// value checks the batch and evaluates β·ℓ − r, with r = 0 where there is no reward.
func (s Samples) value(dst SamplesOut, beta float64) (Total, error) {
	n := len(s.LogProb)
	sized(n, dst.Loss, dst.LogProb, s.Reward)
	if len(s.Ref) != n {
		panic(badLength)
	}
	if s.K < 2 || n%s.K != 0 {
		panic("loss: Samples.K < 2, or a batch that is not a multiple of it")
	}
	if err := cmp.Or(finite("LogProb", s.LogProb), finite("Ref", s.Ref), finite("Reward", s.Reward)); err != nil {
		return Total{}, err
	}
	var sum compensated
	inBlocks(n, func(w *linkScratch, lo, hi int) {
		v := w.u[:hi-lo]
		elem.Differences(v, s.LogProb[lo:hi], s.Ref[lo:hi])
		elem.Affine(v, v, beta, 0)
		if s.Reward != nil {
			elem.Differences(v, v, s.Reward[lo:hi])
		}
		sum.add(elem.Sum(v))
		if dst.Loss != nil {
			copy(dst.Loss[lo:], v)
		}
	})
	return Total{Sum: sum.value(), Count: n}, nil
}
