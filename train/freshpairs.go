package train

import (
	"context"
	"fmt"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
)

// freshPairs evaluates a loss on pairs of replies that were drawn for the rows of a batch:
// what OnlinePairs, XPO and REBEL share. Its slices are reused.
type freshPairs[X, Y any] struct {
	pass    policy.Pass[X, Y]
	kept    kept[pairDraws[X, Y]]
	logp, w []float64 // of each reply
	ratio   []float64
	tally   tally
	pairLoss
}

// pairDraws is the replies that were drawn for some rows, per for each, and what was made of
// them.
type pairDraws[X, Y any] struct {
	per    int
	xs     []X
	ys     []Y
	reward []float64
	ref    []float64 // log-probabilities under the loss's reference; nil: it has none
	length []int     // nil: the loss needs none

	choice sampler.Choice
	soft   bool      // pairs count in both orders:
	weight []float64 // with these weights as chosen,
	turned []float64 // and with these, the rest to 1, the other way round
	margin []float64 // nil: none

	own, other    []Y // of two policies, before they are put in turn
	prompts       []X // of the comparisons
	as, bs        []Y
	first, second []int
	win           []float64
}

// draw draws k replies for each row from p, or k from each in turn if there is an opponent.
func (d *pairDraws[X, Y]) draw(ctx context.Context, p, opponent policy.Sampler[X, Y], k int, b *Batch[X, Y], key policy.Key) error {
	n := b.Len() * k
	d.choice.Reset()
	if opponent == nil {
		d.per, d.ys = k, resize(d.ys, n)
		d.xs = expand(d.xs, b.X, d.per)
		return rowError(b, p.Sample(ctx, policy.Draws[Y]{Y: d.ys}, b.X, b.ID, k, key), 1)
	}
	d.per, d.ys = 2*k, resize(d.ys, 2*n)
	d.xs, d.own, d.other = expand(d.xs, b.X, d.per), resize(d.own, n), resize(d.other, n)
	if err := p.Sample(ctx, policy.Draws[Y]{Y: d.own}, b.X, b.ID, k, key); err != nil {
		return rowError(b, err, 1)
	}
	if err := opponent.Sample(ctx, policy.Draws[Y]{Y: d.other}, b.X, b.ID, k, opponents(key)); err != nil {
		return fmt.Errorf("opponent: %w", rowError(b, err, 1))
	}
	for i, y := range d.own {
		d.ys[2*i], d.ys[2*i+1] = y, d.other[i]
	}
	return nil
}

// opponents returns the key of the draws from a second policy, which must not use the streams
// of the first: the two would agree wherever the policies do.
func opponents(key policy.Key) policy.Key {
	key.Seed += 1 << 63
	return key
}

// judge makes pairs of each two replies that follow each other.
func (f *freshPairs[X, Y]) judge(ctx context.Context, j sampler.Judge[X, Y], soft bool, d *pairDraws[X, Y], b *Batch[X, Y], m *Metrics) error {
	n := len(d.ys) / 2
	d.prompts, d.as, d.bs = d.prompts[:0], d.as[:0], d.bs[:0]
	d.first, d.second, d.win = d.first[:0], d.second[:0], resize(d.win, n)
	for i := range n {
		d.prompts, d.as, d.bs = append(d.prompts, d.xs[2*i]), append(d.as, d.ys[2*i]), append(d.bs, d.ys[2*i+1])
		d.first, d.second = append(d.first, 2*i), append(d.second, 2*i+1)
	}
	err := sampler.Compare(ctx, j, d.win, d.prompts, d.as, d.bs)
	if _, err := answers(&f.tally, b, d.win, err, d.per/2); err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	if d.soft = soft; soft {
		d.weigh()
	} else {
		d.choice.Judged(d.first, d.second, d.win)
	}
	m.Mean("frac_ties", float64(d.choice.Tied), n)
	m.Mean("frac_failed", float64(d.choice.Failed), n)
	return nil
}

// weigh makes a pair of each verdict, of a tie too, with the verdict for its weight.
func (d *pairDraws[X, Y]) weigh() {
	c := &d.choice
	d.weight, d.turned = d.weight[:0], d.turned[:0]
	for i, p := range d.win {
		chosen, rejected := d.first[i], d.second[i]
		switch {
		case p != p:
			c.Failed++
			continue
		case p == 0.5:
			c.Tied++
		case p < 0.5:
			chosen, rejected, p = rejected, chosen, 1-p
		}
		c.Chosen, c.Rejected = append(c.Chosen, chosen), append(c.Rejected, rejected)
		d.weight, d.turned = append(d.weight, p), append(d.turned, 1-p)
	}
}

// score rates all replies.
func (f *freshPairs[X, Y]) score(ctx context.Context, r RewardFunc[X, Y], d *pairDraws[X, Y], b *Batch[X, Y], m *Metrics) error {
	d.reward = resize(d.reward, len(d.ys))
	return score(ctx, r, &f.tally, d.reward, d.xs, d.ys, d.per, b, m)
}

// score rates replies, per for each row, and reports on the rewards.
func score[X, Y any](ctx context.Context, r RewardFunc[X, Y], t *tally, dst []float64, xs []X, ys []Y, per int, b *Batch[X, Y], m *Metrics) error {
	err := sampler.Score(ctx, sampler.ScorerFunc[X, Y](r), dst, xs, ys)
	failed, err := answers(t, b, dst, err, per)
	if err != nil {
		return fmt.Errorf("reward: %w", err)
	}
	total := 0.0
	for _, v := range dst {
		if v == v {
			total += v
		}
	}
	m.Mean("objective/scores", total, len(dst)-failed)
	m.Mean("frac_failed", float64(failed), len(dst))
	return nil
}

// refer scores all replies under ref, if there is one, and reports the KL of every stride-th
// of them, of which k belong to a row.
func (f *freshPairs[X, Y]) refer(ctx context.Context, ref policy.Policy[X, Y], dst []float64, d *pairDraws[X, Y], k int, b *Batch[X, Y], m *Metrics) error {
	if err := ref.LogProbs(ctx, dst, d.xs, d.ys); err != nil {
		return fmt.Errorf("reference: %w", rowError(b, err, d.per))
	}
	f.ratio = f.ratio[:0]
	for i := 0; i < len(dst); i += d.per / k {
		l, err := logRatio(f.logp, dst, i)
		if err != nil {
			return rowError(b, err, d.per)
		}
		f.ratio = append(f.ratio, l)
	}
	var kl coverage.KLEstimator
	if err := kl.Add(f.ratio, k); err != nil {
		return err
	}
	m.Estimate("objective/kl", kl)
	return nil
}

// forward scores all replies under the policy.
func (f *freshPairs[X, Y]) forward(ctx context.Context, p policy.Trainable[X, Y], d *pairDraws[X, Y], b *Batch[X, Y]) error {
	if f.pass == nil {
		f.pass = p.NewPass()
	}
	f.logp, f.w = resize(f.logp, len(d.ys)), resize(f.w, len(d.ys))
	clear(f.w)
	return rowError(b, f.pass.Forward(ctx, f.logp, d.xs, d.ys), d.per)
}

// add evaluates the loss of the pairs, as if there were div of them in a step, and adds the
// replies' weights.
func (f *freshPairs[X, Y]) add(d *pairDraws[X, Y], l loss.Pairwise, div float64, b *Batch[X, Y], m *Metrics) error {
	if len(d.choice.Chosen) == 0 {
		m.Sum("loss", 0)
		return nil
	}
	d.choice.Pairs(&f.pairs, f.logp, d.ref, d.length)
	f.pairs.Margin = d.margin
	if d.soft {
		f.pairs.Weight = d.weight
	}
	total, err := f.side(d, l, d.choice.Chosen, d.choice.Rejected, div, b)
	if err != nil {
		return err
	}
	f.report(total, m)
	if d.soft {
		p := &f.pairs
		p.Chosen, p.Rejected = p.Rejected, p.Chosen
		p.RefChosen, p.RefRejected = p.RefRejected, p.RefChosen
		p.ChosenLen, p.RejectedLen = p.RejectedLen, p.ChosenLen
		p.Weight = d.turned
		other, err := f.side(d, l, d.choice.Rejected, d.choice.Chosen, div, b)
		if err != nil {
			return err
		}
		total.Sum += other.Sum
	}
	m.Sum("loss", total.Sum/div)
	return nil
}

// side evaluates the loss on the pairs that are set.
func (f *freshPairs[X, Y]) side(d *pairDraws[X, Y], l loss.Pairwise, chosen, rejected []int, div float64, b *Batch[X, Y]) (loss.Total, error) {
	total, err := f.eval(l)
	if err != nil {
		if i, ok := itemOf(err); ok && i < len(chosen) {
			err = fmt.Errorf("row %d: %w", b.Row[chosen[i]/d.per], err)
		}
		return total, err
	}
	for i, c := range chosen {
		f.w[c] += f.out.Chosen[i] / div
		f.w[rejected[i]] += f.out.Rejected[i] / div
	}
	return total, nil
}
