// Command extrapolation shows what preference optimization does to responses that no pair
// contains: with linear features, where what is learned carries over to them; with a free
// logit for each response, where it does not; and where the reference hardly covers one, how
// DPO and IPO can satisfy every pair while the KL-regularised reward is as bad as one likes.
//
// Every curve is held against its closed form. See -h, and docs/theory.md for the formulas.
package main

import (
	"context"
	"io"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/train"
)

func main() { command.Main("extrapolation", run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := command.MakeDirs(c.Out); err != nil {
		return err
	}
	r, err := experiment(ctx, c, stderr)
	if err != nil {
		return err
	}
	return command.Show(r, c.Out, c.JSON, stdout, stderr)
}

// experiment runs all three parts.
func experiment(ctx context.Context, c *config, stderr io.Writer) (*result, error) {
	r := &result{Problem: "extrapolation", Config: used{config: c, Fixed: fixed}}
	for i := range c.Seeds {
		r.Seeds = append(r.Seeds, c.Seed+uint64(i))
	}
	runs := len(r.Seeds) * (2*len(linearMethods) + len(references) + len(deltas))
	p := train.NewProgress(stderr, "training", runs*c.Steps)
	var err error
	if r.Linear, err = linearPart(ctx, c, r.Seeds, threeResponses, p); err != nil {
		return nil, err
	}
	if r.Random, err = linearPart(ctx, c, r.Seeds, randomFeatures, p); err != nil {
		return nil, err
	}
	if r.Tabular, err = tabularPart(ctx, c, r.Seeds, p); err != nil {
		return nil, err
	}
	if r.Counterexample, err = counterexamplePart(ctx, c, r.Seeds, p); err != nil {
		return nil, err
	}
	p.Done("")
	return r, nil
}
