// Package methods sets up the training methods that the examples compare, for any prompts,
// responses and policies.
package methods

import (
	"context"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/train"
)

// Names lists the methods in the order of tables.
var Names = []string{"dpo", "hypo", "hypo-constrained", "online-rlhf"}

// Config holds the hyperparameters of one run, and where it keeps its files.
type Config struct {
	Steps    int
	Batch    int     // pairs per update
	Repeat   int     // updates on each batch; 0: 1
	LR       float64 // of AdamW
	MaxNorm  float64 // of the gradient; 0: not clipped
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

// DualShare is by how much λ of constrained HyPO moves per update, for a KL that exceeds the
// budget by the budget itself.
const DualShare = 5e-4

// Terms returns the objective of the method called name. Only "online-rlhf" uses the reward.
func Terms[X, Y any](name string, p policy.Learner[X, Y], ref policy.Policy[X, Y], reward train.RewardFunc[X, Y], c Config) []train.Term[X, Y] {
	dpo := &train.Offline[X, Y]{Policy: p, Loss: loss.DPO{Beta: c.Beta}}
	switch name {
	case "dpo":
		return []train.Term[X, Y]{dpo}
	case "hypo":
		return []train.Term[X, Y]{dpo, &train.KLPenalty[X, Y]{Policy: p, Ref: ref, K: c.K, Lambda: c.Lambda}}
	case "hypo-constrained":
		dual := rloo.Dual{Budget: c.KLBudget, Rate: DualShare / c.KLBudget, Lambda: c.Lambda}
		return []train.Term[X, Y]{dpo, &train.KLBudget[X, Y]{Policy: p, Ref: ref, K: c.K, Dual: dual}}
	case "online-rlhf":
		return []train.Term[X, Y]{&train.Online[X, Y]{Policy: p, Ref: ref, Reward: reward, K: c.K, Beta: c.RLHFBeta}}
	}
	panic("methods: no method " + name)
}

// Run completes a loop, which has its data, terms, updater and hooks, and runs it. problem and
// name say which run it is; a checkpoint of another is refused.
func Run[X, Y any](ctx context.Context, l *train.Loop[X, Y], problem, name string, c Config) (train.History, error) {
	l.Name = problem + " " + name
	l.Steps, l.Batch, l.Repeat, l.LR, l.MaxNorm, l.Seed = c.Steps, c.Batch, c.Repeat, c.LR, c.MaxNorm, c.Seed
	l.EvalEvery, l.CheckpointEvery, l.Resume = c.EvalEvery, c.CheckpointEvery, c.Resume
	if c.Files != nil {
		l.Checkpoint, l.MetricsFile = c.Files(name)
	}
	return l.Run(ctx)
}
