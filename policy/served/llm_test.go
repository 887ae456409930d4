//go:build llm

// Tests against a real language model. scripts/llm-test.sh starts one and runs them.

package served

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/policy"
)

// address returns where a server is, by the name of the environment variable.
func address(t *testing.T, name string) string {
	t.Helper()
	url := os.Getenv(name)
	if url == "" {
		t.Skipf("%s is not set: run scripts/llm-test.sh", name)
	}
	return url
}

func openLLM(t *testing.T, c Config) *Model {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	m, err := Open(ctx, c)
	require.NoError(t, err)
	return m
}

const llmPrompt = "<|im_start|>user\nName a fruit that is red.<|im_end|>\n<|im_start|>assistant\n"

// likeliest asks the server for the top n next tokens by a request of the test's own.
func likeliest(t *testing.T, url string, prompt any, n int) map[int32]float64 {
	t.Helper()
	body, err := json.Marshal(map[string]any{"prompt": prompt, "n_predict": 1, "n_probs": n, "temperature": 1, "top_k": 1,
		"logit_bias": [][]any{{81, 1e6}}}) // the token "a": a whole character
	require.NoError(t, err)
	resp, err := http.Post(url+"/completion", "application/json", bytes.NewReader(body))
	require.NoError(t, err)
	defer resp.Body.Close()
	var out struct {
		Probs []struct {
			Top []struct {
				ID      int32   `json:"id"`
				LogProb float64 `json:"logprob"`
			} `json:"top_logprobs"`
		} `json:"completion_probabilities"`
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&out))
	require.Len(t, out.Probs, 1)
	top := map[int32]float64{}
	for _, e := range out.Probs[0].Top {
		top[e.ID] = e.LogProb
	}
	require.Len(t, top, n)
	return top
}

func TestLLMProbe(t *testing.T) {
	m := openLLM(t, Config{URL: address(t, "LLM_URL")})
	r := m.Report()
	b, err := json.Marshal(r)
	require.NoError(t, err)
	t.Logf("%s, %d requests", b, m.Requests())
	assert.Equal(t, LlamaCPP, r.Protocol)
	assert.Equal(t, 49152, r.Vocab)
	assert.Equal(t, "<|im_end|>", r.EOS)
	assert.True(t, r.Seeds)
	assert.Less(t, r.MaxNoise, 1e-2)
}

// TestLLMScoresItsSamples: scored by bias, by grammar and as text, samples have the
// log-probabilities that they were drawn with.
func TestLLMScoresItsSamples(t *testing.T) {
	url := address(t, "LLM_URL")
	ctx := context.Background()
	c := Config{URL: url, SkipProbe: true, Protocol: LlamaCPP, MaxTokens: 24}
	m := openLLM(t, c)
	c.Grammar = true
	byGrammar := openLLM(t, c)
	x := Prompt{Text: llmPrompt}
	tokens, ended, sameText := 0, 0, 0
	const n = 6
	for seed := range uint32(n) {
		d, err := m.Draw(ctx, x, seed)
		require.NoError(t, err)
		tokens += len(d.Reply.IDs)
		if d.Reply.End == policy.FinishEOS {
			ended++
		}
		for name, model := range map[string]*Model{"bias": m, "grammar": byGrammar} {
			s, err := model.Score(ctx, x, d.Reply)
			require.NoError(t, err, name)
			assert.Equal(t, d.Reply.IDs, s.IDs, name)
			assert.InDeltaSlice(t, d.Score.Tokens, s.Tokens, 1e-3, name)
		}
		s, err := m.Score(ctx, x, Reply{Text: d.Reply.Text, End: d.Reply.End})
		require.NoError(t, err)
		if assert.ObjectsAreEqual(d.Reply.IDs, s.IDs) {
			sameText++
			assert.InDelta(t, d.Score.LogProb, s.LogProb, 1e-2)
		}
	}
	t.Logf("%d tokens of %d replies, %d ended, %d have the same tokens as text", tokens, n, ended, sameText)
	assert.NotZero(t, ended, "the end-of-sequence token is compared too")
	assert.NotZero(t, sameText)
}

// TestLLMChiSquare: first tokens are drawn as often as the model says.
func TestLLMChiSquare(t *testing.T) {
	url := address(t, "LLM_URL")
	m := openLLM(t, Config{URL: url, SkipProbe: true, Protocol: LlamaCPP, MaxTokens: 1})
	const n, kinds = 400, 15
	top := likeliest(t, url, llmPrompt, kinds)
	d := policy.Draws[Reply]{Y: make([]Reply, n), LogProb: make([]float64, n)}
	require.NoError(t, m.Sample(context.Background(), d, []Prompt{{Text: llmPrompt}}, []uint64{3}, n, policy.Key{Seed: 1}))
	seen, rest := map[int32]int{}, 0
	for i, y := range d.Y {
		if logp, ok := top[y.IDs[0]]; ok {
			seen[y.IDs[0]]++
			assert.InDelta(t, logp, d.LogProb[i], 1e-3)
		} else {
			rest++
		}
	}
	chi2, mass := 0.0, 0.0
	for id, logp := range top {
		want := n * math.Exp(logp)
		mass += math.Exp(logp)
		chi2 += (float64(seen[id]) - want) * (float64(seen[id]) - want) / want
	}
	want := n * (1 - mass)
	chi2 += (float64(rest) - want) * (float64(rest) - want) / want
	t.Logf("χ² = %.1f on %d degrees of freedom, %d draws, mass of the %d likeliest %.2f", chi2, kinds, n, kinds, mass)
	assert.Less(t, chi2, 44.3, "the 1−1e-4 quantile for 15 degrees of freedom")
}

// TestLLMTemperature: at another temperature draws and scores follow from the whole
// distribution.
func TestLLMTemperature(t *testing.T) {
	const temperature = 0.7
	url := address(t, "LLM_URL")
	m := openLLM(t, Config{URL: url, SkipProbe: true, Protocol: LlamaCPP, MaxTokens: 1, Temperature: temperature})
	all := likeliest(t, url, llmPrompt, 49152)
	z := 0.0
	for _, v := range all {
		z += math.Exp(v / temperature)
	}
	for seed := range uint32(3) {
		d, err := m.Draw(context.Background(), Prompt{Text: llmPrompt}, seed)
		require.NoError(t, err)
		want := all[d.Reply.IDs[0]]/temperature - math.Log(z)
		assert.InDelta(t, want, d.Score.LogProb, 1e-3)
		s, err := m.Score(context.Background(), Prompt{Text: llmPrompt}, d.Reply)
		require.NoError(t, err)
		assert.InDelta(t, want, s.LogProb, 1e-3)
	}
}

// TestLLMTruncationIsFound: the same server, with its usual top-k put back into requests on
// their way, is refused.
func TestLLMTruncationIsFound(t *testing.T) {
	url := address(t, "LLM_URL")
	truncating := roundTrip(func(r *http.Request) (*http.Response, error) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		b = bytes.Replace(b, []byte(`"samplers":["temperature"],"top_k":0`), []byte(`"samplers":["top_k","temperature"],"top_k":40`), 1)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		return http.DefaultTransport.RoundTrip(r)
	})
	_, err := Open(context.Background(), Config{URL: url, Transport: truncating})
	var probe *ProbeError
	require.ErrorAs(t, err, &probe)
	assert.Equal(t, "truncation", probe.Check)
	t.Log(err)
}

// TestLLMTwoClients: with twice as many requests as the server has room for, each reply
// still answers its own prompt.
func TestLLMTwoClients(t *testing.T) {
	c := Config{URL: address(t, "LLM_URL"), SkipProbe: true, Protocol: LlamaCPP, MaxTokens: 6}
	ctx := context.Background()
	var xs []Prompt
	var ids []uint64
	for i, q := range []string{"Who wrote Hamlet?", "Name a color.", "What is two plus two?", "How many legs does a spider have?", "Say hello."} {
		xs = append(xs, Prompt{Text: "<|im_start|>user\n" + q + "<|im_end|>\n<|im_start|>assistant\n"})
		ids = append(ids, uint64(i))
	}
	const k = 3
	done := make(chan error)
	var models [2]*Model
	var draws [2]policy.Draws[Reply]
	for i := range draws {
		models[i] = openLLM(t, c)
		draws[i] = policy.Draws[Reply]{Y: make([]Reply, k*len(xs)), LogProb: make([]float64, k*len(xs))}
		go func() { done <- models[i].Sample(ctx, draws[i], xs, ids, k, policy.Key{Seed: uint64(i)}) }()
	}
	require.NoError(t, <-done)
	require.NoError(t, <-done)
	for i, d := range draws {
		for j, y := range d.Y {
			s, err := models[i].Score(ctx, xs[j/k], y)
			require.NoError(t, err)
			assert.InDelta(t, d.LogProb[j], s.LogProb, 1e-2, "model %d, draw %d: %q", i, j, y.Text)
		}
	}
}

// TestLLMSpeed measures. A second run by the cache asks for nothing.
func TestLLMSpeed(t *testing.T) {
	url := address(t, "LLM_URL")
	ctx := context.Background()
	cache := &memory{}
	c := Config{URL: url, SkipProbe: true, Protocol: LlamaCPP, MaxTokens: 32, Cache: cache}
	m := openLLM(t, c)
	const n = 8
	d := policy.Draws[Reply]{Y: make([]Reply, n), LogProb: make([]float64, n)}
	rate := func(what string, f func() error) {
		begin := time.Now()
		require.NoError(t, f())
		tokens := 0
		for _, y := range d.Y {
			tokens += len(y.IDs)
		}
		t.Logf("%s: %.0f tokens/s (%d)", what, float64(tokens)/time.Since(begin).Seconds(), tokens)
	}
	key := policy.Key{Seed: 5}
	xs, ids := []Prompt{{Text: llmPrompt}}, []uint64{1}
	rate("draw, 4 at once", func() error { return m.Sample(ctx, d, xs, ids, n, key) })
	prompts := make([]Prompt, n)
	for i := range prompts {
		prompts[i] = xs[0]
	}
	first := make([]float64, n)
	rate("score by bias, 4 at once", func() error { return m.LogProbs(ctx, first, prompts, d.Y) })
	assert.InDeltaSlice(t, d.LogProb, first, 1e-2)

	again := openLLM(t, c)
	before := again.Requests()
	second := make([]float64, n)
	require.NoError(t, again.LogProbs(ctx, second, prompts, d.Y))
	assert.Equal(t, first, second)
	assert.Equal(t, before, again.Requests(), "nothing is paid twice")

	c.Cache, c.Grammar = nil, true
	grammar := openLLM(t, c)
	rate("score by grammar, 4 at once", func() error { return grammar.LogProbs(ctx, second, prompts, d.Y) })
	assert.InDeltaSlice(t, first, second, 1e-2)
}

// TestLLMEcho: the echoing server is refused as it comes and right with the text that it
// wants, and then agrees with the other server, which has the same weights.
func TestLLMEcho(t *testing.T) {
	url, native := address(t, "LLM_ECHO_URL"), address(t, "LLM_URL")
	ctx := context.Background()
	_, err := Open(ctx, Config{URL: url, EOS: "<|im_end|>"})
	var probe *ProbeError
	require.ErrorAs(t, err, &probe)
	assert.Equal(t, "shift", probe.Check)

	begin := time.Now()
	m := openLLM(t, Config{URL: url, EOS: "<|im_end|>", BOS: "<|im_start|>", MaxTokens: 16})
	r := m.Report()
	t.Logf("probe in %v: %+v", time.Since(begin).Round(time.Second), r)
	assert.Equal(t, Echo, r.Protocol)
	assert.Equal(t, "unlimited", r.ZeroTokens)
	assert.Less(t, r.MeanNoise, 0.1)

	other := openLLM(t, Config{URL: native, SkipProbe: true, Protocol: LlamaCPP, BOS: "<|im_start|>"})
	x := Prompt{Text: llmPrompt[len("<|im_start|>"):]}
	for _, y := range []Reply{
		{Text: "An apple.", End: policy.FinishEOS},
		{Text: "Strawberries are red, and so is café au lait 🙂!", End: policy.FinishLength},
	} {
		a, err := m.Score(ctx, x, y)
		require.NoError(t, err)
		b, err := other.Score(ctx, x, y)
		require.NoError(t, err)
		require.Len(t, a.Tokens, len(b.Tokens))
		diff := 0.0
		for i := range a.Tokens {
			diff += math.Abs(a.Tokens[i] - b.Tokens[i])
		}
		t.Logf("%q: %.3f and %.3f nats, %.3f apart per token", y.Text, a.LogProb, b.LogProb, diff/float64(len(a.Tokens)))
		assert.Less(t, diff/float64(len(a.Tokens)), 0.15)
	}
	begin = time.Now()
	d, err := m.Draw(ctx, x, 2)
	require.NoError(t, err)
	t.Logf("%.1f tokens/s drawn with log-probabilities", float64(len(d.Score.Tokens))/time.Since(begin).Seconds())
	s, err := m.Score(ctx, x, d.Reply)
	require.NoError(t, err)
	assert.InDelta(t, d.Score.LogProb, s.LogProb, 0.2*float64(len(s.Tokens)))
}
