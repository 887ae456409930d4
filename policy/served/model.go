package served

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/prefgrad/prefgrad/policy"
)

// Model is a language model behind an HTTP server. It scores and draws, and cannot be
// trained: a reference, a judge, a source of replies. It is safe for concurrent use.
// Make one with [Open].
type Model struct {
	client  *client
	backend backend
	report  Report
	slots   chan struct{} // as many as items may be worked on at once
	hits    atomic.Int64
}

var (
	_ policy.Sampler[Prompt, Reply]    = (*Model)(nil)
	_ policy.Sampler[[]int32, []int32] = IDs{}
	_ policy.Generator                 = (*Model)(nil)
)

// backend is one protocol.
type backend interface {
	// score returns log π of each token of y.
	score(ctx context.Context, x Prompt, y Reply) (Score, error)
	// draw samples a reply, with the log-probabilities of the top likeliest tokens at
	// each position if top > 0.
	draw(ctx context.Context, x Prompt, o drawOptions) (drawn, error)
	// ids reports whether prompts and replies can be token ids.
	ids() bool
	// check returns the reason for which x cannot be a prompt, or nil.
	check(x Prompt) error
}

type drawOptions struct {
	seed   uint32
	tokens int  // at most
	score  bool // the log-probability is wanted
	listed bool // but only what comes with the reply, NaN where a token has none
	top    int
}

// drawn is a draw as a backend makes it.
type drawn struct {
	Draw
	pieces []string    // the tokens' texts, where there are no ids
	top    [][]float64 // for each token, the log-probabilities of the likeliest ones
}

// Open finds out what the server does ([Probe]) and returns the model. It fails with a
// [*ProbeError] if the server's log-probabilities or draws cannot be trusted, and with
// [ErrFingerprint] if Config.Cache was filled from another model.
func Open(ctx context.Context, c Config) (*Model, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	m := &Model{client: newClient(c)}
	if err := m.connect(ctx); err != nil {
		return nil, err
	}
	if !c.SkipProbe {
		if err := m.probe(ctx); err != nil {
			return nil, err
		}
	}
	if c.Cache == nil {
		return m, nil
	}
	return m, m.bindCache()
}

// Report returns what is known of the server.
func (m *Model) Report() Report { return m.report }

// Requests returns the number of requests sent so far, repetitions included.
func (m *Model) Requests() int64 { return m.client.requests.Load() }

// CacheHits returns the number of scores and draws that the cache had.
func (m *Model) CacheHits() int64 { return m.hits.Load() }

// Score returns the log-probability of a reply, token by token.
func (m *Model) Score(ctx context.Context, x Prompt, y Reply) (Score, error) {
	var s Score
	err := m.each(ctx, 1, func(int) (err error) {
		s, err = m.scoreItem(ctx, x, y)
		return err
	})
	return s, reason(err)
}

// Draw samples one reply with the given seed, which is honoured if [Report.Seeds] says so.
func (m *Model) Draw(ctx context.Context, x Prompt, seed uint32) (Draw, error) {
	var d Draw
	err := m.each(ctx, 1, func(int) (err error) {
		d, err = m.drawItem(ctx, x, seed, m.scored())
		return err
	})
	return d, reason(err)
}

// reason takes a single item's error out of its ItemError.
func reason(err error) error {
	var item *policy.ItemError
	if errors.As(err, &item) {
		return item.Err
	}
	return err
}

// LogProbs implements [policy.Policy].
func (m *Model) LogProbs(ctx context.Context, dst []float64, xs []Prompt, ys []Reply) error {
	if len(dst) != len(xs) || len(dst) != len(ys) {
		panic(badLength)
	}
	return m.each(ctx, len(dst), func(i int) error {
		s, err := m.scoreItem(ctx, xs[i], ys[i])
		dst[i] = s.LogProb
		if err != nil {
			dst[i] = math.NaN()
		}
		return err
	})
}

// Sample implements [policy.Sampler]. Draws.LogProb and Draws.Model are the same numbers,
// since π is the model at Config.Temperature, and are [errors.ErrUnsupported] where
// [Config.Temperature] says so.
func (m *Model) Sample(ctx context.Context, dst policy.Draws[Reply], xs []Prompt, ids []uint64, k int, key policy.Key) error {
	n := len(xs) * k
	if len(ids) != len(xs) {
		panic(badLength)
	}
	if k < 1 || len(dst.Y) != n || dst.LogProb != nil && len(dst.LogProb) != n || dst.Model != nil && len(dst.Model) != n {
		panic(badDraws)
	}
	scored := dst.LogProb != nil || dst.Model != nil
	if scored && !m.scored() {
		return fmt.Errorf("served: log-probability of draws at temperature %v: %w", m.client.Temperature, errors.ErrUnsupported)
	}
	return m.draws(ctx, xs, ids, k, key, scored, func(i int, d Draw) {
		dst.Y[i] = d.Reply
		if dst.LogProb != nil {
			dst.LogProb[i] = d.Score.LogProb
		}
		if dst.Model != nil {
			dst.Model[i] = d.Score.LogProb
		}
	})
}

// Generate implements [policy.Generator], for protocols with token ids. Rollout.LogProb
// and Rollout.Model are the same numbers, nil where [Config.Temperature] says that there
// are none. Any draw that fails fails the call.
func (m *Model) Generate(ctx context.Context, dst *policy.Rollout, prompts [][]int32, ids []uint64, k int, key policy.Key) error {
	if len(ids) != len(prompts) {
		panic(badLength)
	}
	if k < 1 {
		panic(badDraws)
	}
	if !m.backend.ids() {
		return fmt.Errorf("served: token ids over protocol %v: %w", m.report.Protocol, errors.ErrUnsupported)
	}
	scored := m.scored()
	all := make([]Draw, len(prompts)*k)
	if err := m.draws(ctx, idPrompts(prompts), ids, k, key, scored, func(i int, d Draw) { all[i] = d }); err != nil {
		return err
	}
	dst.Tokens.Reset()
	dst.LogProb, dst.Model, dst.Finish = dst.LogProb[:0], dst.Model[:0], dst.Finish[:0]
	for i, d := range all {
		x := prompts[i/k]
		dst.Tokens.Append(x, d.Reply.IDs)
		dst.Finish = append(dst.Finish, d.Reply.End)
		if scored {
			dst.LogProb = append(append(dst.LogProb, make([]float64, len(x))...), d.Score.Tokens...)
		}
	}
	if !scored {
		dst.LogProb, dst.Model = nil, nil
		return nil
	}
	dst.Model = append(dst.Model, dst.LogProb...)
	return nil
}

// draws makes k draws for each prompt. The item of an error is the prompt.
func (m *Model) draws(ctx context.Context, xs []Prompt, ids []uint64, k int, key policy.Key, scored bool, put func(i int, d Draw)) error {
	err := m.each(ctx, len(xs)*k, func(i int) error {
		var g rand.PCG
		key.Stream(&g, ids[i/k], i%k)
		d, err := m.drawItem(ctx, xs[i/k], seedOf(&g), scored)
		if err == nil {
			put(i, d)
		}
		return err
	})
	var list interface{ Unwrap() []error }
	if !errors.As(err, &list) {
		return err
	}
	var errs []error
	last := -1
	for _, err := range list.Unwrap() { // in the order of items
		var item *policy.ItemError
		if errors.As(err, &item) && item.Index/k != last {
			last = item.Index / k
			errs = append(errs, &policy.ItemError{Index: last, Err: item.Err})
		}
	}
	return errors.Join(errs...)
}

// seedOf takes a request's seed from a stream. Servers differ in the range they take, and
// some give the largest 32-bit number a meaning of its own; 31 bits suit them all.
func seedOf(g *rand.PCG) uint32 { return uint32(g.Uint64() >> 33) }

// each runs f for n items, as many at once as there are slots, and joins the errors as
// item errors in the order of items. The context's error comes first.
func (m *Model) each(ctx context.Context, n int, f func(i int) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	errs := make([]error, n)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(n, cap(m.slots)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				select {
				case <-ctx.Done():
					return
				case m.slots <- struct{}{}:
					if err := f(i); err != nil {
						errs[i] = &policy.ItemError{Index: i, Err: err}
					}
					<-m.slots
				}
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// scored reports whether draws have a log-probability.
func (m *Model) scored() bool {
	return m.client.Temperature == 1 || m.report.Protocol == LlamaCPP
}

// scoreItem is one score, from the cache if it is there.
func (m *Model) scoreItem(ctx context.Context, x Prompt, y Reply) (Score, error) {
	if err := m.backend.check(x); err != nil {
		return Score{}, err
	}
	if y.empty() {
		return Score{}, fmt.Errorf("empty reply: %w", policy.ErrResponse)
	}
	if !m.scored() {
		return Score{}, fmt.Errorf("scores at temperature %v over protocol %v: %w", m.client.Temperature, m.report.Protocol, errors.ErrUnsupported)
	}
	var s Score
	err := m.cached(m.scoreKey(x, y), &s, func() (err error) {
		s, err = m.backend.score(ctx, x, y)
		return err
	})
	return s, err
}

// drawItem is one draw, from the cache if it is there.
func (m *Model) drawItem(ctx context.Context, x Prompt, seed uint32, scored bool) (Draw, error) {
	if err := m.backend.check(x); err != nil {
		return Draw{}, err
	}
	var d Draw
	err := m.cached(m.drawKey(x, seed, scored), &d, func() error {
		r, err := m.backend.draw(ctx, x, drawOptions{seed: seed, tokens: m.client.MaxTokens, score: scored})
		d = r.Draw
		return err
	})
	return d, err
}

const (
	badLength = "served: slices of different lengths"
	badDraws  = "served: k < 1, or draws not of length len(xs)·k"
)

// IDs views a model as a policy over token ids: what a trainable model with the same
// vocabulary takes as its reference. Protocol Echo has no ids and fails every item with
// [errors.ErrUnsupported].
type IDs struct{ *Model }

// LogProbs implements [policy.Policy].
func (m IDs) LogProbs(ctx context.Context, dst []float64, xs, ys [][]int32) error {
	replies := make([]Reply, len(ys))
	for i, y := range ys {
		replies[i].IDs = y
	}
	return m.Model.LogProbs(ctx, dst, idPrompts(xs), replies)
}

// Sample implements [policy.Sampler].
func (m IDs) Sample(ctx context.Context, dst policy.Draws[[]int32], xs [][]int32, ids []uint64, k int, key policy.Key) error {
	d := policy.Draws[Reply]{Y: make([]Reply, len(dst.Y)), LogProb: dst.LogProb, Model: dst.Model}
	err := m.Model.Sample(ctx, d, idPrompts(xs), ids, k, key)
	for i, y := range d.Y {
		dst.Y[i] = y.IDs
	}
	return err
}

// idPrompts wraps token ids. An empty prompt stays one of ids.
func idPrompts(xs [][]int32) []Prompt {
	p := make([]Prompt, len(xs))
	for i, x := range xs {
		p[i].IDs = x
	}
	return p
}
