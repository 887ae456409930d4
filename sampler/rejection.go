package sampler

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/internal/draw"
)

// Rejection is statistical rejection sampling (RSO): of candidates drawn from a reference
// it keeps some, about as if they came from π ∝ π_ref·e^{r/β}; rloo.Rejection is a mask of off-policy
// samples. In each round every
// candidate that is left, in order, is accepted with probability
//
//	exp((r − max r)/β)
//
// where the maximum is that of the candidates at the beginning of the round; what was
// accepted leaves before the next one (Liu et al. 2023, arXiv:2309.06657, algorithm 1).
//
// The bound that exact rejection sampling needs is replaced by the largest reward seen, and
// later rounds are without replacement: with as many wanted as there are candidates,
// all are taken whatever their reward. It is near π only if few of many are wanted. The best
// of a round is always accepted, so those after it may come too late: the order of the
// candidates must not depend on their rewards.
//
// Candidates are known by their index: equal replies are candidates of their own. Beta is
// positive and finite; towards 0 it takes the best. It is safe for concurrent use.
type Rejection struct {
	Beta float64 // β, the temperature of rewards, in their unit: the KL coefficient of the optimum aimed at
}

// Acceptance counts what a rejection sampler proposed and accepted.
type Acceptance struct{ Proposed, Accepted int }

// Rate returns the part of the proposals that was accepted; NaN without any.
func (a Acceptance) Rate() float64 { return float64(a.Accepted) / float64(a.Proposed) }

// Select stores the indices of len(dst) different candidates in dst, in the order of their
// acceptance. It takes one number of g per proposal. left is room for as many numbers as
// there are rewards. A reward of NaN is a candidate that could not be scored: it is none.
//
// Errors: Beta out of range, an infinite reward, fewer candidates than wanted. It panics if
// len(left) ≠ len(reward).
func (s Rejection) Select(dst, left []int, reward []float64, g *rand.PCG) (Acceptance, error) {
	if len(left) != len(reward) {
		panic(badLength)
	}
	if !(s.Beta > 0) || math.IsInf(s.Beta, 1) {
		return Acceptance{}, fmt.Errorf("sampler: Rejection.Beta is %v, must be positive and finite", s.Beta)
	}
	left = left[:0]
	for i, r := range reward {
		if math.IsInf(r, 0) {
			return Acceptance{}, fmt.Errorf("sampler: reward[%d] = %v", i, r)
		}
		if r == r {
			left = append(left, i)
		}
	}
	if len(left) < len(dst) {
		return Acceptance{}, fmt.Errorf("sampler: %d accepted candidates wanted of %d", len(dst), len(left))
	}
	var a Acceptance
	for a.Accepted < len(dst) {
		top := math.Inf(-1)
		for _, i := range left {
			top = max(top, reward[i])
		}
		rest := left[:0]
		for _, i := range left {
			if a.Accepted == len(dst) {
				break
			}
			a.Proposed++
			if draw.Uniform(g) < math.Exp((reward[i]-top)/s.Beta) {
				dst[a.Accepted] = i
				a.Accepted++
			} else {
				rest = append(rest, i)
			}
		}
		left = rest
	}
	return a, nil
}
