// Command lora compares DPO and HyPO on a file of real preferences, with low-rank adapters on
// a transformer: supervised fine-tuning first, then one adapter per method on the frozen base,
// which is the reference at the same time.
//
// The transformer begins with random weights, or with -model as a checkpoint in Hugging Face's
// form. See -h.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/prefgrad/prefgrad/policy/gomlx"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "lora:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parse(args, stderr)
	if err != nil {
		return err
	}
	for _, dir := range []string{c.Out, c.Checkpoint} {
		if dir != "" {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
	}
	backend, err := gomlx.NewBackend()
	if err != nil {
		return err
	}
	defer backend.Finalize()
	x := c.experiment(backend, stderr)
	r, err := x.Run(ctx)
	if err != nil {
		return err
	}
	r.Config = struct {
		*config
		Fixed map[string]any `json:"fixed"`
	}{c, x.Fixed()}
	if c.Out != "" {
		paths, err := r.Plots(c.Out)
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
	return r.Table(stdout)
}
