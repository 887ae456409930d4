package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// references are the kinds of π_ref, by how its logits on covered responses depend on their
// rewards in units of 1/β: favour times r/β plus noise.
var references = []struct {
	name          string
	favour, noise float64
}{
	{"uniform", 0, 0},
	{"favours high", 1.5, 0},
	{"favours low", -1.5, 0},
	{"random", 0, 1.5},
}

// tabularRun is what one run leaves.
type tabularRun struct {
	history         train.History
	change, formula float64
	path            float64 // largest error of the formula during training
}

func tabularPart(ctx context.Context, c *config, seeds []uint64, p *train.Progress) ([]tabular, error) {
	runs := make([]tabularRun, len(references)*len(seeds))
	err := command.Parallel(ctx, len(runs), func(ctx context.Context, i int) error {
		seed, kind := seeds[i%len(seeds)], i/len(seeds)
		var err error
		if runs[i], err = tabularTrain(ctx, c, kind, seed, p); err != nil {
			return fmt.Errorf("no features, reference %s, seed %d: %w", references[kind].name, seed, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []tabular
	for i, kind := range references {
		out = append(out, summariseTabular(kind.name, runs[i*len(seeds):(i+1)*len(seeds)]))
	}
	return out, nil
}

// tabularTrain runs DPO on all pairs of the covered responses.
func tabularTrain(ctx context.Context, c *config, kind int, seed uint64, p *train.Progress) (tabularRun, error) {
	rng := rand.New(rand.NewPCG(seed, 0xbb67ae8584caa73b))
	reward, base := make([]float64, covered), make([]float64, covered+uncovered)
	for y := range reward {
		reward[y] = rng.NormFloat64()
		base[y] = references[kind].favour*reward[y]/c.Beta + references[kind].noise*rng.NormFloat64()
	}
	normalize(base[:covered])
	mass := 0.05 + 0.25*rng.Float64() // of what no pair contains
	floats.AddConst(math.Log1p(-mass), base[:covered])
	for y := covered; y < len(base); y++ {
		base[y] = math.Log(mass / uncovered)
	}

	pi := policy.NewTabular(1, len(base), base)
	term, err := newLabelled(pi, pi.Freeze(), loss.DPO{Beta: c.Beta}, comparisons(reward, covered))
	if err != nil {
		return tabularRun{}, err
	}
	var run tabularRun
	l := &train.Loop[int, int]{
		Data: train.Data[int, int]{X: []int{0}}, Batch: 1, Terms: []train.Term[int, int]{term}, Updater: train.NewSGD(pi, 0),
		Steps: c.Steps, LR: tabularLR / (c.Beta * c.Beta), Seed: seed, Progress: p, EvalEvery: max(1, c.Steps/evaluations),
		Eval: func(_ context.Context, _ int, m *train.Metrics) error {
			logp, err := logProbs(pi)
			if err != nil {
				return err
			}
			run.change = logOdds(logp, covered) - logOdds(base, covered)
			run.path = max(run.path, math.Abs(run.change-logOddsChange(base, floats.SubTo(make([]float64, covered), logp[:covered], base[:covered]))))
			m.Set("log_odds", run.change)
			m.Set("mass", math.Exp(floats.LogSumExp(logp[covered:])))
			return nil
		},
	}
	if run.history, err = l.Run(ctx); err != nil {
		return run, err
	}
	floats.Scale(1/c.Beta, reward)
	run.formula = logOddsChange(base, reward)
	return run, nil
}

func summariseTabular(name string, runs []tabularRun) tabular {
	out := tabular{Reference: name}
	change, formula := make([]float64, len(runs)), make([]float64, len(runs))
	histories := make([]train.History, len(runs))
	for i, r := range runs {
		change[i], formula[i], histories[i] = r.change, r.formula, r.history
		out.Error = max(out.Error, jsonnum.Float(math.Abs(r.change-r.formula)))
		out.PathError = max(out.PathError, jsonnum.Float(r.path))
		switch {
		case r.change > 0:
			out.Rose++
		case r.change < 0:
			out.Fell++
		}
	}
	out.LogOdds, out.ClosedForm = report.NewStat(change, nil), report.NewStat(formula, nil)
	for i, e := range histories[0] {
		out.Trace = append(out.Trace, tabularPoint{e.Step, report.Over(histories, i, "mass"), report.Over(histories, i, "log_odds")})
	}
	return out
}
