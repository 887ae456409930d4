package main

import (
	"github.com/prefgrad/prefgrad/examples/internal/gap"
	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/train"
)

// summarise turns the runs of one method on all seeds into statistics.
func summarise(name string, jobs []*job) report.Method {
	histories := make([]train.History, len(jobs))
	for i, j := range jobs {
		histories[i] = j.out
	}
	return gap.Summarise(name, histories)
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
