// Command coverage audits whether preference data covers a policy: how far the policy is from
// the reference that the data came from, whether importance weights can be trusted, and
// whether to add online samples. See -h, and docs/coverage.md.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/examples/internal/report"
)

func main() {
	command.Main("coverage", func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
		// Nothing is kept that an interrupt could damage, and a read from a terminal would not notice it.
		stop := context.AfterFunc(ctx, func() {
			fmt.Fprintln(stderr, "coverage: interrupted")
			os.Exit(1)
		})
		defer stop()
		info, err := os.Stdin.Stat()
		piped := err == nil && info.Mode()&os.ModeCharDevice == 0
		return run(ctx, args, os.Stdin, piped, stdout, stderr)
	})
}

// run runs the program. piped says that standard input is no terminal, so that it is read if
// no file is named.
func run(ctx context.Context, args []string, stdin io.Reader, piped bool, stdout, stderr io.Writer) error {
	c, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := command.MakeDirs(c.Out); err != nil {
		return err
	}
	if c.Exact != "" {
		return exact(ctx, c, stdin, stdout, stderr)
	}
	if c.In == "" && c.Pairs == "" {
		in := bufio.NewReader(stdin)
		if piped {
			if _, err := in.Peek(1); err == io.EOF {
				fmt.Fprintln(stderr, "coverage: standard input is empty; this is the demonstration")
				piped = false
			}
		}
		if !piped {
			return demonstrate(ctx, c, stdout, stderr)
		}
		c.In, stdin = "-", in
	}
	a, err := read(ctx, c, stdin)
	if err != nil {
		return err
	}
	r, err := a.result(c)
	if err != nil {
		return err
	}
	if err := plot(c.Out, stderr, report.Band{Name: "π", Points: r.points()}); err != nil {
		return err
	}
	if c.JSON {
		return encode(stdout, r)
	}
	return r.text(stdout, title(c), c)
}

func title(c *config) string {
	var names []string
	for _, path := range []string{c.In, c.Pairs} {
		switch path {
		case "":
		case "-":
			names = append(names, "standard input")
		default:
			names = append(names, filepath.ToSlash(path))
		}
	}
	return strings.Join(names, " and ")
}

// read reads the files of a configuration, a line at a time.
func read(ctx context.Context, c *config, stdin io.Reader) (*audit, error) {
	a, err := newAudit(c)
	if err != nil {
		return nil, err
	}
	var skip func()
	if c.SkipBad {
		skip = func() { a.skipped++ }
	}
	var in fields
	if c.In != "" {
		var s sample
		err := eachLine(ctx, c.In, stdin, func(line []byte) error {
			if err := s.read(&in, line); err != nil {
				return err
			}
			return a.addSample(&s)
		}, skip)
		if err != nil {
			return nil, err
		}
	}
	if c.Pairs != "" {
		var p pair
		err := eachLine(ctx, c.Pairs, stdin, func(line []byte) error {
			if err := p.read(&in, line, c.pairsFrom); err != nil {
				return err
			}
			return a.addPair(&p)
		}, skip)
		if err != nil {
			return nil, err
		}
	}
	if len(a.names) == 0 {
		return nil, fmt.Errorf("%s: %w", title(c), errors.New("no samples"))
	}
	return a, nil
}

// plot draws profiles into a folder, unless that is "".
func plot(dir string, stderr io.Writer, profiles ...report.Band) error {
	if dir == "" {
		return nil
	}
	path := filepath.Join(dir, "profile.svg")
	if err := report.PlotBands(path, "Coverage profile, with 95% bands", "N", "share of π's replies with π/π_ref ≥ N", profiles); err != nil {
		return err
	}
	fmt.Fprintln(stderr, "wrote", path)
	return nil
}

// points is the profile as it is drawn. Where there is no band, its ends are the curve.
func (r *result) points() []report.BandPoint {
	var out []report.BandPoint
	for _, p := range r.Profile {
		q := report.BandPoint{X: float64(p.N), Y: float64(p.P), Lo: float64(p.Lo), Hi: float64(p.Hi)}
		if math.IsNaN(q.Lo) {
			q.Lo, q.Hi = q.Y, q.Y
		}
		out = append(out, q)
	}
	return out
}
