package train_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/train"
)

// contest is a problem with one prompt and four responses whose pairs contradict each other,
// so that DPO has a finite optimum; the pairs do not reach the last response.
type contest struct {
	*policy.Tabular
	ref  *policy.Finite[int]
	data train.Data[int, int]
}

const contestBeta = 0.5

func newContest() *contest {
	p := policy.NewTabular(1, 4, []float64{-1, -1.5, -2, -1.2})
	c := &contest{Tabular: p, ref: p.Freeze()}
	for _, pair := range []struct{ chosen, rejected, times int }{{0, 1, 4}, {1, 0, 1}, {1, 2, 2}, {2, 1, 1}, {0, 2, 3}, {2, 0, 1}} {
		for range pair.times {
			c.data.X = append(c.data.X, 0)
			c.data.Chosen, c.data.Rejected = append(c.data.Chosen, pair.chosen), append(c.data.Rejected, pair.rejected)
		}
	}
	if err := c.data.CacheRef(ctx, c.ref, 12, nil); err != nil {
		panic(err)
	}
	return c
}

func (c *contest) distributions() (p, q []float64) {
	p, q = make([]float64, 4), make([]float64, 4)
	if c.Distribution(p, 0) != nil || c.ref.Distribution(q, 0) != nil {
		panic("no distribution")
	}
	return p, q
}

// values returns KL(π‖π_ref) and the DPO loss by their definitions.
func (c *contest) values() (kl, dpo float64) {
	p, q := c.distributions()
	for y := range p {
		kl += math.Exp(p[y]) * (p[y] - q[y])
	}
	for i, a := range c.data.Chosen {
		b := c.data.Rejected[i]
		dpo += math.Log(1 + math.Exp(-contestBeta*(p[a]-q[a]-p[b]+q[b])))
	}
	return kl, dpo / float64(len(c.data.Chosen))
}

// optimum returns KL and DPO loss at the minimum of DPO + λ·KL by gradient descent with
// central differences: nothing that this library does.
func optimum(lambda float64) (kl, dpo float64) {
	c := newContest()
	objective := func() float64 {
		kl, dpo := c.values()
		return dpo + lambda*kl
	}
	for range 4000 {
		var g [4]float64
		for i := range g {
			t := c.Params()[i]
			c.Params()[i] = t + 1e-5
			up := objective()
			c.Params()[i] = t - 1e-5
			g[i] = (up - objective()) / 2e-5
			c.Params()[i] = t
		}
		for i := range g {
			c.Params()[i] -= g[i]
		}
	}
	return c.values()
}

// learn trains the policy with a KL term.
func (c *contest) learn(t *testing.T, kl train.Term[int, int], steps int, seed uint64) {
	l := train.Loop[int, int]{
		Data: c.data, Terms: []train.Term[int, int]{&train.Offline[int, int]{Policy: c, Loss: loss.DPO{Beta: contestBeta}}, kl},
		Updater: train.NewSGD(c, 0), Steps: steps, Batch: c.data.Len(), LR: 2, Schedule: train.Cosine{}, Seed: seed,
	}
	_, err := l.Run(ctx)
	require.NoError(t, err)
}

// TestPenaltyPath trains HyPO to its end for several λ. KL falls and the offline loss rises
// with λ, and both are those of the exact optimum.
func TestPenaltyPath(t *testing.T) {
	lastKL, lastDPO := math.Inf(1), 0.0
	for _, lambda := range []float64{0, 0.02, 0.06, 0.2, 0.6} {
		wantKL, wantDPO := optimum(lambda)
		c := newContest()
		c.learn(t, &train.KLPenalty[int, int]{Policy: c, Ref: c.ref, K: 8, Lambda: lambda}, 600, 1)
		kl, dpo := c.values()
		assert.InDelta(t, wantKL, kl, 0.02*wantKL+1e-3, "KL at λ = %v", lambda)
		assert.InDelta(t, wantDPO, dpo, 1e-3, "DPO loss at λ = %v", lambda)
		assert.Less(t, kl, lastKL, "λ = %v", lambda)
		assert.Greater(t, dpo, lastDPO, "λ = %v", lambda)
		lastKL, lastDPO = kl, dpo
	}
}

// TestBudget: constrained HyPO comes to rest at its budget where that binds; where it does
// not, λ falls to 0 and the policy is DPO's.
func TestBudget(t *testing.T) {
	free, dpo := optimum(0)
	constrained := func(limit float64, seed uint64) (kl, loss, lambda float64) {
		c := newContest()
		b := &train.KLBudget[int, int]{Policy: c, Ref: c.ref, K: 8, Dual: rloo.Dual{Budget: limit, Rate: 0.01, Lambda: 0.1}}
		c.learn(t, b, 800, seed)
		kl, loss = c.values()
		return kl, loss, b.Dual.Lambda
	}
	tight := free / 3
	var kls []float64
	for seed := range uint64(5) {
		kl, loss, lambda := constrained(tight, seed)
		kls = append(kls, kl)
		assert.Positive(t, lambda)
		assert.Greater(t, loss, dpo)
	}
	slices.Sort(kls)
	assert.InEpsilon(t, tight, kls[2], 0.05, "%v", kls)

	kl, _, lambda := constrained(3*free, 1)
	assert.Zero(t, lambda)
	assert.InEpsilon(t, free, kl, 0.02)
}
