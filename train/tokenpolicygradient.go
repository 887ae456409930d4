package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
)

// TokenPolicyGradient is [PolicyGradient] token by token: the ratios π/π_old, their clipping and
// the aggregation over a reply are those of the loss, and the KL in the reward is paid at each
// token for what is still to come (rloo.RegularisedReward.Tokens),
//
//	A_it = A_i − β·(Σ_{u≥t} log π_old/π_ref(y_iu) − baseline)
//
// with A_i the advantage of the reply's reward. Generator writes K replies to each row's
// prompt; Policy, the model that is trained, scores them. Where the two do not have the same
// numbers (a server, a temperature, top-p), Importance corrects for it with weights π_old/μ.
//
// With rloo.RLOO, a loss with derivative −A at π = π_old that adds up tokens, and the zero values
// of TokensPerReply and TokenMean, the first update on a batch is an unbiased estimate of
// ∇(−E_π[r] + β·KL(π‖π_ref)). A Mask biases it towards what is left.
//
// The loss is divided by Rows·K·TokensPerReply, or by the number of tokens of the step that
// count. Loop.Repeat, replies without a reward and dependent draws are as for
// [PolicyGradient], and so are the metrics, clip ratios and importance per token. It also
// reports "completions/mean_length", "completions/clipped_ratio" (the share of replies that were
// cut off), with Entropy "entropy" per token, and with Mask "frac_masked". It is not safe for
// concurrent use.
type TokenPolicyGradient struct {
	Policy    policy.TokenPolicy
	Generator policy.Generator
	Ref       policy.TokenPolicy // for Beta, and for losses with a reference; else nil
	Reward    RewardFunc[[]int32, []int32]
	K         int // replies per prompt, at least 1; most advantages need 2
	Advantage rloo.Advantage
	Beta      float64 // β, the KL coefficient: reward per nat; finite, not negative
	Loss      loss.PolicyGradient
	Control   rloo.Controller // moves β in place of Beta, as for PolicyGradient; it needs Ref

	// AdvantageOf is that of [PolicyGradient]; replies are valid during the call.
	AdvantageOf func(ctx context.Context, prompts, replies [][]int32, g rloo.Groups) (rloo.Advantage, error)

	// ExactKL takes the KL of the whole distributions after each prefix in place of that of the
	// tokens drawn (rloo.SequenceSum): the same gradient in expectation, with less variance. The
	// passes of Policy must provide KL, to the reference that they know; Ref is not asked for
	// it. Its replies have to be the policy's own: Loop.Repeat must be 1 and Importance nil.
	ExactKL bool

	Entropy        bool    // compute entropies: for losses and masks that read Rollouts.Entropy
	TokensPerReply float64 // a constant length to divide by; positive and finite, or 0 for 1
	TokenMean      bool    // divide by the tokens of the step instead; it refuses micro-batches

	// Mask leaves tokens out of the loss at each update, not out of advantages: loss.DropTruncated
	// for replies that were cut off, loss.TopEntropy, loss.IcePop. With CountMasked they stay in
	// its means. Nil: none.
	Mask        loss.TokenMask
	CountMasked bool

	Importance   *sampler.Importance // nil: the generator's distribution is the policy's
	WholeReplies bool                // importance of whole replies in place of single tokens

	pass, ref policy.TokenPass
	kept      kept[tokenReplies]
	tally     tally
	control   klControl
	beta      float64 // of the batch
	roll      policy.Rollout
	stats, w  policy.TokenStats
	seq       []float64
	kl        policy.TokenStats // weights for the KL
	keep      []bool            // what Mask keeps
	weight    []float64
}

// tokenReplies is replies to some prompts, those with a reward, and their advantages by token.
type tokenReplies struct {
	tokens policy.Tokens
	mask   []bool // memory of tokens.Mask
	rated
}

var (
	_ Term[[]int32, []int32] = (*TokenPolicyGradient)(nil)
	_ Stateful               = (*TokenPolicyGradient)(nil)
	_ Describer              = (*TokenPolicyGradient)(nil)
)

// Accumulate implements [Term].
func (t *TokenPolicyGradient) Accumulate(ctx context.Context, b *Batch[[]int32, []int32], key policy.Key, m *Metrics) error {
	if err := t.check(b); err != nil {
		return err
	}
	d, fresh, err := recall(&t.kept, b)
	if err != nil {
		return err
	}
	if fresh {
		if err := t.draw(ctx, d, b, key, m); err != nil {
			return err
		}
	}
	if d.tokens.Len() == 0 {
		m.Sum("loss", 0)
		return nil
	}
	if err := t.forward(ctx, d, b); err != nil {
		return err
	}
	if fresh {
		d.Old = append(d.Old[:0], t.stats.LogProb...)
		if err := t.advance(ctx, d, b, m); err != nil {
			return err
		}
	}
	d.LogProb, d.Rollouts.Entropy = t.stats.LogProb, t.stats.Entropy
	seen, err := t.masked(d, m)
	if err != nil {
		return t.located(b, err, d)
	}
	total, err := t.Loss.Eval(loss.RolloutsOut{LogProb: t.w.LogProb, Entropy: t.w.Entropy}, seen)
	if err != nil {
		return t.located(b, err, d)
	}
	div := t.denominator(b, total)
	m.Sum("loss", total.Sum/div)
	reportSurrogate(total, m)
	if t.Entropy {
		m.Mean("entropy", total.Entropy, total.Tokens)
	}
	scale(t.w.LogProb, 1/div)
	scale(t.w.Entropy, 1/div)
	if t.w.KL = nil; t.ExactKL {
		if err := t.exactKL(d, div, m); err != nil {
			return t.located(b, err, d)
		}
	}
	return t.pass.Pullback(ctx, t.w)
}

func (t *TokenPolicyGradient) check(b *Batch[[]int32, []int32]) error {
	per := t.TokensPerReply
	if t.Policy == nil || t.Generator == nil || t.Reward == nil || t.Loss == nil {
		panic("train: TokenPolicyGradient without Policy, Generator, Reward or Loss")
	}
	switch {
	case (t.Advantage == nil) == (t.AdvantageOf == nil):
		return errors.New("train: TokenPolicyGradient needs either Advantage or AdvantageOf")
	case t.K < 1:
		return fmt.Errorf("train: TokenPolicyGradient.K = %d, must be at least 1", t.K)
	case t.Beta != 0 && t.Ref == nil && !t.ExactKL:
		return errors.New("train: TokenPolicyGradient.Beta without Ref or ExactKL")
	case t.Control != nil && t.Ref == nil:
		return errors.New("train: TokenPolicyGradient.Control without Ref")
	case !(per >= 0) || notFinite(per):
		return fmt.Errorf("train: TokenPolicyGradient.TokensPerReply = %v, must be positive and finite, or 0 for 1", per)
	case t.TokenMean && per != 0:
		return errors.New("train: TokenPolicyGradient has TokensPerReply and TokenMean: which one?")
	case t.ExactKL && (b.Repeat > 0 || t.Importance != nil):
		return errors.New("train: TokenPolicyGradient.ExactKL needs replies of the policy as it is: without Loop.Repeat and Importance")
	case t.CountMasked && t.Mask == nil:
		return errors.New("train: TokenPolicyGradient.CountMasked without Mask")
	case t.WholeReplies && t.Importance == nil:
		return errors.New("train: TokenPolicyGradient.WholeReplies without Importance")
	case t.TokenMean && b.Len() != b.Rows:
		return fmt.Errorf("train: TokenPolicyGradient.TokenMean cannot be accumulated from %d of %d rows", b.Len(), b.Rows)
	}
	if err := checkControl("TokenPolicyGradient", t.Control, t.Beta); err != nil {
		return err
	}
	if err := checkWhole(b, t.Loss, loss.IsCoupled(t.Loss)); err != nil {
		return err
	}
	if err := checkWhole(b, t.Mask, loss.IsCoupled(t.Mask)); err != nil {
		return err
	}
	return checkWhole(b, t.Advantage, loss.IsCoupled(t.Advantage))
}

// denominator returns what the loss of a step is divided by.
func (t *TokenPolicyGradient) denominator(b *Batch[[]int32, []int32], total loss.RolloutsTotal) float64 {
	div := float64(b.Rows * t.K)
	switch {
	case t.TokenMean:
		div = float64(max(1, total.Tokens))
	case t.TokensPerReply != 0:
		div *= t.TokensPerReply
	}
	return div
}

// forward scores the replies under the policy.
func (t *TokenPolicyGradient) forward(ctx context.Context, d *tokenReplies, b *Batch[[]int32, []int32]) error {
	if t.pass == nil {
		t.pass = t.Policy.NewTokenPass()
	}
	n := len(d.tokens.IDs)
	t.stats.LogProb, t.w.LogProb = resize(t.stats.LogProb, n), resize(t.w.LogProb, n)
	if t.Entropy {
		t.stats.Entropy, t.w.Entropy = resize(t.stats.Entropy, n), resize(t.w.Entropy, n)
	}
	if t.ExactKL {
		t.stats.KL = resize(t.stats.KL, n)
	}
	return rowErrorAt(b, t.pass.Forward(ctx, t.stats, d.tokens), d.at, t.K)
}

// masked returns what the loss gets to see.
func (t *TokenPolicyGradient) masked(d *tokenReplies, m *Metrics) (loss.Rollouts, error) {
	seen := d.Rollouts
	if t.Mask == nil {
		return seen, nil
	}
	counted := 0
	for i := range seen.Len() {
		counted += seen.Count(i)
	}
	t.keep = resize(t.keep, len(seen.LogProb))
	dropped, err := t.Mask.Keep(t.keep, seen)
	if err != nil {
		return seen, err
	}
	m.Mean("frac_masked", float64(dropped), counted)
	if t.CountMasked {
		t.weight = resize(t.weight, len(seen.LogProb))
		loss.ZeroWeights(t.weight, seen.Weight, t.keep)
		seen.Weight = t.weight
	} else {
		seen.Mask = t.keep
	}
	return seen, nil
}

// exactKL adds β·KL to the weights and the loss.
func (t *TokenPolicyGradient) exactKL(d *tokenReplies, div float64, m *Metrics) error {
	n, w := len(d.tokens.IDs), &t.kl
	w.LogProb, w.KL = resize(w.LogProb, n), resize(w.KL, n)
	if err := rloo.SequenceSum(w.LogProb, w.KL, t.stats.KL, rloo.Layout(d.Layout), d.groups); err != nil {
		return err
	}
	total := 0.0
	for p, kl := range t.stats.KL {
		if w.KL[p] != 0 {
			total += kl
		}
		w.KL[p] *= t.beta / div
		t.w.LogProb[p] += w.LogProb[p] * t.beta / div
	}
	t.w.KL = w.KL
	m.Sum("loss", total*t.beta/div)
	return nil
}

// Describe implements [Describer].
func (t *TokenPolicyGradient) Describe() string {
	return fmt.Sprintf("K=%d Advantage=%#v AdvantageOf=%v Beta=%v Loss=%#v Control=%T%+v ExactKL=%v Entropy=%v Mask=%#v CountMasked=%v TokensPerReply=%v TokenMean=%v Importance=%+v WholeReplies=%v",
		t.K, t.Advantage, t.AdvantageOf != nil, t.Beta, t.Loss, t.Control, t.Control, t.ExactKL, t.Entropy, t.Mask, t.CountMasked, t.TokensPerReply, t.TokenMean, t.Importance, t.WholeReplies)
}

// EndStep implements [Stateful]: it moves β.
func (t *TokenPolicyGradient) EndStep(*Metrics) error { return t.control.endStep(t.Control) }

// State implements [Stateful]: that of Control.
func (t *TokenPolicyGradient) State() []byte {
	state, _ := controlState(t.Control) // which check has tried
	return state
}

// Restore implements [Stateful].
func (t *TokenPolicyGradient) Restore(state []byte) error { return restoreControl(t.Control, state) }
