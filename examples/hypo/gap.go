package main

import (
	"context"
	"fmt"
	"io"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/gap"
	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/train"
)

// evaluations is the number of points of a trace.
const evaluations = 30

// job is one run: a method with its settings on the problem of a seed.
type job struct {
	seed   int // index
	method string
	config methods.Config
	out    train.History
}

// runGap runs the synthetic problem: all methods on all seeds, as many at a time as there
// are processors. Each run is deterministic, so their order does not matter.
func runGap(ctx context.Context, c *config, stderr io.Writer) (*report.Report, error) {
	r := &report.Report{Problem: "coverage-gap", Seeds: c.seeds(), Config: used{config: c, DualShare: methods.DualShare, Fixed: gap.Fixed()}}
	instances, err := gap.Instances(r.Seeds)
	if err != nil {
		return nil, err
	}
	var jobs []*job
	for _, m := range methods.Names {
		g := c.hyper()
		g.EvalEvery = max(1, c.Steps/evaluations)
		jobs = append(jobs, c.jobs("", m, g)...)
	}
	points := c.frontierPoints()
	for i := range points {
		jobs = append(jobs, c.jobs("frontier-", points[i].method, points[i].config)...)
	}
	p := train.NewProgress(stderr, "training", len(jobs)*c.Steps)
	err = command.Parallel(ctx, len(jobs), func(ctx context.Context, i int) error {
		return jobs[i].run(ctx, instances[jobs[i].seed], p)
	})
	if err != nil {
		return nil, err
	}
	p.Done("")
	r.Methods = append(r.Methods, gap.Reference(instances))
	for i, m := range methods.Names {
		r.Methods = append(r.Methods, summarise(m, jobs[i*c.Seeds:(i+1)*c.Seeds]))
	}
	rest := jobs[len(methods.Names)*c.Seeds:]
	for i, f := range points {
		final := summarise(f.method, rest[i*c.Seeds:(i+1)*c.Seeds]).Final
		r.Frontier = append(r.Frontier, report.Frontier{Name: f.method, Beta: jsonnum.Float(f.beta), Lambda: jsonnum.Float(f.lambda), KL: final.KL, Reward: final.Reward})
	}
	r.RewardModel = gap.Accuracy(instances)
	return r, nil
}

func (c *config) hyper() methods.Config {
	return methods.Config{
		Steps: c.Steps, Batch: c.Batch, LR: c.LR, Beta: c.Beta, RLHFBeta: c.RLHFBeta,
		Lambda: c.Lambda, KLBudget: c.KLBudget, K: c.K, CheckpointEvery: c.Every, Resume: c.Resume,
	}
}

// jobs returns the runs of a method on all seeds. Their files begin with prefix.
func (c *config) jobs(prefix, method string, g methods.Config) []*job {
	var jobs []*job
	for i := range c.Seeds {
		g.Seed = c.Seed + uint64(i)
		file := fmt.Sprintf("%s%s-beta%g-rlhf%g-lambda%g-seed%d", prefix, method, g.Beta, g.RLHFBeta, g.Lambda, g.Seed)
		g.Files = func(string) (string, string) { return c.files(file) }
		jobs = append(jobs, &job{seed: i, method: method, config: g})
	}
	return jobs
}

// seeds returns the seeds of the runs.
func (c *config) seeds() []uint64 {
	var out []uint64
	for i := range c.Seeds {
		out = append(out, c.Seed+uint64(i))
	}
	return out
}

// files returns where a run keeps its checkpoint and its metrics.
func (c *config) files(run string) (checkpoint, metrics string) {
	return command.Files(c.Checkpoint, c.Out, run)
}

func (j *job) run(ctx context.Context, s *gap.Instance, p *train.Progress) error {
	var err error
	if _, j.out, err = s.Run(ctx, j.method, s.Learned, s.Evaluator, j.config, p); err != nil {
		return fmt.Errorf("%s, seed %d: %w", j.method, j.config.Seed, err)
	}
	return nil
}
