package gap

import (
	"context"
	"fmt"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/train"
)

// Config holds the hyperparameters of one run.
type Config struct {
	Steps    int
	Batch    int     // pairs per update
	LR       float64 // of Adam
	Beta     float64 // of DPO and HyPO's offline part
	RLHFBeta float64 // KL coefficient of online RLHF
	Lambda   float64 // HyPO's KL coefficient, and where the constrained form begins
	KLBudget float64 // of constrained HyPO, nats
	K        int     // samples per prompt
	Seed     uint64

	EvalEvery int
	// Files, all optional: see train.Loop.
	MetricsFile, Checkpoint string
	CheckpointEvery         int
	Resume                  bool
	Progress                *train.Progress
}

// dualRate is how fast the multiplier of constrained HyPO moves: per update and nat of
// excess.
const dualRate = 1e-3

type (
	term     = train.Term[*policy.Candidates, int]
	offline  = train.Offline[*policy.Candidates, int]
	penalty  = train.KLPenalty[*policy.Candidates, int]
	budget   = train.KLBudget[*policy.Candidates, int]
	onlineRL = train.Online[*policy.Candidates, int]
)

// Run trains a policy from π_ref with one method, "dpo", "hypo", "hypo-constrained" or
// "online-rlhf", and returns it with its exact evaluations on held-out prompts.
func (p *Problem) Run(ctx context.Context, method string, rm *RewardModel, eval *Evaluator, c Config) (*policy.LogLinear, train.History, error) {
	pi := policy.NewLogLinear(Dim)
	ref := pi.Freeze()
	var terms []term
	switch method {
	case "dpo":
		terms = []term{&offline{Policy: pi, Loss: loss.DPO{Beta: c.Beta}}}
	case "hypo":
		terms = []term{&offline{Policy: pi, Loss: loss.DPO{Beta: c.Beta}}, &penalty{Policy: pi, Ref: ref, K: c.K, Lambda: c.Lambda}}
	case "hypo-constrained":
		terms = []term{&offline{Policy: pi, Loss: loss.DPO{Beta: c.Beta}},
			&budget{Policy: pi, Ref: ref, K: c.K, Dual: rloo.Dual{Budget: c.KLBudget, Rate: dualRate, Lambda: c.Lambda}}}
	case "online-rlhf":
		terms = []term{&onlineRL{Policy: pi, Ref: ref, Reward: rm.Score, K: c.K, Beta: c.RLHFBeta}}
	default:
		panic("gap: no method " + method)
	}
	if err := train.CheckInit(ctx, pi, ref, &p.Pairs, c.Batch, 1e-12); err != nil {
		return nil, nil, err
	}
	loop := train.Loop[*policy.Candidates, int]{
		Name: fmt.Sprintf("coverage-gap %s beta=%v rlhf-beta=%v lambda=%v kl-budget=%v k=%d", method, c.Beta, c.RLHFBeta, c.Lambda, c.KLBudget, c.K),
		Data: p.Pairs, Terms: terms, Updater: train.NewAdamW(pi),
		Steps: c.Steps, Batch: c.Batch, LR: c.LR, Seed: c.Seed,
		EvalEvery: c.EvalEvery, Eval: func(_ context.Context, _ int, m *train.Metrics) error { return eval.report(pi, m) },
		MetricsFile: c.MetricsFile, Checkpoint: c.Checkpoint, CheckpointEvery: c.CheckpointEvery, Resume: c.Resume,
		Progress: c.Progress,
	}
	h, err := loop.Run(ctx)
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
