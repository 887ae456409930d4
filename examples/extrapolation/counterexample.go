package main

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// deltas are the probabilities that π_ref gives the third response. With 0 nothing is trained.
var deltas = []float64{1e-1, 1e-2, 1e-4, 1e-8, 1e-16, 1e-32, 1e-64, 1e-128, 0}

// trueReward is r*; the pairs compare the first two responses.
var trueReward = []float64{1, 0, 0}

// violator is the policy that an offline loss accepts: the right margin between the first two
// responses, and some mass on the third, which no pair contains.
func violator(margin float64) []float64 {
	p := normalize([]float64{margin, 0})
	floats.AddConst(math.Log1p(-outside), p)
	return append(p, math.Log(outside))
}

func counterexamplePart(ctx context.Context, c *config, seeds []uint64, p *train.Progress) ([]violation, error) {
	ends := make([][2]float64, len(deltas)*len(seeds)) // KL, J
	err := command.Parallel(ctx, len(ends), func(ctx context.Context, i int) error {
		seed, delta := seeds[i%len(seeds)], deltas[i/len(seeds)]
		if delta == 0 {
			p.Add(c.Steps, nil)
			return nil
		}
		var err error
		if ends[i], err = leave(ctx, c, delta, seed, p); err != nil {
			return fmt.Errorf("counterexample, δ = %v, seed %d: %w", delta, seed, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []violation
	preferred := 1 / (1 + math.Exp(trueReward[1]-trueReward[0]))
	for i, delta := range deltas {
		ref := reference(delta)
		best := floats.AddScaledTo(make([]float64, 3), ref, 1/c.Beta, trueReward)
		v := violation{Delta: jsonnum.Float(delta), BestJ: jsonnum.Float(value(normalize(best), ref, c.Beta))}
		if v.DPO, err = stays(c, ref, loss.DPO{Beta: c.Beta}, (trueReward[0]-trueReward[1])/c.Beta); err != nil {
			return nil, err
		}
		if v.IPO, err = stays(c, ref, loss.IPO{Tau: c.Beta, LogRatio: loss.Sum}, (preferred-0.5)/c.Beta); err != nil {
			return nil, err
		}
		if delta > 0 {
			var kl, j []float64
			for s := range seeds {
				kl, j = append(kl, ends[i*len(seeds)+s][0]), append(j, ends[i*len(seeds)+s][1])
			}
			v.HyPO = &escape{report.NewStat(kl, nil), report.NewStat(j, nil)}
			least := jsonnum.Float(minimum(delta, preferred, c.Beta, c.Lambda))
			v.Minimum = &least
		}
		out = append(out, v)
	}
	return out, nil
}

// reference is π_ref = ((1−δ)/2, (1−δ)/2, δ).
func reference(delta float64) []float64 {
	return []float64{math.Log1p(-delta) - math.Ln2, math.Log1p(-delta) - math.Ln2, math.Log(delta)}
}

// value is J(π) = E_π[r*] − β·KL(π‖π_ref).
func value(logp, ref []float64, beta float64) float64 {
	j := -beta * coverage.KL(logp, ref)
	for y, l := range logp {
		j += math.Exp(l) * trueReward[y]
	}
	return j
}

// stays evaluates an offline loss at its violator, where log π(y₁)/π_ref(y₁) −
// log π(y₂)/π_ref(y₂) is the margin.
func stays(c *config, ref []float64, l loss.Pairwise, margin float64) (stay, error) {
	logp := violator(margin)
	pi, base := policy.NewTabular(1, 3, logp), policy.NewTabular(1, 3, ref).Freeze()
	term, err := newLabelled(pi, base, l, comparisons(trueReward, 2))
	if err != nil {
		return stay{}, err
	}
	if err := term.Accumulate(context.Background(), nil, policy.Key{}, &train.Metrics{}); err != nil {
		return stay{}, err
	}
	worst := 0.0
	for i, l := range term.pairs.Chosen { // each pair is there in both orders
		got := l - term.pairs.RefChosen[i] - term.pairs.Rejected[i] + term.pairs.RefRejected[i]
		worst = max(worst, math.Abs(math.Abs(got)-margin))
	}
	return stay{
		PairError: jsonnum.Float(worst), Gradient: jsonnum.Float(floats.Norm(pi.Grad(), math.Inf(1))),
		KL: jsonnum.Float(coverage.KL(logp, ref)), J: jsonnum.Float(value(logp, ref, c.Beta)),
	}, nil
}

// leave trains HyPO from DPO's violator, and returns its KL and J.
func leave(ctx context.Context, c *config, delta float64, seed uint64, p *train.Progress) (end [2]float64, err error) {
	ref := reference(delta)
	pi := policy.NewTabular(1, 3, violator((trueReward[0]-trueReward[1])/c.Beta))
	base := policy.NewTabular(1, 3, ref).Freeze()
	dpo, err := newLabelled(pi, base, loss.DPO{Beta: c.Beta}, comparisons(trueReward, 2))
	if err != nil {
		return end, err
	}
	l := &train.Loop[int, int]{
		Data: train.Data[int, int]{X: []int{0}}, Batch: 1, Updater: train.NewSGD(pi, 0), Schedule: train.Cosine{},
		Terms: []train.Term[int, int]{dpo, &train.KLPenalty[int, int]{Policy: pi, Ref: base, K: c.K, Lambda: c.Lambda}},
		Steps: c.Steps, LR: escapeLR / max(1, c.Beta*c.Beta), Seed: seed, Progress: p,
	}
	if _, err := l.Run(ctx); err != nil {
		return end, err
	}
	logp, err := logProbs(pi)
	if err != nil {
		return end, err
	}
	return [2]float64{coverage.KL(logp, ref), value(logp, ref, c.Beta)}, nil
}

// minimum returns KL(π‖π_ref) at the minimum of HyPO's objective. Given the margin h of the
// first two responses, whose conditional distribution is then c, the third may have the mass
// that makes the KL least, −log Σ π_ref(y)·e^{−d(y)} with d = KL(c‖½) on the pair and 0 else;
// the minimum over h is found by golden section.
func minimum(delta, preferred, beta, lambda float64) float64 {
	kl := func(h float64) float64 {
		c := 1 / (1 + math.Exp(-h))
		inPair := c*math.Log(2*c) + (1-c)*math.Log(2*(1-c))
		return -math.Log((1-delta)*math.Exp(-inPair) + delta)
	}
	objective := func(h float64) float64 {
		return preferred*math.Log1p(math.Exp(-beta*h)) + (1-preferred)*math.Log1p(math.Exp(beta*h)) + lambda*kl(h)
	}
	lo, hi, ratio := 0.0, 1/beta, (math.Sqrt(5)-1)/2
	for range 80 {
		a, b := hi-ratio*(hi-lo), lo+ratio*(hi-lo)
		if objective(a) < objective(b) {
			hi = b
		} else {
			lo = a
		}
	}
	return kl((lo + hi) / 2)
}
