package main

import (
	"github.com/prefgrad/prefgrad/examples/internal/linreward"
	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/train"
)

// summarise turns the evaluations of one method on all seeds into statistics.
func summarise(name string, jobs []*job) report.Method {
	m := report.Method{Name: name}
	histories := make([]train.History, len(jobs))
	for i, j := range jobs {
		histories[i] = j.out
	}
	m.Trace = report.TraceOf(histories)
	last := len(histories[0]) - 1
	m.Final = report.Final{
		KL: report.Over(histories, last, "eval/kl"), Reward: report.Over(histories, last, "eval/reward"),
		Winrate: report.Over(histories, last, "eval/winrate"), Garbage: report.Over(histories, last, "eval/garbage"),
	}
	return m
}

// refMethod is the reference itself, where every run begins.
func refMethod(problems []*seedProblem) report.Method {
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

// pooledAccuracy is the reward models' accuracy on all seeds' held-out pairs together.
func pooledAccuracy(problems []*seedProblem) *report.RewardModel {
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

// frontierPoint is one setting of a method.
type frontierPoint struct {
	method       string
	beta, lambda float64
	config       methods.Config
}

// frontierPoints are the settings of -frontier: DPO over β, HyPO over λ, online RLHF over β.
func (c *config) frontierPoints() []frontierPoint {
	if !c.Frontier {
		return nil
	}
	var points []frontierPoint
	add := func(method string, beta, lambda float64) {
		g := c.hyper()
		g.Lambda = lambda
		if method == "online-rlhf" {
			g.RLHFBeta = beta
		} else {
			g.Beta = beta
		}
		points = append(points, frontierPoint{method, beta, lambda, g})
	}
	for _, beta := range []float64{0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.6, 3.2} {
		add("dpo", beta, 0)
	}
	for _, lambda := range []float64{0.003, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5} {
		add("hypo", c.Beta, lambda)
	}
	for _, beta := range []float64{0.1, 0.2, 0.3, 0.5, 1, 2, 4} {
		add("online-rlhf", beta, 0)
	}
	return points
}
