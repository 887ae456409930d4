package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
)

// draw writes and rates replies and keeps those with a reward.
func (t *TokenPolicyGradient) draw(ctx context.Context, d *tokenReplies, b *Batch[[]int32, []int32], key policy.Key, m *Metrics) error {
	r, n := &t.roll, b.Len()*t.K
	if err := t.Generator.Generate(ctx, r, b.X, b.ID, t.K, key); err != nil {
		return rowError(b, err, 1)
	}
	if r.Tokens.Len() != n || len(r.Finish) != n {
		return fmt.Errorf("train: %T wrote %d replies with %d finish reasons, not %d", t.Generator, r.Tokens.Len(), len(r.Finish), n)
	}
	ys := make([][]int32, n)
	length, cut := 0, 0
	for i := range ys {
		lo, hi := r.Tokens.Reply(i)
		ys[i] = r.Tokens.IDs[lo:hi:hi]
		length += hi - lo
		if r.Finish[i] == policy.FinishLength {
			cut++
		}
	}
	m.Mean("completions/mean_length", float64(length), n)
	m.Mean("completions/clipped_ratio", float64(cut), n)
	d.reward = resize(d.reward, n)
	if err := score(ctx, t.Reward, &t.tally, d.reward, expand(nil, b.X, t.K), ys, t.K, b, m); err != nil {
		return err
	}
	if err := group(&d.rated, b, t.K, dependent(t.Generator)); err != nil {
		return err
	}
	d.take(r)
	return nil
}

// take copies the replies that have a reward.
func (d *tokenReplies) take(r *policy.Rollout) {
	d.tokens.Reset()
	d.Behaviour, d.Truncated, d.mask = d.Behaviour[:0], d.Truncated[:0], d.mask[:0]
	for _, i := range d.at {
		lo, hi := r.Tokens.Begin[i], r.Tokens.Begin[i+1]
		prompt := r.Tokens.Prompt[i]
		d.tokens.Append(r.Tokens.IDs[lo:lo+prompt], r.Tokens.IDs[lo+prompt:hi])
		d.Behaviour = append(d.Behaviour, r.LogProb[lo:hi]...)
		d.Truncated = append(d.Truncated, r.Finish[i] == policy.FinishLength)
		for p := lo; p < hi; p++ {
			d.mask = append(d.mask, r.Tokens.Counts(p))
		}
	}
	if slices.Contains(d.mask, false) {
		d.tokens.Mask = d.mask
	}
	d.Layout = loss.Layout{Begin: d.tokens.Begin, Prompt: d.tokens.Prompt, Mask: d.tokens.Mask}
}

// advance makes advantages of what was drawn, and weights.
func (t *TokenPolicyGradient) advance(ctx context.Context, d *tokenReplies, b *Batch[[]int32, []int32], m *Metrics) error {
	n, layout := len(d.tokens.IDs), rloo.Layout(d.Layout)
	if t.Ref != nil {
		if t.ref == nil {
			t.ref = t.Ref.NewTokenPass()
		}
		d.Ref = resize(d.Ref, n)
		if err := t.ref.Forward(ctx, policy.TokenStats{LogProb: d.Ref}, d.tokens); err != nil {
			return fmt.Errorf("reference: %w", rowErrorAt(b, err, d.at, t.K))
		}
		if err := divergence(&d.rated, &t.control, replySums(d.tokens, d.Old), replySums(d.tokens, d.Ref), b, t.K, m); err != nil {
			return err
		}
	}
	var prompts, replies [][]int32
	if t.AdvantageOf != nil {
		prompts, replies = sequences(d.tokens)
	}
	advantage, err := advantageOf(ctx, t.Advantage, t.AdvantageOf, prompts, replies, d.groups, b)
	if err != nil {
		return err
	}
	t.beta = coefficient(t.Beta, t.Control)
	e := rloo.RegularisedReward{Advantage: advantage, Beta: t.beta}
	if t.ExactKL {
		e.Beta = 0
	}
	d.Advantage, t.seq = resize(d.Advantage, n), resize(t.seq, d.tokens.Len())
	signal, err := e.Tokens(d.Advantage, t.seq, d.reward, d.Old, d.Ref, layout, d.groups)
	if err != nil {
		return t.located(b, err, d)
	}
	d.report(signal, t.beta, t.Control, m)
	if t.Importance == nil {
		return nil
	}
	d.Weight = resize(d.Weight, n)
	if !t.WholeReplies {
		stats, err := t.Importance.Tokens(d.Weight, d.Old, d.Behaviour, d.tokens)
		reportImportance(stats, m)
		return err
	}
	stats, err := t.Importance.Sequences(t.seq, d.Old, d.Behaviour, d.tokens)
	if err != nil {
		return err
	}
	reportImportance(stats, m)
	rloo.Spread(d.Weight, t.seq, layout)
	return nil
}

// sequences returns prompts and replies.
func sequences(t policy.Tokens) (prompts, replies [][]int32) {
	for i := range t.Len() {
		lo, hi := t.Reply(i)
		prompts = append(prompts, t.IDs[t.Begin[i]:lo:lo])
		replies = append(replies, t.IDs[lo:hi:hi])
	}
	return prompts, replies
}

// replySums returns the sum of v over the tokens of each reply that count.
func replySums(t policy.Tokens, v []float64) []float64 {
	sums := make([]float64, t.Len())
	for i := range sums {
		lo, hi := t.Reply(i)
		for p := lo; p < hi; p++ {
			if t.Counts(p) {
				sums[i] += v[p]
			}
		}
	}
	return sums
}

// located names the row, the sample and the token in a loss's error about a position.
func (t *TokenPolicyGradient) located(b *Batch[[]int32, []int32], err error, d *tokenReplies) error {
	var in *loss.InputError
	if !errors.As(err, &in) || in.Index < 0 || in.Index >= len(d.tokens.IDs) {
		return err
	}
	i, found := slices.BinarySearch(d.tokens.Begin, in.Index)
	if !found {
		i--
	}
	lo, _ := d.tokens.Reply(i)
	return fmt.Errorf("row %d, sample %d, token %d: %w", b.Row[d.at[i]/t.K], d.at[i]%t.K, in.Index-lo, err)
}
