package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/examples/internal/command"
)

// letters is a server of two models that write random letters, each with frequencies of its
// own, until they stop. Token ids are bytes, 0 is the end. It speaks vLLM's protocol and
// stops working after so many requests.
type letters struct {
	served atomic.Int64
	most   int64
}

// logProb is the log-probability of a byte under a model.
func (l *letters) logProb(model string, id int) float64 {
	weight := func(id int) float64 {
		switch {
		case id == 0:
			return 4
		case id < 'a' || id > 'z':
			return 1e-4
		case model == "even" && id%2 == 0:
			return 3
		}
		return 1
	}
	sum := 0.0
	for b := range 256 {
		sum += weight(b)
	}
	return math.Log(weight(id) / sum)
}

func (l *letters) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Model        string
		Prompt       json.RawMessage
		MaxTokens    int `json:"max_tokens"`
		Seed         uint64
		LogProbs     *int `json:"logprobs"`
		PromptScores *int `json:"prompt_logprobs"`
	}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	var out any
	switch r.URL.Path {
	case "/version":
		out = map[string]any{"version": "0"}
	case "/v1/models":
		out = map[string]any{"data": []any{map[string]any{"id": "even"}, map[string]any{"id": "plain"}}}
	case "/tokenize":
		var text string
		_ = json.Unmarshal(in.Prompt, &text)
		out = map[string]any{"tokens": ids(text)}
	case "/v1/completions":
		if n := l.served.Add(1); l.most > 0 && n > l.most {
			http.Error(w, "out of order", http.StatusForbidden)
			return
		}
		var prompt []int
		_ = json.Unmarshal(in.Prompt, &prompt)
		out = map[string]any{"choices": []any{l.choice(in.Model, prompt, in.MaxTokens, in.Seed, in.LogProbs, in.PromptScores != nil)}}
	default:
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(out)
}

func ids(text string) []int {
	all := []int{}
	for _, b := range []byte(text) {
		all = append(all, int(b))
	}
	return all
}

func (l *letters) choice(model string, prompt []int, most int, seed uint64, top *int, scores bool) map[string]any {
	g := rand.New(rand.NewPCG(seed, 5))
	var text strings.Builder
	tokens, values, tops := []string{}, []float64{}, []map[string]float64{}
	finish := "length"
	for range most {
		id, u := -1, g.Float64()
		for u > 0 && id < 255 {
			id++
			u -= math.Exp(l.logProb(model, id))
		}
		tokens, values = append(tokens, fmt.Sprintf("token_id:%d", id)), append(values, l.logProb(model, id))
		list := map[string]float64{}
		for b := range 27 { // the end and the letters, as many as are likely at all
			if b > 0 {
				b += 'a' - 1
			}
			list[fmt.Sprint(b)] = l.logProb(model, b)
		}
		tops = append(tops, list)
		if id == 0 {
			finish = "stop"
			break
		}
		text.WriteByte(byte(id))
	}
	c := map[string]any{"index": 0, "text": strings.ToValidUTF8(text.String(), "?"), "finish_reason": finish}
	if top != nil {
		c["logprobs"] = map[string]any{"tokens": tokens, "token_logprobs": values, "top_logprobs": tops}
	}
	if scores {
		var all []map[string]any
		for i, id := range prompt {
			all = append(all, map[string]any{fmt.Sprint(id): map[string]any{"logprob": l.logProb(model, id)}})
			if i == 0 {
				all[0] = nil
			}
		}
		c["prompt_logprobs"] = all
	}
	return c
}

// setup serves letters and writes prompts, and returns the arguments that every run needs.
func setup(t *testing.T, l *letters, out string) []string {
	t.Helper()
	s := httptest.NewServer(l)
	t.Cleanup(s.Close)
	path := filepath.Join(t.TempDir(), "prompts.jsonl")
	var b strings.Builder
	b.WriteString(`{"prompt":[{"role":"user","content":"in turns"}]}` + "\n\n")
	for i := range 7 {
		fmt.Fprintf(&b, `{"prompt":"question %d"}`+"\n", i)
	}
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return []string{"-server", s.URL, "-model", "even", "-ref-model", "plain", "-prompts", path, "-out", out, "-max-tokens", "20", "-eos", "\x00"}
}

func object(t *testing.T, args ...string) *summary {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), append(args, "-json"), &out, io.Discard))
	d := json.NewDecoder(&out)
	var s summary
	require.NoError(t, d.Decode(&s))
	_, err := d.Token()
	require.ErrorIs(t, err, io.EOF, "more than one JSON value")
	return &s
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestRun(t *testing.T) {
	out := t.TempDir()
	l := &letters{}
	s := object(t, append(setup(t, l, out), "-from", "both", "-k", "5", "-scorer", "logratio")...)
	assert.Equal(t, 8, s.Prompts)
	assert.Equal(t, map[string]int{"policy": 40, "ref": 40}, s.Samples)
	assert.Zero(t, s.Failed)
	assert.Equal(t, 8, s.KL.N)
	assert.Greater(t, float64(s.BestScore), float64(s.FirstScore))

	// every number again, from the texts
	type text struct {
		Row     int
		Samples []struct {
			From, Text string
			Ended      bool
		}
	}
	want := map[string]int{}
	for i, line := range strings.Split(strings.TrimSpace(read(t, filepath.Join(out, "work.jsonl"))), "\n") {
		var e text
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		if i == 0 {
			continue
		}
		for _, v := range e.Samples {
			logp, ref, n := 0.0, 0.0, len(v.Text)
			for _, id := range ids(v.Text) {
				logp, ref = logp+l.logProb("even", id), ref+l.logProb("plain", id)
			}
			if v.Ended {
				logp, ref, n = logp+l.logProb("even", 0), ref+l.logProb("plain", 0), n+1
			}
			row := e.Row + 1 // line 2 of the file is blank
			if e.Row > 0 {
				row++
			}
			want[fmt.Sprintf("%d %s %d %.9f %.9f", row, v.From, n, logp, ref)]++
		}
	}
	got := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(read(t, filepath.Join(out, "samples.jsonl"))), "\n") {
		var v logLine
		require.NoError(t, json.Unmarshal([]byte(line), &v))
		got[fmt.Sprintf("%d %s %d %.9f %.9f", v.Prompt, v.From, v.Length, float64(v.LogP), float64(v.RefLogP))]++
	}
	assert.Equal(t, want, got)

	pairs := 0
	for p, err := range dataset.Pairs(filepath.Join(out, "pairs.jsonl")) {
		require.NoError(t, err)
		pairs++
		assert.Positive(t, *p.Margin)
		assert.NoError(t, p.CheckRef("plain", "chatml", "", "", "1"), "reference log-probabilities of these texts")
		assert.Equal(t, p.Prompt.IsChat(), p.Chosen.IsChat())
	}
	assert.Equal(t, s.Pairs, pairs)
	assert.Greater(t, pairs, 4)
	best := 0
	for _, err := range dataset.Open[dataset.Unpaired](filepath.Join(out, "best.jsonl")) {
		require.NoError(t, err)
		best++
	}
	assert.Equal(t, s.Best, best)
}

// TestResume: a run that breaks off, twice and with a line cut in the middle, ends with the
// files of one that did not.
func TestResume(t *testing.T) {
	whole, parts := t.TempDir(), t.TempDir()
	l := &letters{}
	// One request at a time: what is done when the server breaks does not depend on timing.
	args := append(setup(t, l, whole), "-concurrency", "1")
	object(t, args...)
	needed := l.served.Load()

	args[9] = parts
	ctx := context.Background()
	for i, most := range []int64{90, 100} {
		l.served.Store(0)
		l.most = most
		more := args
		if i > 0 {
			more = append(args[:len(args):len(args)], "-resume")
		}
		err := run(ctx, more, io.Discard, io.Discard)
		require.ErrorContains(t, err, "-resume tries them again")
		require.ErrorContains(t, err, "out of order")
	}
	journal := filepath.Join(parts, "work.jsonl")
	work := read(t, journal)
	require.NoError(t, os.WriteFile(journal, []byte(work[:len(work)-5]), 0o600))
	l.most = 0
	l.served.Store(0)
	object(t, append(args, "-resume")...)
	assert.Less(t, l.served.Load(), needed, "what was done is not paid again")
	for _, f := range []string{"samples.jsonl", "best.jsonl", "pairs.jsonl"} {
		assert.Equal(t, read(t, filepath.Join(whole, f)), read(t, filepath.Join(parts, f)), f)
	}

	assert.ErrorContains(t, run(ctx, args, io.Discard, io.Discard), "is there already")
	assert.ErrorContains(t, run(ctx, append(args, "-resume", "-k", "3"), io.Discard, io.Discard), "another run")
}

func TestInterrupt(t *testing.T) {
	l := &letters{}
	args := setup(t, l, t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	stderr := writerFunc(func(p []byte) {
		if strings.Contains(string(p), "done in") {
			cancel()
		}
	})
	assert.ErrorContains(t, run(ctx, args, io.Discard, stderr), "-resume goes on from there")
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

func TestUsage(t *testing.T) {
	for says, args := range map[string][]string{
		"-server is missing":                    {},
		"-prompts is missing":                   {"-server", "http://localhost"},
		"policy and reference are the same":     {"-server", "http://localhost", "-prompts", "x"},
		"-k is 0":                               {"-server", "http://localhost", "-prompts", "x", "-k", "0"},
		"-ref-temperature is -1":                {"-server", "http://localhost", "-prompts", "x", "-ref-temperature", "-1"},
		`-scorer is "dice"`:                     {"-server", "http://localhost", "-prompts", "x", "-scorer", "dice"},
		`unexpected argument "y"`:               {"-server", "http://localhost", "-prompts", "x", "-system", "s", "y"},
		`protocol "smoke", want auto, llamacpp`: {"-server", "http://localhost", "-prompts", "x", "-protocol", "smoke", "-system", "s"},
	} {
		var stderr strings.Builder
		assert.ErrorIs(t, run(context.Background(), args, io.Discard, &stderr), command.ErrUsage, says)
		assert.Contains(t, stderr.String(), says)
	}
	var help strings.Builder
	require.Error(t, run(context.Background(), []string{"-h"}, io.Discard, &help))
	assert.Contains(t, help.String(), "samples.jsonl")
}

func TestRender(t *testing.T) {
	chat := dataset.Text{Messages: []dataset.Message{{Role: "user", Content: "a"}, {Role: "assistant", Content: "b"}, {Role: "user", Content: "c"}}}
	assert.Equal(t, "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n", render("chatml", "s", dataset.Text{Plain: "q"}))
	assert.Equal(t, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n", render("chatml", "", chat))
	assert.Equal(t, "s\n\na\n\nb\n\nc", render("plain", "s", chat))
	assert.Equal(t, "q", render("plain", "", dataset.Text{Plain: "q"}))
}
