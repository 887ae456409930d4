package gap

import (
	"github.com/prefgrad/prefgrad/examples/internal/linreward"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/internal/jsonnum"
	"github.com/prefgrad/prefgrad/train"
)

// Instance is the problem of one seed with what all runs on it share.
type Instance struct {
	*Problem
	Evaluator *Evaluator // on held-out prompts
	Learned   *RewardModel
}

// Instances returns those of the seeds.
func Instances(seeds []uint64) ([]*Instance, error) {
	var out []*Instance
	for _, seed := range seeds {
		p, err := New(seed)
		if err != nil {
			return nil, err
		}
		rm, err := p.FitReward()
		if err != nil {
			return nil, err
		}
		out = append(out, &Instance{p, NewEvaluator(&p.Test), rm})
	}
	return out, nil
}

// Summarise turns the evaluations of one method on all seeds into statistics.
func Summarise(name string, histories []train.History) report.Method {
	last := len(histories[0]) - 1
	return report.Method{Name: name, Trace: report.TraceOf(histories), Final: report.Final{
		KL: report.Over(histories, last, "eval/kl"), Reward: report.Over(histories, last, "eval/reward"),
		Winrate: report.Over(histories, last, "eval/winrate"), Garbage: report.Over(histories, last, "eval/garbage"),
	}}
}

// Reference is π_ref itself, where every run begins.
func Reference(instances []*Instance) report.Method {
	var garbage []float64
	zero, half := make([]float64, len(instances)), make([]float64, len(instances))
	for i, p := range instances {
		garbage = append(garbage, p.Evaluator.RefGarbage())
		half[i] = 0.5
	}
	return report.Method{Name: "ref", Final: report.Final{
		KL: report.NewStat(zero, nil), Reward: report.NewStat(zero, nil), Winrate: report.NewStat(half, nil), Garbage: report.NewStat(garbage, nil),
	}}
}

// Accuracy is the reward models' on all seeds' held-out pairs together.
func Accuracy(instances []*Instance) *report.RewardModel {
	right, n := 0.0, 0.0
	for _, p := range instances {
		k := float64(p.TestPairs.Len())
		right += p.Learned.Accuracy * k
		n += k
	}
	lo, hi := linreward.Wilson(right, n)
	return &report.RewardModel{
		TrainPairs: instances[0].Learned.TrainPairs,
		Accuracy:   jsonnum.Float(right / n), Lo: jsonnum.Float(lo), Hi: jsonnum.Float(hi),
	}
}
