package loss

import (
	"cmp"
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// AStarPO is the loss of Policy Optimization via Optimal Advantage Regression, A*-PO,
//
//	(β·log π(y|x)/π_ref(y|x) − (r − V*(x)))²
//
// for each reply (Brantley et al. 2025, arXiv:2505.20686, with β its β₂), a regression onto the
// advantage of the optimal policy, with log-probabilities of whole replies. V* is
// [OptimalValue] of rewards of replies from π_ref. If V* is exact for β, the loss is 0 for every
// reply at π ∝ π_ref·e^{r/β}, its minimiser whatever the replies were drawn from: there is no
// ratio, and Old is not used. The derivative of the expectation is this loss's expected
// derivative for replies from a fixed distribution only; taken on-policy, as in the paper, it
// leaves out that the distribution moves.
//
// Advantage has r − V* at every token of the reply; tokens that differ are an [*InputError].
// Beta is positive, 1e-3 in the paper and in TRL. Weight multiplies, its mean over the reply's
// tokens. It uses Advantage, Ref and Weight of [Rollouts]; Sum/Sequences is the mean over
// replies. Log-probabilities of −Inf cost +Inf.
type AStarPO struct {
	Beta float64 // β, the KL coefficient: reward per nat of log π/π_ref
}

var _ PolicyGradient = AStarPO{}

// Eval implements [PolicyGradient].
func (l AStarPO) Eval(dst RolloutsOut, b Rollouts) (RolloutsTotal, error) {
	if err := positive("AStarPO.Beta", l.Beta); err != nil {
		return RolloutsTotal{}, err
	}
	b.check()
	b.advantaged()
	for i := range b.Len() {
		if p := b.uneven(i); p >= 0 {
			return RolloutsTotal{}, &InputError{"Advantage", p, b.Advantage[p], "not that of the reply's first token"}
		}
	}
	return evalRollouts(dst, b, aStarKernel{l.Beta}, SumTokens, needsAdvantage|needsRef, nil)
}

// uneven returns the position of a token whose advantage is not that of the first token of
// reply i, or −1.
func (b Rollouts) uneven(i int) int {
	lo, hi := b.Reply(i)
	first := math.NaN()
	for p := lo; p < hi; p++ {
		if !b.Counts(p) {
			continue
		}
		a := b.Advantage[p]
		if first != first {
			first = a
		}
		if a != first && isFinite(a) {
			return p
		}
	}
	return -1
}

type aStarKernel struct{ beta float64 }

func (k aStarKernel) run(r *reply) Clips {
	l, w := 0.0, 1.0
	for j, lp := range r.LogProb {
		l += lp - r.ref[j]
	}
	if r.weight != nil {
		w = elem.Sum(r.weight) / float64(len(r.weight))
	}
	d := k.beta*l - r.Advantage[0]
	r.loss[0] = product(w, d*d)
	fill(r.slope, product(w, 2*k.beta*d))
	return Clips{}
}

// OptimalValue returns the value of a prompt under the optimal policy of the reward with a KL
// penalty,
//
//	V* = β·log mean_j e^{r_j/β},
//
// from rewards of replies drawn from π_ref (arXiv:2505.20686, with β its β₁): between their mean,
// for large β, and their maximum. It is consistent; of few replies it is too small on average.
// An empty slice panics, a reward that is not finite is an [*InputError], and a β that is not
// positive and finite a [*ParamError].
func OptimalValue(reward []float64, beta float64) (float64, error) {
	if len(reward) == 0 {
		panic("loss: OptimalValue of no rewards")
	}
	if err := cmp.Or(positive("beta", beta), finite("Reward", reward)); err != nil {
		return 0, err
	}
	top := reward[0]
	for _, r := range reward {
		top = max(top, r)
	}
	sum := 0.0
	for _, r := range reward {
		sum += math.Expm1((r - top) / beta)
	}
	// mean e^x = 1 + mean (e^x − 1), which keeps digits where β is large.
	return top + beta*math.Log1p(sum/float64(len(reward))), nil
}
