package served

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.calls[r.URL.Path]++
	f.mu.Unlock()
	var in map[string]any
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
	}
	var out any
	switch path := r.URL.Path; {
	case path == "/v1/models":
		out = map[string]any{"data": []any{map[string]any{"id": f.name, "root": "table", "meta": map[string]any{"n_vocab": len(f.vocab), "n_params": 1, "size": 2}}}}
	case path == "/props" && f.protocol == LlamaCPP:
		out = map[string]any{"default_generation_settings": map[string]any{"n_ctx": 512}, "total_slots": 3, "eos_token": "</s>", "build_info": "fake"}
	case path == "/version" && f.protocol == VLLM:
		out = map[string]any{"version": "0"}
	case path == "/tokenize" && f.protocol == LlamaCPP:
		out = map[string]any{"tokens": f.encode(in["content"].(string), in["parse_special"].(bool))}
	case path == "/tokenize" && f.protocol == VLLM:
		out = map[string]any{"tokens": f.encode(in["prompt"].(string), true)}
	case path == "/completion" && f.protocol == LlamaCPP:
		out = f.llama(in)
	case path == "/v1/completions" && f.protocol != LlamaCPP:
		if _, ok := in["min_p"]; ok && f.strict {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":{"message":"Unrecognized request argument supplied: min_p"}}`)
			return
		}
		if in["max_tokens"].(float64) == 0 && f.zero == "refused" {
			http.Error(w, `{"detail":"max_tokens must be positive"}`, http.StatusUnprocessableEntity)
			return
		}
		out = f.completion(in)
	default:
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(out)
}

func toIDs(v any) []int32 {
	var ids []int32
	for _, x := range v.([]any) {
		ids = append(ids, int32(x.(float64)))
	}
	return ids
}

// listed is how many of the likeliest tokens are listed where n are asked for: all of them
// if n is the vocabulary.
func (f *fake) listed(n int) int {
	if n < len(f.vocab) {
		return min(n, f.maxTop)
	}
	return n
}

// remember keeps the text of a list, which is most of what there is to write.
func (f *fake) remember(key string, list func() any) json.RawMessage {
	if b, ok := f.texts.Load(key); ok {
		return b.(json.RawMessage)
	}
	b, err := json.Marshal(list())
	if err != nil {
		panic(err)
	}
	f.texts.Store(key, json.RawMessage(b))
	return b
}

// entry is a token with its likeliest rivals in llama.cpp's form.
func (f *fake) entry(last, id int32, value float64, n int, key, list string, temperature float64) map[string]any {
	wrap := func(v float64) float64 {
		if key == "prob" {
			return math.Exp(v)
		}
		return v
	}
	top := f.remember(fmt.Sprint(last, n, key, temperature), func() any {
		r := f.row(last, temperature)
		var top []any
		for _, i := range r.order[:min(n, len(r.order))] {
			top = append(top, map[string]any{"id": i, key: wrap(r.logp[i])})
		}
		return top
	})
	return map[string]any{"id": id, key: wrap(value), list: top}
}

func (f *fake) llama(in map[string]any) any {
	prompt := toIDs(in["prompt"])
	n, temperature := int(in["n_predict"].(float64)), in["temperature"].(float64)
	reply, raw, drawn := f.sample(prompt, n, temperature, uint64(in["seed"].(float64)))
	if b, ok := in["logit_bias"].([]any); ok && !f.bias {
		reply = []int32{int32(b[0].([]any)[0].(float64))}
		raw = []float64{f.logProbs(prompt[len(prompt)-1], 1)[reply[0]]}
	}
	if g, ok := in["grammar"].(string); ok {
		reply, raw = nil, nil
		last := prompt[len(prompt)-1]
		for _, part := range strings.Fields(g)[2:] {
			var id int32
			_, _ = fmt.Sscanf(part, "<[%d]>", &id)
			reply, raw = append(reply, id), append(raw, f.logProbs(last, 1)[id])
			last = id
		}
	}
	if f.shift {
		for t := range raw {
			raw[t] = f.logProbs(0, 1)[reply[t]]
		}
	}
	key, list, t := "logprob", "top_logprobs", 1.0
	if in["post_sampling_probs"] == true {
		key, list, t, raw = "prob", "top_probs", temperature, drawn
	}
	probs := []any{}
	stop, last := "limit", prompt[len(prompt)-1]
	for i, id := range reply {
		// a token that ends inside a character is left out
		if id != 2 {
			probs = append(probs, f.entry(last, id, raw[i], f.listed(int(in["n_probs"].(float64))), key, list, t))
			if f.nullAt == i {
				probs[len(probs)-1].(map[string]any)[key] = nil
			}
		}
		if last = id; id == 1 {
			stop = "eos"
		}
	}
	return map[string]any{"content": f.text(reply), "tokens": reply, "stop_type": stop, "completion_probabilities": probs}
}

// completion is the OpenAI form, with vLLM's extensions.
func (f *fake) completion(in map[string]any) any {
	var prompt []int32
	sent, isText := in["prompt"].(string)
	if isText {
		prompt = f.encode(sent, true)
	} else {
		prompt = toIDs(in["prompt"])
	}
	n := int(in["max_tokens"].(float64))
	if n == 0 && f.zero != "none" {
		n = map[string]int{"one": 1, "unlimited": 9}[f.zero]
	}
	reply, raw, _ := f.sample(prompt, n, in["temperature"].(float64), uint64(in["seed"].(float64)))
	finish := "length"
	if len(reply) > 0 && reply[len(reply)-1] == 1 {
		finish = "stop"
	}
	choice := map[string]any{"index": 0, "text": f.text(reply), "finish_reason": finish}
	asID := in["return_tokens_as_token_ids"] == true
	var ids []int32
	var values []float64
	if in["echo"] == true && !f.ignoreEcho {
		choice["text"] = sent + f.text(reply)
		ids, values = prompt, f.echoed(prompt)
	}
	generated := len(reply)
	if finish == "stop" && !f.listEOS && !asID {
		reply, raw, generated = reply[:len(reply)-1], raw[:len(raw)-1], generated-1
	}
	ids, values = slices.Concat(ids, reply), slices.Concat(values, raw)
	if k, ok := in["logprobs"].(float64); ok {
		choice["logprobs"] = f.lists(prompt, ids, values, int(k), asID, in["echo"] == true && !f.ignoreEcho)
	}
	if in["return_token_ids"] == true {
		choice["token_ids"], choice["prompt_token_ids"] = reply, prompt
	}
	if _, ok := in["prompt_logprobs"]; ok {
		var all []map[string]any
		for t, v := range f.echoed(prompt) {
			all = append(all, map[string]any{fmt.Sprint(prompt[t]): map[string]any{"logprob": v}, "5": map[string]any{"logprob": -1}})
			if prompt[t] == 5 {
				all[t]["5"] = map[string]any{"logprob": v}
			}
			if t == f.nullAt {
				delete(all[t], fmt.Sprint(prompt[t]))
			}
		}
		all[0] = nil
		choice["prompt_logprobs"] = all
	}
	choices := []any{choice}
	if f.duplicate {
		choices = append(choices, choice)
	}
	return map[string]any{"model": f.name, "choices": choices, "usage": map[string]any{"prompt_tokens": len(prompt), "completion_tokens": generated}}
}

// echoed is the log-probability of each token of a text; the first has none, NaN.
func (f *fake) echoed(ids []int32) []float64 {
	values := []float64{math.NaN()}
	for t := 1; t < len(ids); t++ {
		values = append(values, f.logProbs(ids[t-1], 1)[ids[t]])
	}
	if f.shift || f.noBOS && ids[0] != 0 {
		copy(values[1:], slices.Concat(values[2:], []float64{-1}))
	}
	return values
}

func (f *fake) lists(prompt, ids []int32, values []float64, k int, asID, echo bool) any {
	if f.chat {
		return map[string]any{"content": []any{}}
	}
	tokens, nums, tops := []string{}, []any{}, []any{}
	last := prompt[len(prompt)-1]
	for t, id := range ids {
		s := f.vocab[id]
		if !utf8.ValidString(s) || id == 1 && echo {
			s = ""
		}
		if asID {
			s = fmt.Sprintf("token_id:%d", id)
		}
		tokens = append(tokens, s)
		if math.IsNaN(values[t]) || t == f.nullAt {
			nums = append(nums, nil)
		} else {
			nums = append(nums, values[t])
		}
		tops = append(tops, f.remember(fmt.Sprint(last, k), func() any {
			top := map[string]float64{}
			r := f.row(last, 1)
			for _, i := range r.order[:min(f.listed(k), len(r.order))] {
				top[fmt.Sprint(i)] = r.logp[i]
			}
			return top
		}))
		last = id
	}
	return map[string]any{"tokens": tokens, "token_logprobs": nums, "top_logprobs": tops}
}
