package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/gap"
	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// The demonstration trains as examples/hypo does, a third as long.
const (
	demoSteps = 500
	demoDraws = 16 // for each prompt, of the policy and of the reference
)

var demoMethods = []string{"dpo", "hypo"}

// demonstration is what -json prints of it: the exact KL of each policy, and its audit.
type demonstration struct {
	Problem string `json:"problem"`
	Seed    uint64 `json:"seed"`
	DPO     demo   `json:"dpo"`
	HyPO    demo   `json:"hypo"`
}

type demo struct {
	ExactKL number  `json:"exact_kl"`
	Audit   *result `json:"audit"`
}

// demonstrate trains policies on the coverage-gap problem and audits them on prompts that they
// were not trained on.
func demonstrate(ctx context.Context, c *config, stdout, stderr io.Writer) error {
	p, err := gap.New(c.Seed)
	if err != nil {
		return err
	}
	progress := train.NewProgress(stderr, "training", len(demoMethods)*demoSteps)
	demos := make([]demo, len(demoMethods))
	err = command.Parallel(ctx, len(demoMethods), func(ctx context.Context, i int) error {
		return demos[i].run(ctx, p, demoMethods[i], c, progress)
	})
	if err != nil {
		return err
	}
	progress.Done("")
	var bands []report.Band
	for i, d := range demos {
		bands = append(bands, report.Band{Name: demoMethods[i], Points: d.Audit.points()})
	}
	if err := plot(c.Out, stderr, bands...); err != nil {
		return err
	}
	if c.JSON {
		return encode(stdout, demonstration{"coverage-gap", c.Seed, demos[0], demos[1]})
	}
	for i, d := range demos {
		title := fmt.Sprintf("a policy trained by %s on the coverage-gap problem; its exact KL is %s nats", demoMethods[i], num(d.ExactKL))
		if i > 0 {
			fmt.Fprintf(stdout, "\n\n")
		}
		if err := d.Audit.text(stdout, title, c); err != nil {
			return err
		}
	}
	return nil
}

// run trains a policy, draws samples and audits them.
func (d *demo) run(ctx context.Context, p *gap.Problem, method string, c *config, progress *train.Progress) error {
	e := gap.NewEvaluator(&p.Test)
	pi, _, err := p.Run(ctx, method, &gap.RewardModel{}, e, methods.Config{
		Steps: demoSteps, Batch: 64, LR: 0.02, Beta: 0.1, Lambda: 0.05, K: 4, Seed: c.Seed, EvalEvery: demoSteps,
	}, progress)
	if err != nil {
		return err
	}
	exact, err := e.Exact(pi)
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	if err := draw(ctx, &lines, p.Test.X, pi, c.Seed); err != nil {
		return err
	}
	if c.Out != "" {
		if err := os.WriteFile(filepath.Join(c.Out, method+".jsonl"), lines.Bytes(), 0o644); err != nil {
			return err
		}
	}
	one := *c
	one.In = "-"
	a, err := read(ctx, &one, &lines)
	if err != nil {
		return err
	}
	d.ExactKL = number(exact.KL)
	d.Audit, err = a.result(&one)
	return err
}

// demoLine is a line as -in reads it.
type demoLine struct {
	Prompt   int       `json:"prompt"`
	LogP     number    `json:"logp"`
	RefLogP  number    `json:"ref_logp"`
	From     string    `json:"from"`
	Features []float64 `json:"features"`
}

// draw writes samples of the policy, and of the reference it started from.
func draw(ctx context.Context, w io.Writer, xs []*policy.Candidates, pi *policy.LogLinear, seed uint64) error {
	n := len(xs)
	ids, out := make([]uint64, n), bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	for i := range ids {
		ids[i] = uint64(i)
	}
	ref := policy.NewLogLinear(gap.Dim)
	y, logp, reflogp := make([]int, n*demoDraws), make([]float64, n*demoDraws), make([]float64, n*demoDraws)
	at := make([]*policy.Candidates, n*demoDraws) // the prompt of each draw
	for i := range at {
		at[i] = xs[i/demoDraws]
	}
	for step, from := range []*policy.LogLinear{pi, ref} {
		if err := from.Sample(ctx, policy.Draws[int]{Y: y}, xs, ids, demoDraws, policy.Key{Seed: seed, Step: uint64(step)}); err != nil {
			return err
		}
		if err := pi.LogProbs(ctx, logp, at, y); err != nil {
			return err
		}
		if err := ref.LogProbs(ctx, reflogp, at, y); err != nil {
			return err
		}
		for i, name := range at {
			phi, pick := make([]float64, gap.Dim), make([]float64, gap.Responses)
			pick[y[i]] = 1
			name.Features.AddMulT(phi, pick)
			line := demoLine{i / demoDraws, number(logp[i]), number(reflogp[i]), []string{"policy", "ref"}[step], phi}
			if err := lines.Encode(line); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}
