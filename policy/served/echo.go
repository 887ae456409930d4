package served

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prefgrad/prefgrad/policy"
)

// echo asks an OpenAI-compatible /v1/completions to echo the text with log-probabilities.
// There are no ids, so boundaries are checked on the texts of tokens.
type echo struct {
	completions
	zero    bool // max_tokens 0 generates nothing, as it should
	prompts memo[*echoed]
}

// echoed is a text as the server has cut it.
type echoed struct {
	pieces []string
	values []*float64
}

// connectEcho takes what has a /v1/models, or Config.Model without one.
func connectEcho(ctx context.Context, c *client, r *Report) (backend, bool, error) {
	m, err := findModel(ctx, c)
	if err != nil {
		return nil, false, err
	}
	r.Protocol, r.Model, r.Context, r.EOS = Echo, m.ID, m.MaxLen, c.EOS
	r.Server = "OpenAI-compatible"
	r.Name = m.ID
	return &echo{completions: completions{c: c, model: m.ID}}, true, nil
}

func (e *echo) ids() bool { return false }

// check wants text.
func (e *echo) check(x Prompt) error {
	switch {
	case x.IDs != nil && x.Text == "":
		return fmt.Errorf("a prompt of token ids over protocol echo: %w", errors.ErrUnsupported)
	case e.c.BOS+x.Text == "":
		return fmt.Errorf("empty prompt: %w", policy.ErrPrompt)
	}
	return nil
}

// echo asks for the tokens of a text. What comes besides is one generated token, where the
// server cannot do without; it has to be told from the text's own.
func (e *echo) echo(ctx context.Context, text string) (*echoed, error) {
	one, n := 1, 1
	if e.zero {
		n = 0
	}
	const tries = 4 // another seed, another token
	for seed := range uint32(tries) {
		r := e.request(text, n, 1)
		r.Echo, r.LogProbs, r.Seed = true, &one, seed+1
		c, generated, err := e.complete(ctx, r)
		if err != nil {
			return nil, err
		}
		more, ok := strings.CutPrefix(c.Text, text)
		if !ok {
			return nil, errNoEcho
		}
		pieces, values := c.LogProbs.Tokens, c.LogProbs.Values
		switch last := len(pieces) - 1; {
		case n == 0 && (more != "" || generated > 0):
			return nil, shapef("max_tokens 0 generated a token")
		case n == 0 || generated == 0 && more == "":
			return &echoed{pieces, values}, nil
		case more != "" && last >= 0 && pieces[last] == more, // or part of a character:
			more != "" && last >= 0 && pieces[last] == "" && strings.Join(pieces, "") == text:
			return &echoed{pieces[:last], values[:last]}, nil
		case more != "" && strings.Join(pieces, "") == text:
			return nil, errShift
		}
	}
	return nil, shapef("the generated token cannot be told from the echoed ones")
}

// errNoEcho is shown by servers that do not know the field.
var errNoEcho = shapef("echo is ignored: the answer does not begin with the text sent")

// errShift: one token too few is listed, or the numbers belong to other tokens.
var errShift = errors.New("log-probabilities of scored tokens are shifted by one token; some servers do this " +
	"unless a text begins with the beginning-of-sequence token: set Config.BOS to its text")

func (e *echo) score(ctx context.Context, x Prompt, y Reply) (Score, error) {
	full, begin, err := e.split(ctx, x, y)
	if err != nil {
		return Score{}, err
	}
	tokens, err := logProbs(full.values[begin:])
	if err != nil {
		return Score{}, err
	}
	return newScore(tokens, nil), nil
}

// split echoes prompt and reply, and returns where the reply begins. The prompt by itself
// must have the same tokens as within the whole, or one token belongs to both.
func (e *echo) split(ctx context.Context, x Prompt, y Reply) (*echoed, int, error) {
	if len(y.IDs) > 0 && y.Text == "" {
		return nil, 0, fmt.Errorf("a reply of token ids over protocol echo: %w", errors.ErrUnsupported)
	}
	eos := ""
	if y.End == policy.FinishEOS {
		if eos = e.c.EOS; eos == "" {
			return nil, 0, ErrEOS
		}
	}
	sent := e.c.BOS + x.Text
	prompt, err := e.prompts.get(sent, func() (*echoed, error) { return e.echo(ctx, sent) })
	if err != nil {
		return nil, 0, err
	}
	full, err := e.echo(ctx, sent+y.Text+eos)
	if err != nil {
		return nil, 0, err
	}
	n := len(prompt.pieces)
	if n == 0 {
		return nil, 0, fmt.Errorf("the server lists no token of the prompt: %w", policy.ErrPrompt)
	}
	if len(full.pieces) <= n || !slices.Equal(full.pieces[:n], prompt.pieces) {
		return nil, 0, ErrBoundary
	}
	body := full.pieces[n:]
	if eos != "" {
		last := len(body) - 1
		if body[last] != "" && body[last] != eos {
			return nil, 0, shapef("%q at the end is not taken for the end-of-sequence token, the last token is %q", eos, body[last])
		}
		body = body[:last]
	}
	if !spells(body, y.Text) {
		return nil, 0, shapef("the tokens after the prompt are not those of the reply: %d tokens %.60q", len(body), strings.Join(body, ""))
	}
	return full, n, nil
}

// spells reports whether pieces are a text cut up. Characters that are split between
// tokens are no text by themselves: servers give them as "" or as U+FFFD. Around those the
// pieces must still fit.
func spells(pieces []string, text string) bool {
	broken := func(s string) bool { return s == "" || strings.ContainsRune(s, utf8.RuneError) }
	first := slices.IndexFunc(pieces, broken)
	if first < 0 {
		return strings.Join(pieces, "") == text
	}
	last := first
	for i, s := range pieces {
		if broken(s) {
			last = i
		}
	}
	head, tail := strings.Join(pieces[:first], ""), strings.Join(pieces[last+1:], "")
	return len(head)+len(tail) <= len(text) && strings.HasPrefix(text, head) && strings.HasSuffix(text, tail)
}

func (e *echo) draw(ctx context.Context, x Prompt, o drawOptions) (drawn, error) {
	top := max(1, o.top)
	r := e.request(e.c.BOS+x.Text, o.tokens, e.c.Temperature)
	r.Seed = o.seed
	if o.score {
		r.LogProbs = &top
	}
	c, generated, err := e.complete(ctx, r)
	if err != nil {
		return drawn{}, err
	}
	d := drawn{Draw: Draw{Reply: Reply{Text: c.Text}}}
	if d.Reply.End, err = c.finish(); err != nil || !o.score {
		return d, err
	}
	d.pieces = c.LogProbs.Tokens
	if len(d.pieces) > o.tokens || generated > o.tokens {
		return drawn{}, shapef("more than the %d tokens asked for", o.tokens)
	}
	tokens, err := logProbs(c.LogProbs.Values)
	if err != nil {
		return drawn{}, err
	}
	if o.top > 0 {
		if d.top, err = c.tops(top); err != nil {
			return drawn{}, err
		}
	}
	body := d.pieces
	switch {
	case d.Reply.End != policy.FinishEOS:
	case e.listsEOS(d.pieces, c.Text):
		body = body[:len(body)-1]
	case !o.listed:
		if tokens, err = e.appendEOS(ctx, tokens, x, d.Reply); err != nil {
			return drawn{}, err
		}
	}
	if !spells(body, c.Text) {
		return drawn{}, shapef("the tokens listed are not those of the text")
	}
	d.Score = newScore(tokens, nil)
	return d, nil
}

// listsEOS reports whether the last listed token is the end-of-sequence token.
func (e *echo) listsEOS(pieces []string, text string) bool {
	n := len(pieces)
	return n > 0 && (pieces[n-1] == "" || pieces[n-1] == e.c.EOS) && strings.Join(pieces[:n-1], "") == text
}

// appendEOS adds the log-probability that the reply ends where it does, which some servers
// leave out of a draw.
func (e *echo) appendEOS(ctx context.Context, tokens []float64, x Prompt, y Reply) ([]float64, error) {
	if strings.ContainsRune(y.Text, utf8.RuneError) {
		return nil, fmt.Errorf("a reply with a broken character cannot be sent back for its end-of-sequence token: %w", ErrNull)
	}
	full, _, err := e.split(ctx, x, y)
	if err != nil {
		return nil, err
	}
	last, err := logProbs(full.values[len(full.values)-1:])
	return append(tokens, last...), err
}
