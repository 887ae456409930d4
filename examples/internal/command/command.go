// Package command holds what the example programs share: how they end, how they check their
// flags, and how they show a result.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
)

// ErrUsage says that the arguments were wrong and that the user has been told.
var ErrUsage = errors.New("usage")

// Main runs a program until it ends or is interrupted. Its exit status is 2 after wrong
// arguments and 1 after another error, which it prints.
func Main(name string, run func(ctx context.Context, args []string, stdout, stderr io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, ErrUsage):
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Parse parses the flags of fs, whose usage goes to its output, and then lets check look at
// them. Everything but a request for help ends in ErrUsage, with a line that says why.
func Parse(fs *flag.FlagSet, args []string, check func() error) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return ErrUsage
	}
	err := check()
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(fs.Output(), "%s: %v\nRun with -h for help.\n", fs.Name(), err)
		return ErrUsage
	}
	return nil
}

// Positive returns an error unless a flag's value is positive and finite.
func Positive(name string, v float64) error { return bound(name, v, v > 0, "positive") }

// NotNegative returns an error unless a flag's value is at least 0 and finite.
func NotNegative(name string, v float64) error { return bound(name, v, v >= 0, "not negative") }

// AtLeast returns an error unless a flag's value is at least least.
func AtLeast(name string, n, least int) error {
	return bound(name, float64(n), n >= least, fmt.Sprintf("at least %d", least))
}

func bound(name string, v float64, ok bool, want string) error {
	if !ok || math.IsInf(v, 0) {
		return fmt.Errorf("-%s is %v, must be %s", name, v, want)
	}
	return nil
}

// First returns the first error that is not nil.
func First(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// MakeDirs makes the folders that have a name.
func MakeDirs(dirs ...string) error {
	for _, d := range dirs {
		if d == "" {
			continue
		}
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// Files returns where a run keeps its checkpoint and its metrics, "" for nowhere: in the
// folder of checkpoints, or the metrics alone in that for output.
func Files(checkpoints, out, run string) (checkpoint, metrics string) {
	if checkpoints != "" {
		return filepath.Join(checkpoints, run+".ckpt"), filepath.Join(checkpoints, run+".jsonl")
	}
	if out != "" {
		return "", filepath.Join(out, run+".jsonl")
	}
	return "", ""
}

// Result is what a program has to show.
type Result interface {
	// Plots writes plots into a folder and returns their paths.
	Plots(dir string) ([]string, error)
	// Table prints tables.
	Table(w io.Writer) error
}

// Show writes a result's plots into dir, unless that is "", and prints it as tables or as one
// JSON object.
func Show(r Result, dir string, asJSON bool, stdout, stderr io.Writer) error {
	if dir != "" {
		paths, err := r.Plots(dir)
		if err != nil {
			return err
		}
		for _, p := range paths {
			fmt.Fprintln(stderr, "wrote", p)
		}
	}
	if asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", " ")
		return e.Encode(r)
	}
	return r.Table(stdout)
}
