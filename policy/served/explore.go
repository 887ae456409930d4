package served

import (
	"context"
	"errors"
)

// explore finds out how an echoing server takes requests: whether it knows the fields that
// switch truncation off, whether it echoes, and what max_tokens 0 means to it.
func (e *echo) explore(ctx context.Context, r *Report) error {
	one := 1
	ask := func(n int) (*completionChoice, int, error) {
		q := e.request(e.c.BOS+fixedPrompt, n, 1)
		q.Echo, q.LogProbs = true, &one
		q.Stop = []string{".", "\n"} // bounds what a limit of 0 may not
		return e.complete(ctx, q)
	}
	_, _, err := ask(1)
	if refused(err) {
		e.strict = true
		_, _, err = ask(1)
	}
	if err != nil {
		return &ProbeError{"echo", err}
	}
	c, n, err := ask(0)
	sent := e.c.BOS + fixedPrompt
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		r.ZeroTokens = "refused"
	case c.Text == sent && n <= 0 && c.Finish == "length":
		r.ZeroTokens, e.zero = "none", true
	case n == 1:
		r.ZeroTokens = "one"
	default:
		r.ZeroTokens = "unlimited"
	}
	_, err = e.echo(ctx, sent)
	if errors.Is(err, errShift) {
		return &ProbeError{"shift", err}
	}
	if err != nil {
		return &ProbeError{"echo", err}
	}
	return nil
}
