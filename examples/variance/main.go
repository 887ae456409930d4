// Command variance compares estimators of a policy gradient by their exact bias and variance
// on a policy whose responses can be enumerated, over the number k of samples per prompt, and
// holds what sampled gradients measure against it. See -h.
package main

import (
	"context"
	"fmt"
	"io"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/train"
)

func main() { command.Main("variance", run) }

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

// experiment runs every estimator with every k.
func experiment(ctx context.Context, c *config, stderr io.Writer) (*result, error) {
	p := newProblem(c)
	r := &result{Problem: "variance", Config: c}
	for _, t := range p.targets() {
		out := target{Name: t.name, Norm: norm(t.gradient)}
		for _, e := range t.estimators {
			for _, k := range c.K {
				out.Rows = append(out.Rows, entry{Estimator: e.name, K: k})
			}
		}
		r.Targets = append(r.Targets, out)
	}
	rows := 0
	for _, t := range r.Targets {
		rows += len(t.Rows)
	}
	progress := train.NewProgress(stderr, "estimating", rows*c.Groups)
	for i, t := range p.targets() {
		err := command.Parallel(ctx, len(r.Targets[i].Rows), func(ctx context.Context, j int) error {
			row, e := &r.Targets[i].Rows[j], t.estimators[j/len(c.K)]
			if err := p.evaluate(row, e.make(), t.gradient, c); err != nil {
				return fmt.Errorf("%s of the %s, k = %d: %w", e.name, t.name, row.K, err)
			}
			progress.Add(c.Groups, nil)
			return ctx.Err()
		})
		if err != nil {
			return nil, err
		}
	}
	progress.Done("")
	return r, nil
}
