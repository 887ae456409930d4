package text

import (
	"context"
	"fmt"
	"io"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/train"
)

// Config holds the hyperparameters of one seed's runs.
type Config struct {
	Steps    int
	Batch    int     // pairs per update
	LR       float64 // of AdamW
	Beta     float64 // of DPO and HyPO's offline part
	RLHFBeta float64 // KL coefficient of online RLHF
	Lambda   float64 // HyPO's KL coefficient, and where the constrained form begins
	KLBudget float64 // of constrained HyPO, nats
	K        int     // samples per prompt
	Seed     uint64

	EvalEvery       int
	CheckpointEvery int
	Resume          bool
	// Files returns where the run called name keeps its checkpoint and metrics; "": nowhere.
	Files func(name string) (checkpoint, metrics string)
}

type (
	loop     = train.Loop[[]int32, []int32]
	term     = train.Term[[]int32, []int32]
	offline  = train.Offline[[]int32, []int32]
	penalty  = train.KLPenalty[[]int32, []int32]
	budget   = train.KLBudget[[]int32, []int32]
	onlineRL = train.Online[[]int32, []int32]
)

// run completes a loop with what all runs share, and runs it.
func (c *Config) run(ctx context.Context, l *loop, name string, log io.Writer) (train.History, error) {
	l.Checkpoint, l.MetricsFile = c.Files(name)
	l.CheckpointEvery, l.Resume = c.CheckpointEvery, c.Resume
	l.Progress = train.NewProgress(log, name, l.Steps)
	h, err := l.Run(ctx)
	l.Progress.Done("")
	return h, err
}

// dualShare is by how much λ of constrained HyPO moves per update, for a KL that exceeds the
// budget by the budget itself.
const dualShare = 5e-4

// Run trains a policy from the reference with one method, "dpo", "hypo",
// "hypo-constrained" or "online-rlhf", and returns it with its evaluations.
func (s *Setup) Run(ctx context.Context, method string, ref *lm.Frozen, e *Evaluator, c Config) (*lm.Model, train.History, error) {
	m := ref.Clone()
	pi, pref := s.sequences(m), s.sequences(ref)
	var terms []term
	switch method {
	case "dpo":
		terms = []term{&offline{Policy: pi, Loss: loss.DPO{Beta: c.Beta}}}
	case "hypo":
		terms = []term{&offline{Policy: pi, Loss: loss.DPO{Beta: c.Beta}}, &penalty{Policy: pi, Ref: pref, K: c.K, Lambda: c.Lambda}}
	case "hypo-constrained":
		terms = []term{&offline{Policy: pi, Loss: loss.DPO{Beta: c.Beta}},
			&budget{Policy: pi, Ref: pref, K: c.K, Dual: rloo.Dual{Budget: c.KLBudget, Rate: dualShare / c.KLBudget, Lambda: c.Lambda}}}
	case "online-rlhf":
		terms = []term{&onlineRL{Policy: pi, Ref: pref, Reward: s.Reward.reward(s.Tokenizer), K: c.K, Beta: c.RLHFBeta}}
	default:
		panic("text: no method " + method)
	}
	data := s.Train
	if err := data.CacheRef(ctx, pref, 64, nil); err != nil {
		return nil, nil, err
	}
	l := &loop{
		Name: fmt.Sprintf("text %s %s beta=%v rlhf-beta=%v lambda=%v kl-budget=%v k=%d", s.Size.Name, method, c.Beta, c.RLHFBeta, c.Lambda, c.KLBudget, c.K),
		Data: data, Terms: terms, Updater: train.NewAdamW(m),
		Steps: c.Steps, Batch: c.Batch, LR: c.LR, MaxNorm: 1, Seed: c.Seed,
		EvalEvery: c.EvalEvery, Eval: func(ctx context.Context, _ int, out *train.Metrics) error { return e.trace(ctx, m, out) },
	}
	history, err := c.run(ctx, l, method, s.log)
	return m, history, err
}
