package served

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prefgrad/prefgrad/policy"
)

// llamaCPP asks llama.cpp's own /completion. It reports log-probabilities before any
// bias or grammar acts, so a token that is forced shows its probability under π.
type llamaCPP struct {
	c     *client
	eos   int32 // −1: not known
	plain int32 // a token that is a whole character: with others probabilities are left out
	vocab int

	prompts memo[[]int32]
}

// connectLlamaCPP reads what the server says of itself, and returns false if it is none.
func connectLlamaCPP(ctx context.Context, c *client, r *Report) (backend, bool, error) {
	var props struct {
		Settings *struct {
			NCtx int `json:"n_ctx"`
		} `json:"default_generation_settings"`
		Slots int    `json:"total_slots"`
		Path  string `json:"model_path"`
		EOS   string `json:"eos_token"`
		Build string `json:"build_info"`
	}
	if err := c.get(ctx, "/props", &props); err != nil || props.Settings == nil {
		if err == nil || notFound(err) || isShape(err) {
			return nil, false, nil
		}
		return nil, false, err
	}
	var models struct {
		Data []struct {
			ID   string `json:"id"`
			Meta struct {
				Vocab  int   `json:"n_vocab"`
				Params int64 `json:"n_params"`
				Size   int64 `json:"size"`
			} `json:"meta"`
		} `json:"data"`
	}
	if err := c.get(ctx, "/v1/models", &models); err != nil {
		return nil, false, err
	}
	if len(models.Data) != 1 || models.Data[0].Meta.Vocab < 2 {
		return nil, false, shapef("/v1/models says nothing of the vocabulary")
	}
	d := models.Data[0]
	l := &llamaCPP{c: c, eos: -1, vocab: d.Meta.Vocab}
	r.Protocol, r.Model, r.Vocab, r.Slots, r.Context = LlamaCPP, d.ID, d.Meta.Vocab, props.Slots, props.Settings.NCtx
	r.Server = "llama.cpp " + props.Build
	r.Name = fmt.Sprintf("%s %d parameters %d bytes", d.ID, d.Meta.Params, d.Meta.Size)
	r.EOS = c.EOS
	if r.EOS == "" {
		r.EOS = props.EOS
	}
	if r.EOS != "" {
		ids, err := l.encode(ctx, r.EOS, false, true)
		if err != nil {
			return nil, false, err
		}
		if len(ids) != 1 {
			return nil, false, fmt.Errorf("served: the end-of-sequence text %q is %d tokens, want 1", r.EOS, len(ids))
		}
		l.eos = ids[0]
	}
	ids, err := l.encode(ctx, "a", false, false)
	if err != nil {
		return nil, false, err
	}
	if len(ids) == 0 {
		return nil, false, shapef(`/tokenize gives no tokens for "a"`)
	}
	l.plain = ids[len(ids)-1]
	return l, true, nil
}

func (l *llamaCPP) ids() bool { return true }

func (l *llamaCPP) check(Prompt) error { return nil }

// encode asks the server's tokeniser. add: what the model wants at the beginning.
// special: the texts of special tokens are these tokens.
func (l *llamaCPP) encode(ctx context.Context, text string, add, special bool) ([]int32, error) {
	in := map[string]any{"content": text, "add_special": add, "parse_special": special}
	var out struct {
		Tokens []int32 `json:"tokens"`
	}
	err := l.c.post(ctx, "/tokenize", in, &out)
	return out.Tokens, err
}

func (l *llamaCPP) tokenizer(ctx context.Context) tokenizer {
	return tokenizer{
		encode:  func(text string, special bool) ([]int32, error) { return l.encode(ctx, text, special, special) },
		prompts: &l.prompts,
		bos:     l.c.BOS,
		eos:     l.eos,
		vocab:   l.vocab,
	}
}

func (l *llamaCPP) score(ctx context.Context, x Prompt, y Reply) (Score, error) {
	tok := l.tokenizer(ctx)
	prompt, err := tok.prompt(x)
	if err != nil {
		return Score{}, err
	}
	reply, err := tok.reply(y)
	if err != nil {
		return Score{}, err
	}
	tokens := make([]float64, len(reply))
	done := 0
	if l.c.Grammar && l.c.Temperature == 1 && len(reply) > 1 {
		if done, err = l.byGrammar(ctx, tokens, prompt, reply); err != nil {
			return Score{}, err
		}
	}
	all := slices.Concat(prompt, reply)
	for t := done; t < len(reply); t++ {
		if tokens[t], err = l.next(ctx, all[:len(prompt)+t], reply[t]); err != nil {
			return Score{}, fmt.Errorf("token %d: %w", t, err)
		}
	}
	return newScore(tokens, slices.Clone(reply)), nil
}

// next returns log π(id | ids).
func (l *llamaCPP) next(ctx context.Context, ids []int32, id int32) (float64, error) {
	if l.c.Temperature == 1 {
		r := l.request(ids, 1, 1)
		r.LogitBias = force(id)
		out, err := l.complete(ctx, l.c.Attempts, r)
		if err != nil {
			return 0, err
		}
		if out.Tokens[0] != id {
			return 0, shapef("logit_bias is ignored: token %d came instead of %d", out.Tokens[0], id)
		}
		if len(out.Probabilities) == 1 {
			return logProb(out.Probabilities[0].LogProb, 0)
		}
	} // else, or for a part of a character, look it up among all
	p, err := l.distribution(ctx, ids)
	if err != nil {
		return 0, err
	}
	if math.IsInf(p[id], -1) {
		return 0, errUnderflow
	}
	return p[id], nil
}

// force is the bias under which only one token can come.
func force(id int32) [][2]int64 { return [][2]int64{{int64(id), 1e6}} }

// distribution returns log π(·|ids) of the whole vocabulary.
func (l *llamaCPP) distribution(ctx context.Context, ids []int32) ([]float64, error) {
	r := l.request(ids, 1, 1)
	r.NProbs, r.LogitBias = l.vocab, force(l.plain)
	out, err := l.complete(ctx, l.c.Attempts, r)
	if err != nil {
		return nil, err
	}
	if len(out.Probabilities) != 1 || len(out.Probabilities[0].Top) != l.vocab {
		return nil, shapef("not all %d probabilities", l.vocab)
	}
	p := slices.Repeat([]float64{math.NaN()}, l.vocab)
	for _, top := range out.Probabilities[0].Top {
		if top.ID == nil || *top.ID < 0 || int(*top.ID) >= l.vocab || !math.IsNaN(p[*top.ID]) {
			return nil, shapef("an id twice, or outside the vocabulary")
		}
		v, err := logProb(top.LogProb, int(*top.ID))
		if errors.Is(err, errUnderflow) { // it has underflowed, and adds nothing to the sum
			v, err = math.Inf(-1), nil
		}
		if err != nil {
			return nil, err
		}
		p[*top.ID] = v / l.c.Temperature
	}
	if l.c.Temperature == 1 {
		return p, nil // normalised as the server has it
	}
	sum, top := 0.0, slices.Max(p)
	for _, v := range p {
		sum += math.Exp(v - top)
	}
	for i := range p {
		p[i] -= top + math.Log(sum)
	}
	return p, nil
}

// byGrammar scores a beginning of the reply in one request and returns its length: 0 where
// the server cannot. A grammar cannot force the end-of-sequence token.
func (l *llamaCPP) byGrammar(ctx context.Context, dst []float64, prompt, reply []int32) (int, error) {
	n := len(reply)
	if reply[n-1] == l.eos {
		n--
	}
	var g strings.Builder
	g.WriteString("root ::=")
	for _, id := range reply[:n] {
		g.WriteString(" <[" + strconv.Itoa(int(id)) + "]>")
	}
	r := l.request(prompt, n, 1)
	r.Grammar = g.String()
	out, err := l.complete(ctx, 1, r) // a failure is the answer
	var status *StatusError
	switch {
	case errors.As(err, &status) && (status.Code == 400 || status.Code == 500):
		return 0, nil
	case err != nil:
		return 0, err
	case !slices.Equal(out.Tokens, reply[:n]):
		return 0, nil
	}
	for t, i := range out.at {
		if i < 0 {
			return t, nil
		}
		if dst[t], err = logProb(out.Probabilities[i].LogProb, t); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (l *llamaCPP) draw(ctx context.Context, x Prompt, o drawOptions) (drawn, error) {
	prompt, err := l.tokenizer(ctx).prompt(x)
	if err != nil {
		return drawn{}, err
	}
	r := l.request(prompt, o.tokens, l.c.Temperature)
	r.Seed, r.NProbs = o.seed, max(1, o.top)
	r.PostSampling = l.c.Temperature != 1
	out, err := l.complete(ctx, l.c.Attempts, r)
	if err != nil {
		return drawn{}, err
	}
	d := drawn{Draw: Draw{Reply: Reply{Text: out.Content, IDs: out.Tokens}}}
	switch out.StopType {
	case "eos":
		d.Reply.End = policy.FinishEOS
	case "limit":
		d.Reply.End = policy.FinishLength
	default:
		return drawn{}, shapef("stop_type %q", out.StopType)
	}
	if !o.score {
		return d, nil
	}
	tokens := make([]float64, len(out.Tokens))
	d.top = make([][]float64, len(tokens))
	all := slices.Concat(prompt, out.Tokens)
	for t, i := range out.at {
		if i < 0 && o.listed {
			tokens[t] = math.NaN()
		} else if i < 0 {
			tokens[t], err = l.next(ctx, all[:len(prompt)+t], out.Tokens[t])
		} else if tokens[t], err = logProb(out.Probabilities[i].value(), t); err == nil {
			d.top[t], err = topList(out.Probabilities[i])
		}
		if err != nil {
			return drawn{}, fmt.Errorf("token %d: %w", t, err)
		}
	}
	d.Score = newScore(tokens, out.Tokens)
	return d, nil
}
