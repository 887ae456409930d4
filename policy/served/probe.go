package served

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Report is what [Open] has found out about a server.
type Report struct {
	Protocol Protocol `json:"-"`
	Server   string   `json:"server"` // kind and version, as far as it says
	Model    string   `json:"model"`
	Name     string   `json:"name"`              // the model's name in a fingerprint
	Vocab    int      `json:"vocab,omitempty"`   // 0: not known
	Context  int      `json:"context,omitempty"` // longest prompt and reply in tokens; 0: not known
	Slots    int      `json:"slots,omitempty"`   // requests that the server works on at once; 0: not known
	EOS      string   `json:"eos,omitempty"`     // text of the end-of-sequence token; "": not known
	IDs      bool     `json:"ids"`               // prompts and replies can be token ids

	// ZeroTokens is what max_tokens 0 does: "none" generates nothing, as it should, "one"
	// or "unlimited" tokens, or is "refused". "": not asked. Only Echo depends on it.
	ZeroTokens string `json:"zero_tokens,omitempty"`
	// Seeds says that the same seed gave the same reply twice. Where it does not, a
	// repeated request is another draw.
	Seeds bool `json:"seeds"`
	// MeanNoise and MaxNoise are differences between the log-probabilities of sampled
	// tokens and of the same tokens scored, in nats: servers compute them in batches of
	// different shapes.
	MeanNoise float64 `json:"mean_noise"`
	MaxNoise  float64 `json:"max_noise"`
	// Compared is the number of tokens behind these, Drawn that behind the check that
	// nothing truncates the distribution.
	Compared int `json:"compared"`
	Drawn    int `json:"drawn"`
	// Fixed holds the log-probabilities of a fixed text, which tell models apart.
	Fixed []float64 `json:"-"`
}

// ProbeError says why a server's numbers cannot be used.
type ProbeError struct {
	Check string // "echo", "shift", "agreement", "truncation", "variation"
	Err   error
}

func (e *ProbeError) Error() string { return fmt.Sprintf("served: probe: %s: %v", e.Check, e.Err) }

// Unwrap returns the reason.
func (e *ProbeError) Unwrap() error { return e.Err }

// Probe finds out what a server does, and returns an error that says what is wrong with it
// if its log-probabilities or draws cannot be used. It is what [Open] does first.
//
// It draws a dozen short replies and compares: the log-probability of each sampled token
// with that of the same token scored (echo that is ignored or shifted by a token, scores
// at another temperature, a tokeniser at odds with itself, prompts that are mixed up), over
// LlamaCPP of the first tokens of most replies; the sampled tokens with the
// distributions that the server reports (top-k, min-p, top-p or a temperature that stay on
// although they are switched off); the draws with each other (a temperature or seed that
// is ignored). A correct server is refused with a probability below 1e-4. On some 350
// tokens, cuts that cost a tenth of the probability do not stay hidden; a mild one, such
// as top-p 0.95 alone, may.
func Probe(ctx context.Context, c Config) (Report, error) {
	c.Cache, c.SkipProbe = nil, false
	m, err := Open(ctx, c)
	if err != nil {
		return Report{}, err
	}
	return m.report, nil
}

// connect finds the protocol.
func (m *Model) connect(ctx context.Context) error {
	type connector func(context.Context, *client, *Report) (backend, bool, error)
	all := map[Protocol]connector{LlamaCPP: connectLlamaCPP, VLLM: connectVLLM, Echo: connectEcho}
	for p := LlamaCPP; p <= Echo; p++ {
		if want := m.client.Protocol; want != Auto && want != p {
			continue
		}
		b, ok, err := all[p](ctx, m.client, &m.report)
		if err != nil {
			return err
		}
		if ok {
			m.backend = b
			break
		}
	}
	if m.backend == nil {
		return fmt.Errorf("served: the server does not answer as protocol %v does", m.client.Protocol)
	}
	m.report.IDs = m.backend.ids()
	m.report.Name = strings.TrimSpace(m.report.Name + " " + m.client.Revision)
	n := m.client.Concurrency
	if m.report.Slots > 0 {
		n = min(n, m.report.Slots)
	}
	m.slots = make(chan struct{}, n)
	return nil
}

const (
	probeDraws  = 12
	probeTokens = 32
	probeWhole  = 4 // draws of which all tokens are scored again, where each token is a request;
	probeBegin  = 8 // of the others as many as this
	fixedPrompt = "The quick brown"
	fixedReply  = " fox jumps over the lazy dog."
)

// probePrompt alternates, so that a server which mixes up what it works on at once shows: the
// numbers of a draw are then those of another prompt. Any draw can be the one, so all of them
// are scored again.
func probePrompt(i int) Prompt {
	return Prompt{Text: [...]string{"A list of words, picked at random:\n", "The next message in the thread:"}[i%2]}
}

// probe is what Probe documents.
func (m *Model) probe(ctx context.Context) error {
	if e, ok := m.backend.(*echo); ok {
		if err := e.explore(ctx, &m.report); err != nil {
			return err
		}
	}
	draws, err := m.probeDraws(ctx)
	if err != nil {
		return err
	}
	if err := m.checkVariation(draws); err != nil {
		return err
	}
	if !m.scored() {
		return nil // no log-probabilities, nothing to check them by
	}
	if err := m.checkAgreement(ctx, draws); err != nil {
		return err
	}
	if err := m.checkTruncation(draws[:probeDraws]); err != nil {
		return err
	}
	return m.single(ctx, func() error {
		s, err := m.backend.score(ctx, Prompt{Text: fixedPrompt}, Reply{Text: fixedReply})
		m.report.Fixed = s.Tokens
		return err
	})
}

// single runs f as the only item.
func (m *Model) single(ctx context.Context, f func() error) error {
	return reason(m.each(ctx, 1, func(int) error { return f() }))
}

// probeDraws makes draws with different seeds, and the first one a second time. Servers
// limit the number of likeliest tokens that they list, each in its way.
func (m *Model) probeDraws(ctx context.Context) ([]drawn, error) {
	var draws []drawn
	var err error
	for _, top := range []int{100, 20, 5} {
		draws = make([]drawn, probeDraws+1)
		err = m.each(ctx, len(draws), func(i int) (err error) {
			o := drawOptions{seed: uint32(1 + i%probeDraws), tokens: probeTokens, score: m.scored(), listed: true, top: top}
			draws[i], err = m.backend.draw(ctx, probePrompt(i), o)
			return err
		})
		if !refused(err) {
			break
		}
	}
	return draws, reason(err)
}

// checkVariation wants different seeds to give different replies.
func (m *Model) checkVariation(draws []drawn) error {
	m.report.Seeds = draws[0].Reply.Text == draws[probeDraws].Reply.Text
	for i := 2; i < probeDraws; i += 2 { // the prompt of the first one
		if draws[i].Reply.Text != draws[0].Reply.Text {
			return nil
		}
	}
	return &ProbeError{"variation", fmt.Errorf("%d draws with different seeds gave the same reply: the temperature or the seed is ignored", probeDraws/2)}
}

// checkAgreement compares log-probabilities of sampled tokens with those of the same tokens
// scored, for all draws. These are scored at once, as a caller would.
func (m *Model) checkAgreement(ctx context.Context, draws []drawn) error {
	scored := make([]*echoed, probeDraws) // nil: other tokens
	err := m.each(ctx, probeDraws, func(i int) (err error) {
		scored[i], err = m.rescore(ctx, i, &draws[i])
		if errors.Is(err, errOtherTokens) {
			return nil
		}
		return err
	})
	if err != nil {
		return &ProbeError{"agreement", reason(err)}
	}
	var diff []float64
	compared, shifted, worst := 0, 0.0, 0.0
	for i, again := range scored {
		if again == nil {
			continue
		}
		tokens := draws[i].Score.Tokens
		compared++
		before := len(diff)
		for t, v := range tokens[:len(again.values)] {
			if again.values[t] == nil {
				return &ProbeError{"agreement", fmt.Errorf("token %d: %w", t, ErrNull)}
			}
			if !math.IsNaN(v) {
				diff = append(diff, math.Abs(v-*again.values[t]))
			}
		}
		if own := diff[before:]; len(own) > 0 {
			worst = max(worst, sum(own)/float64(len(own)))
		}
		shifted += shift(tokens, again.values)
	}
	if len(diff) == 0 {
		return &ProbeError{"agreement", errors.New("no sampled text has the same tokens when it is scored")}
	}
	m.report.MeanNoise, m.report.MaxNoise = sum(diff)/float64(len(diff)), slices.Max(diff)
	m.report.Compared = len(diff)
	if worst <= m.client.Tolerance {
		return nil
	}
	if shifted/float64(compared) <= m.client.Tolerance {
		return &ProbeError{"shift", errShift}
	}
	return &ProbeError{"agreement", fmt.Errorf("the tokens of a reply, sampled and scored, differ by %.3g nats each on average, Config.Tolerance is %g: "+
		"the server mixes up what it works on at once, or scores another distribution than it draws from", worst, m.client.Tolerance)}
}

// errOtherTokens: a sampled text need not be cut into the tokens that it was sampled as.
var errOtherTokens = errors.New("other tokens")

// rescore scores the tokens of draw i, or a few of them where each is expensive.
func (m *Model) rescore(ctx context.Context, i int, d *drawn) (*echoed, error) {
	x, y := probePrompt(i), d.Reply
	if e, ok := m.backend.(*echo); ok {
		y.End = 0 // its end-of-sequence token may itself come from scoring
		if strings.ContainsRune(y.Text, utf8.RuneError) || y.Text == "" {
			return nil, errOtherTokens
		}
		full, begin, err := e.split(ctx, x, y)
		if errors.Is(err, ErrBoundary) {
			return nil, errOtherTokens
		}
		if err != nil {
			return nil, err
		}
		pieces := full.pieces[begin:]
		if len(d.pieces) < len(pieces) || !slices.Equal(d.pieces[:len(pieces)], pieces) {
			return nil, errOtherTokens
		}
		return &echoed{pieces, full.values[begin:]}, nil
	}
	switch _, perToken := m.backend.(*llamaCPP); {
	case m.client.Temperature != 1:
		y.IDs = y.IDs[:min(4, len(y.IDs))]
	case perToken && i >= probeWhole:
		y.IDs = y.IDs[:min(probeBegin, len(y.IDs))]
	}
	s, err := m.backend.score(ctx, x, y)
	if err != nil {
		return nil, err
	}
	values := make([]*float64, len(s.Tokens))
	for t := range s.Tokens {
		values[t] = &s.Tokens[t]
	}
	return &echoed{values: values}, nil
}

// shift returns the mean difference that remains if the scores are moved by one token, the
// better way.
func shift(sampled []float64, scored []*float64) float64 {
	best := math.Inf(1)
	for _, by := range []int{-1, 1} {
		total, n := 0.0, 0
		for t := range sampled {
			if u := t + by; u >= 0 && u < len(scored) && scored[u] != nil && !math.IsNaN(sampled[t]) {
				total += math.Abs(sampled[t] - *scored[u])
				n++
			}
		}
		if n > 0 {
			best = min(best, total/float64(n))
		}
	}
	return best
}

func sum(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s
}
