package report

import "github.com/prefgrad/prefgrad/train"

// TraceOf summarises the evaluations of one method over seeds: "eval/kl", "eval/reward" and
// "eval/winrate".
func TraceOf(seeds []train.History) []Trace {
	var out []Trace
	for i, e := range seeds[0] {
		out = append(out, Trace{Step: e.Step, KL: Over(seeds, i, "eval/kl"), Reward: Over(seeds, i, "eval/reward"), Winrate: Over(seeds, i, "eval/winrate")})
	}
	return out
}

// Over summarises a value of evaluation i over seeds.
func Over(seeds []train.History, i int, name string) *Stat {
	values := make([]float64, len(seeds))
	for s, h := range seeds {
		values[s] = h[i].Values[name]
	}
	return NewStat(values, nil)
}
