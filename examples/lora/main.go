// Command lora compares DPO and HyPO on a file of real preferences, with low-rank adapters on
// a transformer: supervised fine-tuning first, then one adapter per method on the frozen base,
// which is the reference at the same time.
//
// The transformer begins with random weights, or with -model as a checkpoint in Hugging Face's
// form. See -h.
package main

import (
	"context"
	"io"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/policy/gomlx"
)

func main() { command.Main("lora", run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := command.MakeDirs(c.Out, c.Checkpoint); err != nil {
		return err
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
	return command.Show(r, c.Out, c.JSON, stdout, stderr)
}
