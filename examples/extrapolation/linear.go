package main

import (
	"context"
	"fmt"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/linreward"
	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// evaluations is the number of points of a trace.
const evaluations = 40

var linearMethods = []string{"dpo", "online-rlhf"}

// instance is a problem with linear features: pairs that never contain the best response.
type instance struct {
	data   train.Data[*policy.Candidates, int]
	x      []*policy.Candidates
	best   []int     // of each prompt
	reward []float64 // r̂ = φ·w, fitted to the pairs
	exact  bool      // the three responses, whose curves have a closed form
}

// linearRun is what one run leaves.
type linearRun struct {
	history            train.History
	curve, flow, limit float64 // largest errors
}

func linearPart(ctx context.Context, c *config, seeds []uint64, draw func(seed uint64) (*instance, error), p *train.Progress) ([]linear, error) {
	runs := make([]linearRun, len(linearMethods)*len(seeds))
	var exact bool
	err := command.Parallel(ctx, len(runs), func(ctx context.Context, i int) error {
		seed, method := seeds[i%len(seeds)], linearMethods[i/len(seeds)]
		in, err := draw(seed)
		if err != nil {
			return err
		}
		if i == 0 {
			exact = in.exact
		}
		if runs[i], err = in.train(ctx, c, method, seed, p); err != nil {
			return fmt.Errorf("linear features, %s, seed %d: %w", method, seed, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []linear
	for i, m := range linearMethods {
		out = append(out, summarise(m, exact, runs[i*len(seeds):(i+1)*len(seeds)]))
	}
	return out, nil
}

// train runs one method from the reference.
func (in *instance) train(ctx context.Context, c *config, method string, seed uint64, p *train.Progress) (linearRun, error) {
	pi := policy.NewLogLinear(len(in.reward))
	ref := pi.Freeze()
	if err := in.data.CacheRef(ctx, ref, in.data.Len(), nil); err != nil {
		return linearRun{}, err
	}
	run := linearRun{}
	l := &train.Loop[*policy.Candidates, int]{
		Data: in.data, Updater: train.NewSGD(pi, 0), Progress: p,
		Terms: methods.Terms(method, pi, ref, in.score, methods.Config{Beta: c.Beta, RLHFBeta: c.Beta, K: c.K}),
		Eval: func(_ context.Context, step int, m *train.Metrics) error {
			if in.exact {
				e, err := in.curveError(pi)
				if err != nil {
					return err
				}
				run.curve = max(run.curve, e)
				if method == "dpo" {
					run.flow = max(run.flow, flowError(pi, c.Beta, flowLR*float64(step)))
				}
			}
			return in.report(pi, m)
		},
	}
	lr := linearLR / (c.Beta * c.Beta)
	switch {
	case method == "online-rlhf":
		lr, l.Schedule = onlineLR/c.Beta, train.Cosine{} // sampled gradients: anneal
	case in.exact:
		lr = flowLR / (c.Beta * c.Beta)
	}
	var err error
	run.history, err = methods.Run(ctx, l, "extrapolation", method, methods.Config{
		Steps: c.Steps, Batch: in.data.Len(), LR: lr, Seed: seed, EvalEvery: max(1, c.Steps/evaluations),
	})
	if err != nil {
		return run, err
	}
	run.limit, err = in.limitError(pi, c.Beta)
	return run, err
}

// score is the reward model as a train.RewardFunc.
func (in *instance) score(_ context.Context, dst []float64, xs []*policy.Candidates, ys []int) error {
	for i, x := range xs {
		n, _ := x.Features.Dims()
		r := make([]float64, n)
		x.Features.Mul(r, in.reward)
		dst[i] = r[ys[i]]
	}
	return nil
}

// report puts mean log-probabilities into the metrics of an evaluation.
func (in *instance) report(pi *policy.LogLinear, m *train.Metrics) error {
	ctx, n := context.Background(), in.data.Len()
	logp := make([]float64, max(n, len(in.x)))
	for _, q := range []struct {
		name string
		xs   []*policy.Candidates
		ys   []int
	}{{"best", in.x, in.best}, {"chosen", in.data.X, in.data.Chosen}, {"rejected", in.data.X, in.data.Rejected}} {
		dst := logp[:len(q.xs)]
		if err := pi.LogProbs(ctx, dst, q.xs, q.ys); err != nil {
			return err
		}
		sum := 0.0
		for _, v := range dst {
			sum += v
		}
		m.Mean(q.name, sum, len(dst))
	}
	return nil
}

// fit fits the reward model to the pairs.
func (in *instance) fit(l2 float64) error {
	_, d := in.x[0].Features.Dims()
	diff := make([]float64, in.data.Len()*d)
	for i, x := range in.data.X {
		n, _ := x.Features.Dims()
		w := make([]float64, n)
		w[in.data.Chosen[i]], w[in.data.Rejected[i]] = 1, -1
		x.Features.AddMulT(diff[i*d:(i+1)*d], w)
	}
	f, err := policy.NewDense(in.data.Len(), d, diff)
	if err != nil {
		return err
	}
	in.reward, err = linreward.Fit(f, l2)
	return err
}

// summarise puts together one method's runs over seeds.
func summarise(method string, exact bool, runs []linearRun) linear {
	out := linear{Method: method}
	histories := make([]train.History, len(runs))
	var curve, flow jsonnum.Float
	limits := make([]float64, len(runs))
	for i, r := range runs {
		histories[i], limits[i] = r.history, r.limit
		curve, flow = max(curve, jsonnum.Float(r.curve)), max(flow, jsonnum.Float(r.flow))
	}
	for i, e := range histories[0] {
		out.Trace = append(out.Trace, linearPoint{
			e.Step, report.Over(histories, i, "best"), report.Over(histories, i, "chosen"), report.Over(histories, i, "rejected"),
		})
	}
	change := func(name string) *report.Stat {
		values := make([]float64, len(histories))
		for i, h := range histories {
			values[i] = h[len(h)-1].Values[name] - h[0].Values[name]
		}
		return report.NewStat(values, nil)
	}
	out.Best, out.Chosen, out.Rejected = change("best"), change("chosen"), change("rejected")
	if exact {
		out.CurveError = &curve
	}
	if exact && method == "dpo" {
		out.FlowError = &flow // it has no limit: s grows like log t
	} else {
		out.LimitError = report.NewStat(limits, nil)
	}
	return out
}
