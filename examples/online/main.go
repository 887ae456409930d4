// Command online compares online methods on one sample budget: RLOO, PPO, GRPO, online DPO,
// Nash-MD, XPO, REBEL and best-of-n distillation, with a learned and with the true reward, and
// DPO and HyPO on offline pairs beside them. See -h.
package main

import (
	"context"
	"fmt"
	"io"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/report"
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
	return command.Show(shown{r, c}, c.Out, c.JSON, stdout, stderr)
}

// shown is the report with plots and a table that count responses.
type shown struct {
	*report.Report
	config *config
}

// Table prints the report's table, and what it is of.
func (s shown) Table(w io.Writer) error {
	if err := s.Report.Table(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "Each method but dpo has drawn %d responses. Exact quantities on held-out prompts, by the true reward.\n", s.config.Samples)
	return err
}
