package text

import (
	"context"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

// Evaluator judges policies on the test prompts against one reference. Every policy draws
// from the same streams, apart from the reference's own.
type Evaluator struct {
	*Setup
	ref     Model
	pairs   Tokens   // the training pairs with their log-probabilities under it
	samples []string // of the reference, perPrompt for each test prompt
}

const (
	perPrompt    = 4  // samples of each test prompt
	tracePrompts = 64 // prompts of an evaluation during training, with one sample each
	choices      = 4  // replies to choose from in the multiple-choice test
)

// streams that no training step uses.
var (
	refKey  = policy.Key{Seed: 1 << 40, Step: 0}
	evalKey = policy.Key{Seed: 1 << 40, Step: 1}
)

// NewEvaluator draws the reference's samples and scores the training pairs.
func (s *Setup) NewEvaluator(ctx context.Context, ref Model) (*Evaluator, error) {
	e := &Evaluator{Setup: s, ref: ref}
	d, err := e.draw(ctx, &Trainee{Model: ref}, s.Test.Len(), perPrompt, refKey, "sampling from the reference")
	if err != nil {
		return nil, err
	}
	e.samples = d.replies
	e.pairs, err = s.score(ctx, ref)
	return e, err
}

// Result is what the table shows of a policy; each quantity with its standard error over
// test prompts.
type Result struct {
	KL            coverage.Estimate // KL(π‖π_ref) of whole replies: the sum of exact per-token KLs along samples
	Reward        coverage.Estimate // judge's score over that of π_ref's samples
	Winrate       coverage.Estimate // share of samples that the judge prefers to π_ref's
	LengthControl coverage.Estimate // the same with the judge's length feature left out
	WinrateChosen coverage.Estimate // share of samples that the judge prefers to the chosen reply
	Length        coverage.Estimate // tokens
	Perplexity    float64           // of the chosen replies, per token
	Choice        coverage.Estimate // share of prompts whose chosen reply is the likeliest per token among it and three others'
	Samples       []string          // a reply to each test prompt, to read
}

// Evaluate judges a policy.
func (e *Evaluator) Evaluate(ctx context.Context, t *Trainee) (*Result, error) {
	d, err := e.draw(ctx, t, e.Test.Len(), perPrompt, evalKey, "evaluating")
	if err != nil {
		return nil, err
	}
	out := &Result{}
	n := len(d.replies)
	reward, win, control, chosen := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i, y := range d.replies {
		score, other := e.Judge.Score(y, true), e.Judge.Score(e.samples[i], true)
		reward[i], win[i] = score-other, wins(score, other)
		control[i] = wins(e.Judge.Score(y, false), e.Judge.Score(e.samples[i], false))
		chosen[i] = wins(score, e.Judge.Score(e.Tokenizer.Decode(e.Test.Chosen[i/perPrompt]), true))
	}
	for _, q := range []struct {
		dst    *coverage.Estimate
		values []float64
	}{{&out.KL, d.kl}, {&out.Reward, reward}, {&out.Winrate, win}, {&out.LengthControl, control}, {&out.WinrateChosen, chosen}, {&out.Length, d.length}} {
		if *q.dst, err = mean(q.values, perPrompt); err != nil {
			return nil, err
		}
	}
	p := e.sequences(t.Model)
	if out.Perplexity, err = perplexity(ctx, p, &e.Test); err != nil {
		return nil, err
	}
	for i := 0; i < n; i += perPrompt {
		out.Samples = append(out.Samples, d.replies[i])
	}
	out.Choice, err = e.choice(ctx, p)
	return out, err
}

// trace reports a cheaper evaluation during training.
func (e *Evaluator) trace(ctx context.Context, t *Trainee, out *train.Metrics) error {
	prompts := min(tracePrompts, e.Test.Len())
	d, err := e.draw(ctx, t, prompts, 1, evalKey, "")
	if err != nil {
		return err
	}
	kl, err := mean(d.kl, 1)
	if err != nil {
		return err
	}
	reward, win := 0.0, 0.0
	for i, y := range d.replies {
		score, other := e.Judge.Score(y, true), e.Judge.Score(e.samples[i*perPrompt], true)
		reward += score - other
		win += wins(score, other)
	}
	out.Set("eval/kl", kl.Value)
	out.Set("eval/kl_se", kl.SE)
	out.Set("eval/reward", reward/float64(prompts))
	out.Set("eval/winrate", win/float64(prompts))
	return nil
}

// drawn holds replies, k to each prompt.
type drawn struct {
	replies []string
	length  []float64 // in tokens
	kl      []float64 // the sum of exact per-token KLs to the reference along the reply
}

// evalChunk is the number of prompts that are written to at a time.
const evalChunk = 32

// draw draws k replies to each of the first test prompts. The sum of exact per-token KLs along
// a sample has the mean of its log-ratio, which is KL(π‖π_ref), and varies less. A label asks
// for progress.
func (e *Evaluator) draw(ctx context.Context, t *Trainee, prompts, k int, key policy.Key, label string) (*drawn, error) {
	var p *train.Progress
	if label != "" {
		p = train.NewProgress(e.log, label, prompts)
		defer p.Done("")
	}
	write := sampler.NewAncestral(t.Model, e.Tokenizer.EOS(), e.Size.Reply)
	var pass policy.TokenPass
	if t.KL != nil {
		pass = t.KL.NewTokenPass()
	}
	d := &drawn{}
	var r policy.Rollout
	for lo := 0; lo < prompts; lo += evalChunk {
		hi := min(lo+evalChunk, prompts)
		var ids []uint64
		for i := lo; i < hi; i++ {
			ids = append(ids, uint64(i))
		}
		if err := write.Generate(ctx, &r, e.Test.X[lo:hi], ids, k, key); err != nil {
			return nil, err
		}
		perToken := make([]float64, len(r.Tokens.IDs))
		if pass != nil { // the reference's KL to itself is 0
			if err := pass.Forward(ctx, policy.TokenStats{KL: perToken}, r.Tokens); err != nil {
				return nil, err
			}
		}
		for i := range r.Tokens.Len() {
			begin, end := r.Tokens.Reply(i)
			sum := 0.0
			for _, v := range perToken[begin:end] {
				sum += v
			}
			d.replies = append(d.replies, e.Tokenizer.Decode(r.Tokens.IDs[begin:end]))
			d.length, d.kl = append(d.length, float64(end-begin)), append(d.kl, sum)
		}
		p.Add(hi-lo, nil)
	}
	return d, nil
}

// mean averages k values of each prompt, with a standard error over prompts.
func mean(values []float64, k int) (coverage.Estimate, error) {
	var a coverage.KLEstimator
	err := a.Add(values, k)
	return a.Result(), err
}

// choice is a multiple-choice test by log-probability: the chosen reply of a prompt against
// those of the next prompts.
func (e *Evaluator) choice(ctx context.Context, p policy.Policy[[]int32, []int32]) (coverage.Estimate, error) {
	n := e.Test.Len()
	var xs, ys [][]int32
	for i := range n {
		for j := range choices {
			xs, ys = append(xs, e.Test.X[i]), append(ys, e.Test.Chosen[(i+j)%n])
		}
	}
	logp := make([]float64, len(xs))
	for lo := 0; lo < len(xs); lo += choices * evalChunk {
		hi := min(lo+choices*evalChunk, len(xs))
		if err := p.LogProbs(ctx, logp[lo:hi], xs[lo:hi], ys[lo:hi]); err != nil {
			return coverage.Estimate{}, err
		}
	}
	for i, y := range ys {
		logp[i] /= float64(len(y))
	}
	right := make([]float64, n)
	for i := range right {
		group := logp[i*choices : (i+1)*choices]
		if math.Max(group[0], slices.Max(group[1:])) == group[0] {
			right[i] = 1
		}
	}
	return mean(right, 1)
}

// wins is 1 where the first score is higher, ½ for a tie.
func wins(a, b float64) float64 {
	switch {
	case a > b:
		return 1
	case a == b:
		return 0.5
	}
	return 0
}
