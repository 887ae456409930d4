package rloo_test

import (
	"fmt"
	"testing"

	"github.com/prefgrad/prefgrad/rloo"
)

func BenchmarkAdvantage(b *testing.B) {
	const n = 4096
	reward, value, _ := randomSamples(n)
	weight := make([]float64, n)
	for i, v := range value {
		weight[i] = -v + 10
	}
	dst := make([]float64, n)
	for _, k := range []int{4, 64} {
		for _, a := range []rloo.Advantage{
			rloo.RLOO{}, rloo.GroupMean{}, rloo.Standardised{}, rloo.RLOOStandardised{Std: rloo.Std{Epsilon: 0.1}}, rloo.Whitened{},
			rloo.ReMax{Baseline: value[:n/k]}, rloo.OptimalBaseline{Weight: weight}, rloo.OPO{Length: weight}, rloo.GPG{},
			rloo.PassAtK{}, rloo.PassAtK{K: 3}, rloo.ControlVariate{Value: value[:n/k]},
		} {
			name := fmt.Sprintf("%T", a)
			if a == (rloo.PassAtK{K: 3}) {
				name += "3"
			}
			b.Run(fmt.Sprintf("%s/k=%d", name[len("rloo."):], k), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := a.Eval(dst, reward, rloo.Groups{K: k}); err != nil {
						b.Fatal(err)
					}
				}
				perElement(b, n)
			})
		}
	}
}

func perElement(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
}

func BenchmarkTokens(b *testing.B) {
	long := rloo.Trajectories{Layout: rloo.Layout{Begin: []int{0}}}
	for i := range 16 {
		long.Begin = append(long.Begin, 256*(i+1))
	}
	long.Reward, long.Value, _ = randomSamples(4096)
	b.Run("replies=400/short,masked", func(b *testing.B) { benchmarkTokens(b, trajectories(1, 400)) })
	b.Run("replies=16/tokens=256", func(b *testing.B) { benchmarkTokens(b, long) })
}

func benchmarkTokens(b *testing.B, tr rloo.Trajectories) {
	n := len(tr.Reward)
	dst := rloo.TokenAdvantages{Advantage: make([]float64, n), Return: make([]float64, n)}
	for name, f := range map[string]func() error{
		"GAE":          func() error { return rloo.GAE{Gamma: 1, Lambda: 0.95}.Eval(dst, tr) },
		"RewardToGo":   func() error { return rloo.RewardToGo{Gamma: 1}.Eval(dst.Advantage, tr.Reward, tr.Layout) },
		"WhitenTokens": func() error { return rloo.WhitenTokens(dst.Advantage, tr.Reward, tr.Layout, rloo.Std{}) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
			perElement(b, n)
		})
	}
}
