package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy/logits"
	"github.com/prefgrad/prefgrad/rloo"
	"github.com/prefgrad/prefgrad/sampler"
)

type options struct {
	threads int
	file    string
}

// group makes cases that share data, when one of them is wanted.
type group struct {
	prefix string
	make   func(options) ([]benchmark, error)
}

// cases are those that the peers are measured on, at the same sizes.
var cases = []group{
	{"logprob/", func(o options) ([]benchmark, error) {
		return append(logprob(o, 512, 32_000), logprob(o, 128, 128_256)...), nil
	}},
	{"dpo/", func(options) ([]benchmark, error) { return []benchmark{dpo(64), dpo(4096), dpo(1 << 20)}, nil }},
	{"rloo/", func(options) ([]benchmark, error) {
		return []benchmark{leaveOneOut(1<<18, 4), leaveOneOut(1<<14, 64)}, nil
	}},
	{"coverage/", func(o options) ([]benchmark, error) {
		var all []benchmark
		for _, s := range []int{10_000, 1_000_000} {
			stats, err := statistics(o, s)
			if err != nil {
				return nil, err
			}
			all = append(all, psis(s), stats)
		}
		return all, nil
	}},
	{"sample/", func(options) ([]benchmark, error) { return append(sample(32_000), sample(128_256)...), nil }},
	{"loglinear/", func(o options) ([]benchmark, error) { return both(hypo(o, 64, 256))(hypo(o, 1024, 256)) }},
	{"jsonl", jsonl},
}

// sizes show how the time grows with the work.
var sizes = []group{
	{"logprob/", func(o options) ([]benchmark, error) {
		var all []benchmark
		for v := 100; v <= 1_000_000; v *= 10 {
			all = append(all, logprob(o, 16, v)...)
		}
		return all, nil
	}},
	{"dpo/", func(options) ([]benchmark, error) { return decades(100, dpo), nil }},
	{"rloo/", func(options) ([]benchmark, error) {
		return decades(25, func(n int) benchmark { return leaveOneOut(n, 4) }), nil
	}},
	{"coverage/psis/", func(options) ([]benchmark, error) { return decades(100, psis), nil }},
	{"coverage/stats/", func(o options) ([]benchmark, error) {
		var all []benchmark
		for s := 100; s <= 1_000_000; s *= 10 {
			b, err := statistics(o, s)
			if err != nil {
				return nil, err
			}
			all = append(all, b)
		}
		return all, nil
	}},
	{"sample/", func(options) ([]benchmark, error) {
		return decades(100, func(v int) benchmark { return sample(v)[1] }), nil
	}},
	{"loglinear/", func(o options) ([]benchmark, error) {
		var all []benchmark
		for n := 1; n <= 10_000; n *= 10 {
			b, err := hypo(o, 64, n)
			if err != nil {
				return nil, err
			}
			b.name = fmt.Sprintf("loglinear/hypo/N=%d", n)
			all = append(all, b)
		}
		return all, nil
	}},
}

// decades makes cases of size from, 10·from, … up to 10⁴·from.
func decades(from int, f func(n int) benchmark) []benchmark {
	var all []benchmark
	for k := range 5 {
		all = append(all, f(from*int(math.Pow10(k))))
	}
	return all
}

func both(a benchmark, err error) func(benchmark, error) ([]benchmark, error) {
	return func(b benchmark, err2 error) ([]benchmark, error) {
		if err == nil {
			err = err2
		}
		return []benchmark{a, b}, err
	}
}

func normal(n int, mean, sd float64) []float64 {
	g := rand.New(rand.NewPCG(1, uint64(n)))
	x := make([]float64, n)
	for i := range x {
		x[i] = mean + sd*g.NormFloat64()
	}
	return x
}

func normal32(n int, sd float64) []float32 {
	x := make([]float32, n)
	for i, v := range normal(n, 0, sd) {
		x[i] = float32(v)
	}
	return x
}

// logprob is log-probabilities of labels from rows of logits, and their gradient.
func logprob(o options, rows, vocab int) []benchmark {
	z := logits.Rows{Data: normal32(rows*vocab, 1), N: rows, Vocab: vocab}
	dz := logits.Rows{Data: make([]float32, rows*vocab), N: rows, Vocab: vocab}
	labels := make([]int32, rows)
	for i := range labels {
		labels[i] = int32(i * 7919 % vocab)
	}
	batch := logits.Batch{Logits: z, Labels: labels, Temperature: 1, Workers: o.threads}
	out, w := logits.Stats{LogProb: make([]float64, rows)}, logits.Stats{LogProb: normal(rows, 0, 1)}
	return []benchmark{
		{fmt.Sprintf("logprob/fwd/V=%d", vocab), rows * vocab, 4, func() error { return logits.Forward(out, batch) }},
		{fmt.Sprintf("logprob/grad/V=%d", vocab), rows * vocab, 8, func() error { return logits.Gradient(dz, out, w, batch) }},
	}
}

// dpo is the sum of the loss and its derivatives.
func dpo(n int) benchmark {
	b := loss.Pairs{Chosen: normal(n, -50, 3), Rejected: normal(n, -51, 3), RefChosen: normal(n, -52, 3), RefRejected: normal(n, -53, 3)}
	out := loss.PairsOut{Chosen: make([]float64, n), Rejected: make([]float64, n)}
	return benchmark{fmt.Sprintf("dpo/B=%d", n), n, 6 * 8, func() error {
		_, err := loss.DPO{Beta: 0.1}.Eval(out, b)
		return err
	}}
}

func leaveOneOut(prompts, k int) benchmark {
	r, dst := normal(prompts*k, 0, 1), make([]float64, prompts*k)
	return benchmark{fmt.Sprintf("rloo/N=%d/k=%d", prompts, k), prompts * k, 2 * 8, func() error {
		rloo.LeaveOneOut(dst, r, k)
		return nil
	}}
}

// studentT draws log-weights whose tail is heavy.
func studentT(n int) []float64 {
	g := rand.New(rand.NewPCG(2, 2))
	x := make([]float64, n)
	for i := range x {
		chi := 0.0
		for range 4 {
			v := g.NormFloat64()
			chi += v * v
		}
		x[i] = g.NormFloat64() / math.Sqrt(chi/4)
	}
	return x
}

func psis(n int) benchmark {
	logw, dst := studentT(n), make([]float64, n)
	var s coverage.PSIS
	return benchmark{fmt.Sprintf("coverage/psis/S=%d", n), n, 2 * 8, func() error {
		_, err := s.Smooth(dst, logw)
		return err
	}}
}

// sample draws one token for each of 16 rows of logits.
func sample(vocab int) []benchmark {
	const rows = 16
	z := normal32(rows*vocab, 3)
	var row sampler.Row
	stream := rand.NewPCG(1, 1)
	with := func(name string, ts ...sampler.Transform) benchmark {
		return benchmark{fmt.Sprintf("sample/%s/V=%d", name, vocab), rows * vocab, 4, func() error {
			for i := range rows {
				if err := row.Set(z[i*vocab:(i+1)*vocab], nil, ts...); err != nil {
					return err
				}
				row.Draw(stream)
			}
			return nil
		}}
	}
	t := sampler.Temperature(0.7)
	return []benchmark{with("plain", t), with("topp", t, sampler.TopP(0.9)), with("topk", t, sampler.TopK(50)), with("minp", t, sampler.MinP(0.05))}
}

var background = context.Background()
