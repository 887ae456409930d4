package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/gap"
	hyper "github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/train"
)

// evaluations is the number of points of a trace.
const evaluations = 25

// Signals are what an online method learns from.
const (
	learned = "learned"
	exact   = "true"
)

// job is one run.
type job struct {
	method *method
	signal string
	seed   int // index
	out    train.History
}

// experiment runs all methods with all signals on all seeds.
func experiment(ctx context.Context, c *config, stderr io.Writer) (*report.Report, error) {
	r := &report.Report{Problem: "coverage-gap", Config: used{config: c, Fixed: fixed()}}
	for i := range c.Seeds {
		r.Seeds = append(r.Seeds, c.Seed+uint64(i))
	}
	instances, err := gap.Instances(r.Seeds)
	if err != nil {
		return nil, err
	}
	jobs, updates := c.jobs()
	progress := train.NewProgress(stderr, "training", updates)
	err = command.Parallel(ctx, len(jobs), func(ctx context.Context, i int) error {
		j := jobs[i]
		h, err := c.train(ctx, instances[j.seed], j, progress)
		if err != nil {
			return fmt.Errorf("%s, %s reward, seed %d: %w", j.method.name, j.signal, r.Seeds[j.seed], err)
		}
		j.out = h
		return nil
	})
	if err != nil {
		return nil, err
	}
	progress.Done("")
	r.Methods = append(r.Methods, gap.Reference(instances))
	for group := range slices.Chunk(jobs, c.Seeds) {
		r.Methods = append(r.Methods, c.summarise(group))
	}
	r.RewardModel = gap.Accuracy(instances)
	return r, nil
}

// jobs returns the runs, those of a method with a signal next to each other, and the number of
// all their updates.
func (c *config) jobs() (jobs []*job, updates int) {
	for i := range methods {
		m := &methods[i]
		if !slices.Contains(c.Methods, m.name) {
			continue
		}
		signals := []string{learned, exact}
		if m.offline {
			signals = []string{""}
		}
		for _, signal := range signals {
			for seed := range c.Seeds {
				jobs = append(jobs, &job{method: m, signal: signal, seed: seed})
				updates += c.batches() * c.repeat(m)
			}
		}
	}
	return jobs, updates
}

// repeat returns the number of updates that a method makes on each batch.
func (c *config) repeat(m *method) int {
	if m.repeat {
		return c.Repeat
	}
	return 1
}

// train makes one run.
func (c *config) train(ctx context.Context, p *gap.Instance, j *job, progress *train.Progress) (train.History, error) {
	repeat := c.repeat(j.method)
	settings := hyper.Config{
		Steps: c.batches() * repeat, Batch: c.Batch, Repeat: repeat, LR: c.LR, Seed: c.Seed + uint64(j.seed),
		EvalEvery: max(1, c.batches()/evaluations) * repeat,
	}
	reward := p.Learned.Score
	if j.signal == exact {
		reward = p.TrueReward()
	}
	terms := func(pi learner, ref frozen) ([]term, error) { return j.method.terms(c, pi, ref, reward) }
	_, h, err := p.RunTerms(ctx, j.method.name, terms, p.Evaluator, settings, progress)
	return h, err
}

// summarise turns the runs of a method with one signal into statistics.
func (c *config) summarise(jobs []*job) report.Method {
	var histories []train.History
	for _, j := range jobs {
		histories = append(histories, j.out)
	}
	m := gap.Summarise(jobs[0].method.name, histories)
	m.Signal = jobs[0].signal
	if jobs[0].method.drawn {
		for i := range m.Trace {
			m.Trace[i].Samples = m.Trace[i].Step / c.repeat(jobs[0].method) * c.Batch * c.K
		}
	}
	return m
}
