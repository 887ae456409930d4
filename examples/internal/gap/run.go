package gap

import (
	"context"

	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// Terms makes an objective for a policy and its reference.
type Terms func(pi *policy.LogLinear, ref *policy.Finite[*policy.Candidates]) ([]train.Term[*policy.Candidates, int], error)

// Run trains a policy from π_ref with one of the methods and returns it with its exact
// evaluations on held-out prompts.
func (p *Problem) Run(ctx context.Context, method string, rm *RewardModel, e *Evaluator, c methods.Config, progress *train.Progress) (*policy.LogLinear, train.History, error) {
	terms := func(pi *policy.LogLinear, ref *policy.Finite[*policy.Candidates]) ([]train.Term[*policy.Candidates, int], error) {
		return methods.Terms(method, pi, ref, rm.Score, c), nil
	}
	return p.RunTerms(ctx, method, terms, e, c, progress)
}

// RunTerms is Run with any objective on the offline pairs and their prompts.
func (p *Problem) RunTerms(ctx context.Context, name string, terms Terms, e *Evaluator, c methods.Config, progress *train.Progress) (*policy.LogLinear, train.History, error) {
	pi := policy.NewLogLinear(Dim)
	ref := pi.Freeze()
	if err := train.CheckInit(ctx, pi, ref, &p.Pairs, c.Batch, 1e-12); err != nil {
		return nil, nil, err
	}
	objective, err := terms(pi, ref)
	if err != nil {
		return nil, nil, err
	}
	l := &train.Loop[*policy.Candidates, int]{
		Data: p.Pairs, Terms: objective, Updater: train.NewAdamW(pi),
		Eval:     func(_ context.Context, _ int, m *train.Metrics) error { return e.report(pi, m) },
		Progress: progress,
	}
	h, err := methods.Run(ctx, l, "coverage-gap", name, c)
	return pi, h, err
}

// report puts the exact quantities into the metrics of an evaluation.
func (e *Evaluator) report(p policy.Enumerable[*policy.Candidates], m *train.Metrics) error {
	x, err := e.Exact(p)
	m.Set("eval/kl", x.KL)
	m.Set("eval/reward", x.Reward)
	m.Set("eval/winrate", x.Winrate)
	m.Set("eval/garbage", x.Garbage)
	return err
}
