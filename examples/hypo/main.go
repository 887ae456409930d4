// Command hypo compares DPO, HyPO, HyPO with a KL budget, and online RLHF, from the same
// reference policy: how far each moves from it, and what it gains.
//
// Without arguments it runs on an embedded synthetic problem on which every quantity is
// exact; with -data FILE on a file of real preferences, where the policies are small
// language models trained from nothing. See -h.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/prefgrad/prefgrad/examples/internal/report"
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
		fmt.Fprintln(os.Stderr, "hypo:", err)
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
	var r *report.Report
	if c.Data == "" {
		r, err = runGap(ctx, c, stderr)
	} else {
		r, err = runText(ctx, c, stderr)
	}
	if err != nil {
		return err
	}
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
