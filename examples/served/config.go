package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/prefgrad/prefgrad/examples/internal/command"
	"github.com/prefgrad/prefgrad/policy/served"
)

// endpoint is a model at a server, and the way in which it is asked.
type endpoint struct {
	URL         string  `json:"url"`
	Protocol    string  `json:"protocol"`
	Model       string  `json:"model,omitempty"`
	Revision    string  `json:"revision,omitempty"`
	Temperature float64 `json:"temperature"`
	System      string  `json:"system,omitempty"`
	BOS         string  `json:"bos,omitempty"`
	EOS         string  `json:"eos,omitempty"`
	KeyEnv      string  `json:"-"`
}

// config is every value that a run uses.
type config struct {
	Policy    endpoint `json:"policy"`
	Ref       endpoint `json:"ref"`
	Prompts   string   `json:"prompts"`
	Limit     int      `json:"limit"`
	Template  string   `json:"template"`
	From      string   `json:"from"`
	K         int      `json:"k"`
	MaxTokens int      `json:"max_tokens"`
	Seed      uint64   `json:"seed"`
	Scorer    string   `json:"scorer"`

	Concurrency int           `json:"-"`
	Timeout     time.Duration `json:"-"`
	Grammar     bool          `json:"-"`
	Plain       bool          `json:"-"`
	Out         string        `json:"-"`
	Resume      bool          `json:"-"`
	JSON        bool          `json:"-"`
}

func parse(args []string, stderr io.Writer) (*config, error) {
	var c config
	fs := flag.NewFlagSet("served", flag.ContinueOnError)
	fs.SetOutput(stderr)
	c.Policy.flags(fs, "", "the policy")
	c.Ref.flags(fs, "ref-", "the reference; default: as the policy's")
	fs.StringVar(&c.Prompts, "prompts", "", "prompt `file`, JSONL or JSONL.gz with a field \"prompt\", text or conversation")
	fs.IntVar(&c.Limit, "limit", 0, "use the first `n` prompts (default all)")
	fs.StringVar(&c.Template, "template", "chatml", "how prompts become text: `chatml`, or plain for a model without a template")
	fs.StringVar(&c.From, "from", "policy", "who draws: `policy`, ref or both")
	fs.IntVar(&c.K, "k", 4, "`replies` per prompt and model")
	fs.IntVar(&c.MaxTokens, "max-tokens", 128, "longest reply in `tokens`")
	fs.Uint64Var(&c.Seed, "seed", 1, "`seed` of all draws")
	fs.StringVar(&c.Scorer, "scorer", "judge", "what ranks replies: `judge` asks the reference whether an answer is good, logratio is log π − log π_ref, short prefers fewer tokens")
	fs.IntVar(&c.Concurrency, "concurrency", 4, "`requests` at once to each server")
	fs.DurationVar(&c.Timeout, "timeout", 5*time.Minute, "`time` for one request")
	fs.BoolVar(&c.Grammar, "grammar", false, "llama.cpp: score a reply in one request, by a grammar")
	fs.BoolVar(&c.Plain, "allow-plain-http", false, "permit http:// beyond loopback: texts and keys cross the network in the clear")
	fs.StringVar(&c.Out, "out", "served-out", "`directory` for what is written")
	fs.BoolVar(&c.Resume, "resume", false, "go on with the run in -out")
	fs.BoolVar(&c.JSON, "json", false, "print one JSON object instead of the table")
	fs.Usage = func() { usage(fs) }
	err := command.Parse(fs, args, func() error {
		set := map[string]bool{}
		fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
		c.Ref.inherit(c.Policy, set)
		return c.check()
	})
	return &c, err
}

// flags defines an endpoint's flags.
func (e *endpoint) flags(fs *flag.FlagSet, prefix, whose string) {
	fs.StringVar(&e.URL, prefix+"server", "", "`URL` of "+whose)
	fs.StringVar(&e.Protocol, prefix+"protocol", "auto", "`protocol` of "+whose+": auto, llamacpp, vllm or echo")
	fs.StringVar(&e.Model, prefix+"model", "", "`name` of the model, where a server has several; "+whose)
	fs.StringVar(&e.Revision, prefix+"revision", "", "what tells this model from others of its `name`: a hash, a training step; "+whose)
	fs.Float64Var(&e.Temperature, prefix+"temperature", 1, "`temperature` of "+whose+"; other than 1 needs llama.cpp")
	fs.StringVar(&e.System, prefix+"system", "", "system `prompt` of "+whose)
	fs.StringVar(&e.BOS, prefix+"bos", "", "`text` that goes in front of every prompt; "+whose)
	fs.StringVar(&e.EOS, prefix+"eos", "", "`text` of the end-of-sequence token, where the server does not say; "+whose)
	fs.StringVar(&e.KeyEnv, prefix+"key-env", "", "environment `variable` with the API key of "+whose)
}

// inherit fills in what was not set for the reference. Its system prompt and temperature
// are its own.
func (e *endpoint) inherit(p endpoint, set map[string]bool) {
	if !set["ref-server"] {
		e.URL = p.URL
		for _, f := range []struct {
			name string
			copy func()
		}{
			{"ref-protocol", func() { e.Protocol = p.Protocol }},
			{"ref-model", func() { e.Model = p.Model }},
			{"ref-revision", func() { e.Revision = p.Revision }},
			{"ref-key-env", func() { e.KeyEnv = p.KeyEnv }},
			{"ref-bos", func() { e.BOS = p.BOS }},
			{"ref-eos", func() { e.EOS = p.EOS }},
		} {
			if !set[f.name] {
				f.copy()
			}
		}
	}
}

func (c *config) check() error {
	for _, f := range []struct{ name, value string }{{"server", c.Policy.URL}, {"prompts", c.Prompts}, {"out", c.Out}} {
		if f.value == "" {
			return fmt.Errorf("-%s is missing", f.name)
		}
	}
	for _, f := range []struct {
		name string
		v    float64
	}{
		{"k", float64(c.K)},
		{"max-tokens", float64(c.MaxTokens)},
		{"concurrency", float64(c.Concurrency)},
		{"timeout", float64(c.Timeout)},
		{"temperature", c.Policy.Temperature},
		{"ref-temperature", c.Ref.Temperature},
	} {
		if !(f.v > 0) || math.IsInf(f.v, 0) {
			return fmt.Errorf("-%s is %v, must be positive and finite", f.name, f.v)
		}
	}
	if c.Limit < 0 {
		return fmt.Errorf("-limit is %d, must not be negative", c.Limit)
	}
	for _, f := range []struct {
		name, value string
		legal       [3]string
	}{
		{"template", c.Template, [3]string{"chatml", "plain"}},
		{"from", c.From, [3]string{"policy", "ref", "both"}},
		{"scorer", c.Scorer, [3]string{"judge", "logratio", "short"}},
	} {
		if f.value == "" || f.value != f.legal[0] && f.value != f.legal[1] && f.value != f.legal[2] {
			return fmt.Errorf("-%s is %q, must be one of %v", f.name, f.value, f.legal)
		}
	}
	if c.Policy == c.Ref {
		return errors.New("policy and reference are the same; tell them apart by -ref-server, -ref-model, -temperature or -system")
	}
	for _, e := range []endpoint{c.Policy, c.Ref} {
		if _, err := served.ParseProtocol(e.Protocol); err != nil {
			return err
		}
	}
	return nil
}

// served returns what package served wants to know of an endpoint.
func (c *config) served(e endpoint) served.Config {
	p, _ := served.ParseProtocol(e.Protocol) // checked
	s := served.Config{
		URL: e.URL, Protocol: p, Model: e.Model, Revision: e.Revision, Temperature: e.Temperature, BOS: e.BOS, EOS: e.EOS,
		MaxTokens: c.MaxTokens, Concurrency: c.Concurrency, Timeout: c.Timeout, Grammar: c.Grammar, AllowPlain: c.Plain,
	}
	if e.KeyEnv != "" {
		s.Key = served.EnvKey(e.KeyEnv)
	}
	return s
}

func usage(fs *flag.FlagSet) {
	w := fs.Output()
	fmt.Fprint(w, `Usage: served -server URL -prompts FILE [flags]

Draws k replies to each prompt from a served language model, the policy, and scores them
under it and under a reference: another server or model, another temperature, or another
system prompt. Writes into -out

	samples.jsonl  {"prompt":line,"logp":x,"ref_logp":x,"from":"policy"|"ref","length":n}
	best.jsonl     the best of the k replies by -scorer: {"prompt","completion","label":true}
	pairs.jsonl    the best against the worst: {"prompt","chosen","rejected","margin",
	               "ref_chosen_logps","ref_rejected_logps","ref_fingerprint"}
	work.jsonl     every finished prompt, as soon as it is finished: what -resume goes on from

and a table on standard output, or JSON with -json. Progress goes to standard error.

A small real model to try it on, in a second terminal: scripts/llm-server.sh. Then

	served -server http://127.0.0.1:18080 -prompts FILE -system "Answer in one sentence."

compares the model with a system prompt to the same model without.

Flags:
`)
	fs.PrintDefaults()
}
