// Command online compares online methods on one sample budget: RLOO, PPO, GRPO, online DPO,
// Nash-MD, XPO, REBEL and best-of-n distillation, with a learned and with the true reward, and
// DPO and HyPO on offline pairs beside them. See -h.
package main

import (
	"context"
	"fmt"
	"io"

	"github.com/prefgrad/prefgrad/examples/internal/command"
)

func main() { command.Main("online", run) }

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
	if c.Out != "" {
		paths, err := plots(r, c)
		if err != nil {
			return err
		}
		for _, p := range paths {
			fmt.Fprintln(stderr, "wrote", p)
		}
	}
	if c.JSON {
		return r.JSON(stdout)
	}
	if err := r.Table(stdout); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "Each method but dpo has drawn %d responses. Exact quantities on held-out prompts, by the true reward.\n", c.Samples)
	return err
}
