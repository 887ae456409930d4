package served

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Protocol is the way in which a server is asked.
type Protocol uint8

const (
	// Auto looks at what the server answers to, in the order of the constants below.
	Auto Protocol = iota
	// LlamaCPP is llama.cpp's own /completion: token ids in and out, one forced token
	// after the other, full distributions.
	LlamaCPP
	// VLLM is vLLM's /v1/completions with prompt_logprobs: token ids in and out.
	VLLM
	// Echo is an OpenAI-compatible /v1/completions with echo and logprobs: text alone.
	Echo
)

// String returns "auto", "llamacpp", "vllm" or "echo".
func (p Protocol) String() string {
	names := [...]string{"auto", "llamacpp", "vllm", "echo"}
	if int(p) < len(names) {
		return names[p]
	}
	return fmt.Sprintf("Protocol(%d)", uint8(p))
}

// ParseProtocol is the inverse of [Protocol.String].
func ParseProtocol(s string) (Protocol, error) {
	for p := Auto; p <= Echo; p++ {
		if p.String() == s {
			return p, nil
		}
	}
	return 0, fmt.Errorf("served: protocol %q, want auto, llamacpp, vllm or echo", s)
}

// Config says where a model is and how to ask it. Only URL is required.
type Config struct {
	// URL is the server's base, as in "http://127.0.0.1:8080" or "https://host/v1": a
	// path "/v1" at its end makes no difference. No user, password or query: see Key.
	URL string
	// Protocol defaults to Auto.
	Protocol Protocol
	// Model is the name sent with requests. Default: the only one that the server lists.
	Model string
	// Revision is what the caller knows of the model that the server does not say: the
	// hash of its file, the training step. It is part of the fingerprint.
	Revision string

	// Temperature T > 0 makes π the model at that temperature, π_T ∝ π^(1/T), for draws
	// and scores alike. Default: 1. Servers report log-probabilities at temperature 1;
	// at another one they follow from the whole distribution, which LlamaCPP gives, at
	// a megabyte or more for each token scored. With the other protocols draws then
	// have no log-probability, and scoring is [errors.ErrUnsupported].
	Temperature float64
	// MaxTokens is the longest reply that is drawn. Default: 256.
	MaxTokens int
	// BOS is text that goes before every prompt given as text. Default: none; the
	// server's tokeniser adds its own where the model wants it.
	BOS string
	// EOS is the text of the end-of-sequence token, as in "<|im_end|>". LlamaCPP says
	// it by itself; with the other protocols it is needed to score replies that end.
	EOS string
	// Grammar lets LlamaCPP score a reply in one request, by a grammar that allows
	// nothing else, instead of in one request for each token. Replies that no grammar
	// can force are scored token by token all the same. It pays where round trips are
	// slow; on loopback the grammar costs more than they do.
	Grammar bool

	// Key returns the API key, at each request. nil: none is sent. See [EnvKey].
	Key func() (string, error)
	// AllowPlain permits http:// to a host that is not loopback. Texts and key then
	// cross the network in the clear.
	AllowPlain bool
	// Concurrency is the number of requests under way at once. Default: 4, or the
	// number of requests that the server works on at once if that is smaller and known.
	Concurrency int
	// Attempts is how often a request is tried. Default: 6.
	Attempts int
	// Backoff is the wait before the second attempt; it doubles from attempt to
	// attempt, with a random half taken off. Default: 500 ms.
	Backoff time.Duration
	// MaxWait bounds one wait. A server that asks for more by Retry-After gets no
	// further attempt. Default: 2 min.
	MaxWait time.Duration
	// Timeout is for one attempt, body included. Default: 5 min. Deadlines of whole
	// calls are the context's.
	Timeout time.Duration
	// MaxResponse bounds a response, decompressed, in bytes. Default: 64 MiB.
	MaxResponse int64
	// Transport is what carries requests. Default: a copy of http.DefaultTransport that
	// keeps as many connections open as Concurrency.
	Transport http.RoundTripper

	// Cache keeps scores and draws. nil: none is kept. Each model, and each temperature
	// of one, needs its own.
	Cache Cache
	// Tolerance is how far, in nats per token and on average, the log-probabilities of
	// sampled tokens may be from those of the same tokens scored. Default: 0.1.
	Tolerance float64
	// SkipProbe trusts the server without asking, for tests of a server that has been
	// probed. Protocol must be set.
	SkipProbe bool
}

// EnvKey returns a [Config.Key] that reads an environment variable at each request.
func EnvKey(name string) func() (string, error) {
	return func() (string, error) {
		if v := os.Getenv(name); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("environment variable %s is not set", name)
	}
}

// withDefaults returns c with its defaults filled in, or says which field is wrong.
func (c Config) withDefaults() (Config, error) {
	c.Temperature = cmp.Or(c.Temperature, 1)
	c.MaxTokens = cmp.Or(c.MaxTokens, 256)
	c.Concurrency = cmp.Or(c.Concurrency, 4)
	c.Attempts = cmp.Or(c.Attempts, 6)
	c.Backoff = cmp.Or(c.Backoff, 500*time.Millisecond)
	c.MaxWait = cmp.Or(c.MaxWait, 2*time.Minute)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Minute)
	c.MaxResponse = cmp.Or(c.MaxResponse, 64<<20)
	c.Tolerance = cmp.Or(c.Tolerance, 0.1)
	for _, f := range []struct {
		name string
		v    float64
	}{
		{"Temperature", c.Temperature},
		{"MaxTokens", float64(c.MaxTokens)},
		{"Concurrency", float64(c.Concurrency)},
		{"Attempts", float64(c.Attempts)},
		{"Backoff", float64(c.Backoff)},
		{"MaxWait", float64(c.MaxWait)},
		{"Timeout", float64(c.Timeout)},
		{"MaxResponse", float64(c.MaxResponse)},
		{"Tolerance", c.Tolerance},
	} {
		if !(f.v > 0) || math.IsInf(f.v, 0) {
			return c, fmt.Errorf("served: Config.%s is %v, must be positive and finite", f.name, f.v)
		}
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
		if t, ok := c.Transport.(*http.Transport); ok { // keep as many connections as are in use
			t = t.Clone()
			t.MaxIdleConnsPerHost = c.Concurrency
			c.Transport = t
		}
	}
	if c.Protocol > Echo {
		return c, fmt.Errorf("served: Config.Protocol is %v", c.Protocol)
	}
	if c.SkipProbe && c.Protocol == Auto {
		return c, errors.New("served: Config.SkipProbe needs Config.Protocol")
	}
	base, err := checkURL(c.URL, c.AllowPlain)
	c.URL = base
	return c, err
}

// checkURL returns the base without "/v1" and slashes at its end. No error quotes a URL
// that may hold a secret.
func checkURL(s string, allowPlain bool) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", errors.New("served: Config.URL cannot be parsed")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("served: Config.URL has a user, a query or a fragment; a key belongs in Config.Key")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("served: Config.URL is %q, want http://host:port or https://host", s)
	}
	if u.Scheme == "http" && !allowPlain && !loopback(u.Hostname()) {
		return "", fmt.Errorf("served: Config.URL is %q: use https, or set Config.AllowPlain for http beyond loopback", s)
	}
	return strings.TrimSuffix(strings.TrimRight(u.String(), "/"), "/v1"), nil
}

// loopback reports whether a host name or address stays on this machine.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
