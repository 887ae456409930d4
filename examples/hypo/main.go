// Command hypo compares DPO, HyPO, HyPO with a KL budget, and online RLHF, from the same
// reference policy: how far each moves from it, and what it gains.
//
// Without arguments it runs on an embedded synthetic problem on which every quantity is
// exact; with -data FILE on a file of real preferences, where the policies are small
// language models trained from nothing. See -h.
package main

import (
	"context"
	"io"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/report"
)

func main() { command.Main("hypo", run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := command.MakeDirs(c.Out, c.Checkpoint); err != nil {
		return err
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
	return command.Show(r, c.Out, c.JSON, stdout, stderr)
}
