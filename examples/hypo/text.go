package main

import (
	"context"
	"errors"
	"io"

	"github.com/prefgrad/prefgrad/examples/internal/report"
)

func runText(context.Context, *config, io.Writer) (*report.Report, error) {
	return nil, errors.ErrUnsupported
}
