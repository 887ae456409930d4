package gap

import (
	"context"

	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// Run trains a policy from π_ref with one of the methods and returns it with its exact
// evaluations on held-out prompts.
func (p *Problem) Run(ctx context.Context, method string, rm *RewardModel, e *Evaluator, c methods.Config, progress *train.Progress) (*policy.LogLinear, train.History, error) {
	pi := policy.NewLogLinear(Dim)
	ref := pi.Freeze()
	if err := train.CheckInit(ctx, pi, ref, &p.Pairs, c.Batch, 1e-12); err != nil {
		return nil, nil, err
	}
	l := &train.Loop[*policy.Candidates, int]{
		Data: p.Pairs, Terms: methods.Terms(method, pi, ref, rm.Score, c), Updater: train.NewAdamW(pi),
		Eval:     func(_ context.Context, _ int, m *train.Metrics) error { return e.report(pi, m) },
		Progress: progress,
	}
	h, err := methods.Run(ctx, l, "coverage-gap", method, c)
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
