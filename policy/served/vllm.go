package served

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// vLLM asks vLLM's /v1/completions for prompt_logprobs.
type vLLM struct {
	completions
	eos     int32 // −1: not known
	prompts memo[[]int32]
}

// connectVLLM reads what the server says of itself, and returns false if it is none.
func connectVLLM(ctx context.Context, c *client, r *Report) (backend, bool, error) {
	var version struct {
		Version string `json:"version"`
	}
	if err := c.get(ctx, "/version", &version); err != nil || version.Version == "" {
		if err == nil || notFound(err) || isShape(err) {
			return nil, false, nil
		}
		return nil, false, err
	}
	m, err := findModel(ctx, c)
	if err != nil {
		return nil, false, err
	}
	v := &vLLM{completions: completions{c: c, model: m.ID, topK: -1}, eos: -1}
	r.Protocol, r.Model, r.Context, r.EOS = VLLM, m.ID, m.MaxLen, c.EOS
	r.Server = "vLLM " + version.Version
	r.Name = m.ID + " " + m.Root
	if c.EOS == "" {
		return v, true, nil
	}
	ids, err := v.encode(ctx, c.EOS, false)
	if err != nil {
		return nil, false, err
	}
	if len(ids) != 1 {
		return nil, false, fmt.Errorf("served: Config.EOS is %d tokens, want 1", len(ids))
	}
	v.eos = ids[0]
	return v, true, nil
}

func (v *vLLM) ids() bool { return true }

func (v *vLLM) check(Prompt) error { return nil }

func (v *vLLM) encode(ctx context.Context, text string, special bool) ([]int32, error) {
	in := map[string]any{"model": v.model, "prompt": text, "add_special_tokens": special}
	var out struct {
		Tokens []int32 `json:"tokens"`
	}
	err := v.c.post(ctx, "/tokenize", in, &out)
	return out.Tokens, err
}

func (v *vLLM) tokenizer(ctx context.Context) tokenizer {
	return tokenizer{
		encode:  func(text string, special bool) ([]int32, error) { return v.encode(ctx, text, special) },
		prompts: &v.prompts,
		bos:     v.c.BOS,
		eos:     v.eos,
	}
}

func (v *vLLM) score(ctx context.Context, x Prompt, y Reply) (Score, error) {
	tok := v.tokenizer(ctx)
	prompt, err := tok.prompt(x)
	if err != nil {
		return Score{}, err
	}
	reply, err := tok.reply(y)
	if err != nil {
		return Score{}, err
	}
	all := slices.Concat(prompt, reply)
	one := 1
	r := v.request(all, 1, 1) // no fewer than one token can be asked for
	r.PromptLogProbs, r.ReturnIDs = &one, true
	c, _, err := v.complete(ctx, r)
	if err != nil {
		return Score{}, err
	}
	if c.PromptIDs != nil && !slices.Equal(c.PromptIDs, all) {
		return Score{}, shapef("prompt_token_ids are not those that were sent")
	}
	if len(c.PromptLogProbs) != len(all) {
		return Score{}, shapef("%d prompt_logprobs for %d tokens", len(c.PromptLogProbs), len(all))
	}
	tokens := make([]float64, len(reply))
	for t, id := range reply {
		p, ok := c.PromptLogProbs[len(prompt)+t][strconv.Itoa(int(id))]
		if !ok {
			return Score{}, fmt.Errorf("token %d: %w", t, ErrNull)
		}
		if tokens[t], err = logProb(p.LogProb, t); err != nil {
			return Score{}, err
		}
	}
	return newScore(tokens, slices.Clone(reply)), nil
}

func (v *vLLM) draw(ctx context.Context, x Prompt, o drawOptions) (drawn, error) {
	prompt, err := v.tokenizer(ctx).prompt(x)
	if err != nil {
		return drawn{}, err
	}
	top := max(1, o.top)
	r := v.request(prompt, o.tokens, v.c.Temperature)
	r.Seed, r.LogProbs, r.ReturnIDs, r.TokensAsIDs = o.seed, &top, true, true
	c, _, err := v.complete(ctx, r)
	if err != nil {
		return drawn{}, err
	}
	d := drawn{Draw: Draw{Reply: Reply{Text: c.Text}}}
	if d.Reply.End, err = c.finish(); err != nil {
		return drawn{}, err
	}
	if d.Reply.IDs, err = idsOf(c.LogProbs.Tokens); err != nil {
		return drawn{}, err
	}
	if n := len(d.Reply.IDs); n == 0 || n > o.tokens {
		return drawn{}, shapef("%d tokens, for 1 to %d", n, o.tokens)
	}
	if c.IDs != nil && !slices.Equal(c.IDs, d.Reply.IDs) {
		return drawn{}, shapef("token_ids are not those of logprobs")
	}
	if !o.score {
		return d, nil
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
	d.Score = newScore(tokens, d.Reply.IDs)
	return d, nil
}

// idsOf reads tokens of the form "token_id:17".
func idsOf(tokens []string) ([]int32, error) {
	ids := make([]int32, len(tokens))
	for t, s := range tokens {
		num, ok := strings.CutPrefix(s, "token_id:")
		id, err := strconv.ParseInt(num, 10, 32)
		if !ok || err != nil || id < 0 {
			return nil, shapef("token %d is not an id", t)
		}
		ids[t] = int32(id)
	}
	return ids, nil
}
