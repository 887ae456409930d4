package served

import (
	"context"
	"errors"
	"math"
	"slices"
)

type llamaRequest struct {
	Prompt         []int32    `json:"prompt"`
	NPredict       int        `json:"n_predict"`
	NProbs         int        `json:"n_probs"`
	PostSampling   bool       `json:"post_sampling_probs"` // probabilities at the temperature, not before
	Seed           uint32     `json:"seed"`
	Temperature    float64    `json:"temperature"`
	Samplers       []string   `json:"samplers"` // the temperature and nothing else
	TopK           int        `json:"top_k"`    // for versions that do not know samplers
	TopP           float64    `json:"top_p"`
	MinP           float64    `json:"min_p"`
	RepeatPenalty  float64    `json:"repeat_penalty"`
	LogitBias      [][2]int64 `json:"logit_bias,omitempty"`
	Grammar        string     `json:"grammar,omitempty"`
	CachePrompt    bool       `json:"cache_prompt"`
	ReturnTokens   bool       `json:"return_tokens"`
	ResponseFields []string   `json:"response_fields"`
}

type llamaResponse struct {
	Content       string      `json:"content"`
	Tokens        []int32     `json:"tokens"`
	StopType      string      `json:"stop_type"`
	Truncated     bool        `json:"truncated"`
	Probabilities []llamaProb `json:"completion_probabilities"`

	at []int // where in Probabilities the token's is; −1: it has none
}

type llamaProb struct {
	ID       *int32      `json:"id"`
	LogProb  *float64    `json:"logprob"`
	Prob     *float64    `json:"prob"`
	Top      []llamaProb `json:"top_logprobs"`
	TopProbs []llamaProb `json:"top_probs"`
}

// value is the log-probability in either form.
func (p llamaProb) value() *float64 {
	if p.LogProb == nil && p.Prob != nil {
		v := math.Log(*p.Prob)
		return &v
	}
	return p.LogProb
}

// request is one for n tokens at the given temperature, with nothing but it at work. It
// names no slot: the server finds the one that knows most of the prompt, and two clients
// that name the same one get each other's prompts.
func (l *llamaCPP) request(prompt []int32, n int, temperature float64) llamaRequest {
	return llamaRequest{
		Prompt: prompt, NPredict: n, NProbs: 1,
		Temperature: temperature, Samplers: []string{"temperature"}, TopP: 1, RepeatPenalty: 1,
		CachePrompt: true, ReturnTokens: true,
		ResponseFields: []string{"content", "tokens", "stop_type", "truncated", "completion_probabilities"},
	}
}

// complete sends a request and checks that ids and probabilities fit together.
func (l *llamaCPP) complete(ctx context.Context, attempts int, r llamaRequest) (*llamaResponse, error) {
	var out llamaResponse
	if err := l.c.try(ctx, attempts, "POST", "/completion", r, &out); err != nil {
		return nil, err
	}
	if out.Truncated {
		return nil, errors.New("the prompt, or prompt and reply, are longer than the server's context")
	}
	if len(out.Tokens) == 0 || len(out.Tokens) > r.NPredict || len(out.Probabilities) > len(out.Tokens) {
		return nil, shapef("%d tokens and %d probabilities, for up to %d tokens", len(out.Tokens), len(out.Probabilities), r.NPredict)
	}
	if out.at = align(out.Tokens, out.Probabilities); out.at == nil {
		return nil, shapef("probabilities that belong to other tokens")
	}
	return &out, nil
}

// align returns the place of each token's probability in the list, −1 where it has none: a
// token that ends inside a character is left out. The list is thus a part of the tokens in
// their order. Where more than one assignment is possible, none is made; nil if none is.
func align(tokens []int32, list []llamaProb) []int {
	at := slices.Repeat([]int{-1}, len(tokens))
	early := make([]int, len(list)) // as far to the front as possible
	t := 0
	for i, p := range list {
		for t < len(tokens) && p.ID != nil && tokens[t] != *p.ID {
			t++
		}
		if p.ID == nil || t == len(tokens) {
			return nil
		}
		early[i] = t
		t++
	}
	t = len(tokens) - 1
	for i := len(list) - 1; i >= 0; i-- { // as far to the back
		for tokens[t] != *list[i].ID {
			t--
		}
		if early[i] == t {
			at[t] = i
		}
		t--
	}
	return at
}

func topList(p llamaProb) ([]float64, error) {
	var list []float64
	for i, top := range slices.Concat(p.Top, p.TopProbs) {
		v, err := logProb(top.value(), i)
		if errors.Is(err, errUnderflow) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}
