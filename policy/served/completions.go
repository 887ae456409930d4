package served

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"

	"github.com/prefgrad/prefgrad/policy"
)

// completions sends requests to /v1/completions, in the form of OpenAI with vLLM's
// extensions, of which a server that does not know them takes no notice.
type completions struct {
	c      *client
	model  string
	topK   int  // the value for "all tokens"
	strict bool // the server refuses fields that it does not know
}

type completionRequest struct {
	Model       string  `json:"model"`
	Prompt      any     `json:"prompt"`
	MaxTokens   int     `json:"max_tokens"`
	Temperature float64 `json:"temperature"`
	TopP        float64 `json:"top_p"`
	LogProbs    *int    `json:"logprobs,omitempty"`
	Echo        bool    `json:"echo,omitempty"`
	Seed        uint32  `json:"seed"`
	N           int     `json:"n"`
	Stop        any     `json:"stop,omitempty"`
	*extensions
}

// extensions turn off what a server may do by default besides temperature and top_p.
type extensions struct {
	TopK              int     `json:"top_k"`
	MinP              float64 `json:"min_p"`
	RepeatPenalty     float64 `json:"repeat_penalty"`
	RepetitionPenalty float64 `json:"repetition_penalty"`
	PromptLogProbs    *int    `json:"prompt_logprobs,omitempty"`
	TokensAsIDs       bool    `json:"return_tokens_as_token_ids,omitempty"`
	ReturnIDs         bool    `json:"return_token_ids,omitempty"`
}

type completionResponse struct {
	Model   string             `json:"model"`
	Choices []completionChoice `json:"choices"`
	Usage   *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	} `json:"usage"`
}

type completionChoice struct {
	Index    int    `json:"index"`
	Text     string `json:"text"`
	Finish   string `json:"finish_reason"`
	LogProbs *struct {
		Tokens  []string              `json:"tokens"`
		Values  []*float64            `json:"token_logprobs"`
		Top     []map[string]*float64 `json:"top_logprobs"`
		Content json.RawMessage       `json:"content"` // the chat form: another server than we think
	} `json:"logprobs"`
	IDs            []int32                 `json:"token_ids"`
	PromptIDs      []int32                 `json:"prompt_token_ids"`
	PromptLogProbs []map[string]promptProb `json:"prompt_logprobs"`
}

type promptProb struct {
	LogProb *float64 `json:"logprob"`
}

// request is one for up to n tokens at the given temperature, with nothing but it at work.
func (s *completions) request(prompt any, n int, temperature float64) completionRequest {
	r := completionRequest{Model: s.model, Prompt: prompt, MaxTokens: n, Temperature: temperature, TopP: 1, N: 1}
	if !s.strict {
		r.extensions = &extensions{TopK: s.topK, RepeatPenalty: 1, RepetitionPenalty: 1}
	}
	return r
}

// complete sends a request and returns the only choice, with the number of tokens that the
// server says it has generated; −1 if it does not say.
func (s *completions) complete(ctx context.Context, r completionRequest) (*completionChoice, int, error) {
	var out completionResponse
	if err := s.c.post(ctx, "/v1/completions", r, &out); err != nil {
		return nil, 0, err
	}
	if len(out.Choices) != 1 || out.Choices[0].Index != 0 {
		return nil, 0, shapef("%d choices, want 1 with index 0", len(out.Choices))
	}
	c := &out.Choices[0]
	if r.LogProbs != nil {
		l := c.LogProbs
		switch {
		case l == nil:
			return nil, 0, shapef("no logprobs")
		case len(l.Content) > 0:
			return nil, 0, shapef("logprobs in the form of chats; a llama.cpp server is asked by protocol llamacpp")
		case len(l.Tokens) != len(l.Values):
			return nil, 0, shapef("%d tokens with %d log-probabilities", len(l.Tokens), len(l.Values))
		}
	}
	n := -1
	if out.Usage != nil {
		n = out.Usage.Completion
	}
	return c, n, nil
}

// finish reads finish_reason. No stop sequences are sent, so "stop" is the end token.
func (c *completionChoice) finish() (policy.Finish, error) {
	switch c.Finish {
	case "stop":
		return policy.FinishEOS, nil
	case "length":
		return policy.FinishLength, nil
	}
	return 0, shapef("finish_reason %q", c.Finish)
}

// tops returns the log-probabilities of the n likeliest tokens at each position. Servers add
// the sampled token to the list, wherever it ranks.
func (c *completionChoice) tops(n int) ([][]float64, error) {
	if len(c.LogProbs.Top) != len(c.LogProbs.Tokens) {
		return nil, shapef("%d tokens with %d lists of top_logprobs", len(c.LogProbs.Tokens), len(c.LogProbs.Top))
	}
	all := make([][]float64, len(c.LogProbs.Top))
	for t, m := range c.LogProbs.Top {
		for _, p := range m {
			v, err := logProb(p, t)
			if err != nil {
				return nil, err
			}
			if !math.IsInf(v, -1) {
				all[t] = append(all[t], v)
			}
		}
		slices.SortFunc(all[t], func(a, b float64) int { return cmp.Compare(b, a) })
		all[t] = all[t][:min(n, len(all[t]))]
	}
	return all, nil
}

// servedModel is an entry of /v1/models.
type servedModel struct {
	ID      string `json:"id"`
	OwnedBy string `json:"owned_by"`
	Root    string `json:"root"`
	MaxLen  int    `json:"max_model_len"`
}

// findModel returns the model that requests name: the configured one, or the only one.
func findModel(ctx context.Context, c *client) (servedModel, error) {
	var list struct {
		Data []servedModel `json:"data"`
	}
	if err := c.get(ctx, "/v1/models", &list); err != nil {
		if c.Model != "" && notFound(err) {
			return servedModel{ID: c.Model}, nil
		}
		return servedModel{}, err
	}
	var names []string
	for _, m := range list.Data {
		if m.ID == c.Model || c.Model == "" && len(list.Data) == 1 {
			return m, nil
		}
		names = append(names, m.ID)
	}
	if c.Model == "" {
		return servedModel{}, shapef("the server has %d models, set Config.Model to one of %q", len(names), names)
	}
	return servedModel{}, shapef("Config.Model is %q, the server has %q", c.Model, names)
}
