package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
)

// rated is rewards and advantages of replies that a policy-gradient loss goes on with: those
// that have a reward.
type rated struct {
	loss.Rollouts
	reward []float64
	at     []int // where each reply stood among all that were drawn
	groups rloo.Groups
	ratio  []float64 // log π_old/π_ref of replies, or scratch
}

// group finds the replies with a reward, of k for each row of b, and what is left of their
// groups. An infinite reward is an error.
func group[X, Y any](d *rated, b *Batch[X, Y], k int, dependent bool) error {
	d.at = d.at[:0]
	d.groups = rloo.Groups{Begin: append(d.groups.Begin[:0], 0), Dependent: dependent}
	for i, r := range d.reward {
		if r == r {
			if notFinite(r) {
				return rowError(b, &loss.InputError{Field: "Reward", Index: i, Value: r, Reason: "not finite"}, k)
			}
			d.at = append(d.at, i)
		}
		if (i+1)%k == 0 {
			d.groups.Begin = append(d.groups.Begin, len(d.at))
		}
	}
	d.reward = keep(d.reward, d.at)
	return nil
}

// keep moves the elements at the given places, which are in order, to the front.
func keep[T any](v []T, at []int) []T {
	for i, j := range at {
		v[i] = v[j]
	}
	return v[:len(at)]
}

// divergence reports the KL of replies that were drawn, whose log-ratios have to be finite, and
// notes it for a controller.
func divergence[X, Y any](d *rated, c *klControl, logp, ref []float64, b *Batch[X, Y], k int, m *Metrics) error {
	d.ratio = resize(d.ratio, len(ref))
	for i := range logp {
		var err error
		if d.ratio[i], err = logRatio(logp, ref, i); err != nil {
			return rowErrorAt(b, err, d.at, k)
		}
	}
	var kl coverage.KLEstimator
	for g := range d.groups.Len(len(ref)) {
		if lo, hi := d.groups.Group(g); lo < hi {
			if err := kl.Add(d.ratio[lo:hi], hi-lo); err != nil {
				return err
			}
		}
	}
	m.Estimate("objective/kl", kl)
	c.measure(kl)
	return nil
}

// logRatio returns log π/π_ref of reply i, which has to be finite.
func logRatio(logp, ref []float64, i int) (float64, error) {
	l := logp[i] - ref[i]
	if notFinite(l) {
		field, value := "LogProb", logp[i]
		if !notFinite(value) {
			field, value = "Ref", ref[i]
		}
		return 0, &loss.InputError{Field: field, Index: i, Value: value, Reason: "not finite"}
	}
	return l, nil
}

// report reports on the rewards, less the KL that divergence has found.
func (d *rated) report(s rloo.Signal, beta float64, c rloo.Controller, m *Metrics) {
	if c != nil {
		m.Set("beta", beta)
	}
	total := sum(d.reward)
	if beta != 0 && len(d.ratio) == len(d.reward) {
		total -= beta * sum(d.ratio)
	}
	m.Mean("objective/rlhf_reward", total, len(d.reward))
	m.Mean("frac_reward_zero_std", s.Silent()*float64(s.Groups), s.Groups)
}

// reportSurrogate reports what a policy-gradient loss did.
func reportSurrogate(t loss.RolloutsTotal, m *Metrics) {
	m.Mean("clip_ratio/low", float64(t.ClippedLow), t.Tokens)
	m.Mean("clip_ratio/high", float64(t.ClippedHigh), t.Tokens)
	m.Mean("policy/approx_kl", t.K3, t.Tokens)
}

// reportImportance reports on the weights of draws from another distribution.
func reportImportance(s sampler.ImportanceStats, m *Metrics) {
	m.Mean("importance/ess", s.ESS, s.N)
	m.Mean("importance/clipped", float64(s.Below+s.Above), s.N)
}

// advantageOf returns the advantage of a batch: a, or what of makes of its replies.
func advantageOf[X, Y any](ctx context.Context, a rloo.Advantage, of func(context.Context, []X, []Y, rloo.Groups) (rloo.Advantage, error), xs []X, ys []Y, g rloo.Groups, b *Batch[X, Y]) (rloo.Advantage, error) {
	if of == nil {
		return a, nil
	}
	a, err := of(ctx, xs, ys, g)
	if err != nil {
		return nil, fmt.Errorf("advantage: %w", err)
	}
	if a == nil {
		return nil, errors.New("train: AdvantageOf has returned no Advantage")
	}
	return a, checkWhole(b, a, loss.IsCoupled(a))
}

// rowErrorAt is rowError for the items at some of the places of a batch with per for each row.
func rowErrorAt[X, Y any](b *Batch[X, Y], err error, at []int, per int) error {
	i, ok := itemOf(err)
	if !ok || i < 0 || i >= len(at) || at[i]/per >= len(b.Row) {
		return err
	}
	return fmt.Errorf("row %d, sample %d: %w", b.Row[at[i]/per], at[i]%per, err)
}
