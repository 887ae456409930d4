package main

import (
	"context"
	"io"

	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/examples/internal/report"
	"github.com/prefgrad/prefgrad/examples/internal/text"
)

// runText runs the pipeline on a preference file.
func runText(ctx context.Context, c *config, stderr io.Writer) (*report.Report, error) {
	size := text.Sizes[c.Size]
	x := &text.Experiment{
		Data: c.Data, SkipBad: c.SkipBad, Size: size, Models: text.LogBilinear{}, Methods: methods.Names, Seeds: c.seeds(),
		Config: c.hyper(), Files: c.files, Out: c.Out, Log: stderr,
	}
	r, err := x.Run(ctx)
	if err != nil {
		return nil, err
	}
	r.Config = used{config: c, Model: &size, DualShare: methods.DualShare, Fixed: x.Fixed()}
	return r, nil
}
