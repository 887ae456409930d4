// Command served draws replies from a language model behind an HTTP server, scores them
// under that model and a reference, and writes what preference optimization needs: lines of
// log-probabilities, the best of k replies, and on-policy preference pairs. See -h.
package main

import (
	"context"
	"fmt"
	"io"

	"github.com/prefgrad/prefgrad/examples/internal/command"
)

func main() { command.Main("served", run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parse(args, stderr)
	if err != nil {
		return err
	}
	prompts, err := readPrompts(c)
	if err != nil {
		return err
	}
	j, err := newJob(ctx, c, prompts, stderr)
	if err != nil {
		return err
	}
	j.journal, err = openJournal(c.Out, j.header(), c.Resume)
	if err != nil {
		return err
	}
	defer j.journal.close()
	failed := j.run(ctx, stderr)
	if ctx.Err() != nil {
		return fmt.Errorf("%w after %d of %d prompts; the same command with -resume goes on from there",
			ctx.Err(), len(j.journal.done), len(prompts))
	}
	s, err := j.write(c.Out)
	if err != nil {
		return err
	}
	if c.JSON {
		err = s.json(stdout)
	} else {
		s.table(stdout)
	}
	if err == nil && failed != nil {
		err = fmt.Errorf("%d prompts failed, -resume tries them again; the first: %w", s.Failed, failed)
	}
	return err
}
