package main

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/prefgrad/prefgrad/loss"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// hypo is one step of HyPO on a log-linear policy: for each prompt a pair and four fresh
// samples, the loss, the gradient, and Adam.
func hypo(_ options, dim, prompts int) (benchmark, error) {
	const responses, k, beta, lambda, lr = 16, 4, 0.1, 0.05, 1e-3
	p := policy.NewLogLinear(dim)
	copy(p.Params(), normal(dim, 0, 0.01))
	candidates := make([]*policy.Candidates, prompts)
	features, logRef := normal32(prompts*responses*dim, 1), normal(prompts*responses, 0, 1)
	for i := range candidates {
		f, err := policy.NewDense32(responses, dim, features[i*responses*dim:(i+1)*responses*dim])
		if err != nil {
			return benchmark{}, err
		}
		candidates[i] = &policy.Candidates{Features: f, Ref: logRef[i*responses : (i+1)*responses]}
	}
	table := make([]float64, len(logRef)) // log π_ref of all responses, computed beforehand
	for i := range prompts {
		row := table[i*responses : (i+1)*responses]
		for j := range row {
			row[j] = logRef[i*responses+j] - floats.LogSumExp(logRef[i*responses:(i+1)*responses])
		}
	}

	// The items of a prompt stand together: its pair, then its samples.
	const items = 2 + k
	n := prompts * items
	xs, ys := make([]*policy.Candidates, n), make([]int, n)
	ids := make([]uint64, prompts)
	for i := range prompts {
		ids[i] = uint64(i)
		for j := range items {
			xs[i*items+j] = candidates[i]
		}
		ys[i*items] = i * 31 % responses
		ys[i*items+1] = (ys[i*items] + 1) % responses
	}
	draws := policy.Draws[int]{Y: make([]int, prompts*k), LogProb: make([]float64, prompts*k), Model: make([]float64, prompts*k)}
	logp, w := make([]float64, n), make([]float64, n)
	half := func() []float64 { return make([]float64, prompts) }
	pairs := loss.Pairs{Chosen: half(), Rejected: half(), RefChosen: half(), RefRejected: half()}
	samples := loss.Samples{LogProb: make([]float64, prompts*k), Ref: make([]float64, prompts*k), K: k}
	out := loss.HyPOOut{
		Pairs:   loss.PairsOut{Chosen: half(), Rejected: half()},
		Samples: loss.SamplesOut{LogProb: make([]float64, prompts*k)},
	}
	for i := range prompts {
		chosen, rejected := ys[i*items], ys[i*items+1]
		pairs.RefChosen[i], pairs.RefRejected[i] = table[i*responses+chosen], table[i*responses+rejected]
	}
	ofPair, ofSample := 1/float64(prompts), 1/float64(prompts*k) // losses are means
	pass, adam := p.NewPass(), train.NewAdamW(p)
	step := uint64(0)
	return benchmark{fmt.Sprintf("loglinear/hypo/d=%d", dim), prompts, responses * dim * 4, func() error {
		step++
		if err := p.Sample(background, draws, candidates, ids, k, policy.Key{Seed: 1, Step: step}); err != nil {
			return err
		}
		for i := range prompts {
			drawn, ref, logRef := ys[i*items+2:][:k], samples.Ref[i*k:][:k], table[i*responses:][:responses]
			for j, y := range draws.Y[i*k:][:k] {
				drawn[j], ref[j] = y, logRef[y]
			}
		}
		if err := pass.Forward(background, logp, xs, ys); err != nil {
			return err
		}
		for i := range prompts {
			item, sample := logp[i*items:][:items], samples.LogProb[i*k:][:k]
			pairs.Chosen[i], pairs.Rejected[i] = item[0], item[1]
			for j := range sample {
				sample[j] = item[2+j]
			}
		}
		if _, err := (loss.HyPO{Offline: loss.DPO{Beta: beta}, Lambda: lambda}).Eval(out, pairs, samples); err != nil {
			return err
		}
		for i := range prompts {
			item := w[i*items:][:items]
			item[0], item[1] = out.Pairs.Chosen[i]*ofPair, out.Pairs.Rejected[i]*ofPair
			for j, v := range out.Samples.LogProb[i*k:][:k] {
				item[2+j] = v * ofSample
			}
		}
		if err := pass.Pullback(background, w); err != nil {
			return err
		}
		_, err := adam.Update(background, lr, 1, math.Inf(1))
		return err
	}}, nil
}
