package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/gap"
	"github.com/prefgrad/prefgrad/examples/internal/linreward"
	hyper "github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/train"
)

// evaluations is the number of points of a trace.
const evaluations = 25

// Signals are what an online method learns from.
const (
	learned = "learned"
	exact   = "true"
)

// seedProblem is the problem of one seed with what all its runs share.
type seedProblem struct {
	*gap.Problem
	eval   *gap.Evaluator
	rm     *gap.RewardModel
	reward map[string]train.RewardFunc[x, int] // by signal
}

func newSeedProblem(seed uint64) (*seedProblem, error) {
	p, err := gap.New(seed)
	if err != nil {
		return nil, err
	}
	rm, err := p.FitReward()
	if err != nil {
		return nil, err
	}
	rewards := map[string]train.RewardFunc[x, int]{learned: rm.Score, exact: p.TrueReward()}
	return &seedProblem{p, gap.NewEvaluator(&p.Test), rm, rewards}, nil
}

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
	var problems []*seedProblem
	for i := range c.Seeds {
		r.Seeds = append(r.Seeds, c.Seed+uint64(i))
		p, err := newSeedProblem(r.Seeds[i])
		if err != nil {
			return nil, err
		}
		problems = append(problems, p)
	}
	jobs, updates := c.jobs()
	progress := train.NewProgress(stderr, "training", updates)
	err := command.Parallel(ctx, len(jobs), func(ctx context.Context, i int) error {
		j := jobs[i]
		h, err := c.train(ctx, problems[j.seed], j, progress)
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
	r.Methods = append(r.Methods, reference(problems))
	for group := range slices.Chunk(jobs, c.Seeds) {
		r.Methods = append(r.Methods, c.summarise(group))
	}
	r.RewardModel = accuracy(problems)
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
func (c *config) train(ctx context.Context, p *seedProblem, j *job, progress *train.Progress) (train.History, error) {
	repeat := c.repeat(j.method)
	settings := hyper.Config{
		Steps: c.batches() * repeat, Batch: c.Batch, Repeat: repeat, LR: c.LR, Seed: c.Seed + uint64(j.seed),
		EvalEvery: max(1, c.batches()/evaluations) * repeat,
	}
	terms := func(pi learner, ref frozen) ([]term, error) { return j.method.terms(c, pi, ref, p.reward[j.signal]) }
	_, h, err := p.RunTerms(ctx, j.method.name, terms, p.eval, settings, progress)
	return h, err
}

// summarise turns the runs of a method with one signal into statistics.
func (c *config) summarise(jobs []*job) report.Method {
	m := report.Method{Name: jobs[0].method.name, Signal: jobs[0].signal}
	var histories []train.History
	for _, j := range jobs {
		histories = append(histories, j.out)
	}
	m.Trace = report.TraceOf(histories)
	if jobs[0].method.drawn {
		for i := range m.Trace {
			m.Trace[i].Samples = m.Trace[i].Step / c.repeat(jobs[0].method) * c.Batch * c.K
		}
	}
	last := len(histories[0]) - 1
	m.Final = report.Final{
		KL: report.Over(histories, last, "eval/kl"), Reward: report.Over(histories, last, "eval/reward"),
		Winrate: report.Over(histories, last, "eval/winrate"), Garbage: report.Over(histories, last, "eval/garbage"),
	}
	return m
}

// reference is π_ref itself, where every run begins.
func reference(problems []*seedProblem) report.Method {
	var garbage []float64
	zero, half := make([]float64, len(problems)), make([]float64, len(problems))
	for i, p := range problems {
		garbage = append(garbage, p.eval.RefGarbage())
		half[i] = 0.5
	}
	return report.Method{Name: "ref", Final: report.Final{
		KL: report.NewStat(zero, nil), Reward: report.NewStat(zero, nil), Winrate: report.NewStat(half, nil), Garbage: report.NewStat(garbage, nil),
	}}
}

// accuracy is the reward models' on all seeds' held-out pairs together.
func accuracy(problems []*seedProblem) *report.RewardModel {
	right, n := 0.0, 0.0
	for _, p := range problems {
		k := float64(p.TestPairs.Len())
		right += p.rm.Accuracy * k
		n += k
	}
	lo, hi := linreward.Wilson(right, n)
	return &report.RewardModel{
		TrainPairs: problems[0].rm.TrainPairs,
		Accuracy:   jsonnum.Float(right / n), Lo: jsonnum.Float(lo), Hi: jsonnum.Float(hi),
	}
}
