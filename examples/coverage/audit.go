package main

import (
	"bytes"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/prefgrad/prefgrad/coverage"
)

const (
	replicates = 200           // of the bootstrap
	maxSamples = 1_000_000_000 // from the reference; it costs 0.8 MB to declare so many
	chunk      = 4096          // samples that accumulators are given at a time
)

// side accumulates the samples from one source.
type side struct {
	source  coverage.Source
	batch   coverage.Batch
	kl      *coverage.PromptKL
	moments *coverage.Moments
	profile *coverage.Histogram
	beyond  *coverage.Histogram // the profile at one ratio, the first edge
	tail    *coverage.Tail      // of samples of the reference
	top     float64             // largest log-ratio
	tokens  int                 // of the replies that say their length
	lengths int                 // how many do
}

func newSide(source coverage.Source, ratio float64) (*side, error) {
	s := &side{source: source, kl: coverage.NewPromptKL(source), top: math.Inf(-1)}
	orders := []float64{0.5, 2}
	if source == coverage.FromRef {
		orders = append(orders, 1)
		s.tail = coverage.NewTail(maxSamples)
	}
	var err error
	if s.moments, err = coverage.NewMoments(coverage.MomentsConfig{Source: source, Orders: orders, Replicates: replicates}); err != nil {
		return nil, err
	}
	// Bins are ½ wide, which makes their edges exact, 0 among them.
	if s.profile, err = coverage.NewHistogram(coverage.HistogramConfig{Source: source, Lo: -8, Hi: 56, Bins: 128, Replicates: replicates}); err != nil {
		return nil, err
	}
	at := math.Log(ratio)
	s.beyond, err = coverage.NewHistogram(coverage.HistogramConfig{Source: source, Lo: at, Hi: at + 1, Bins: 1, Replicates: replicates})
	return s, err
}

func (s *side) n() int { return s.moments.N() + len(s.batch.Prompt) }

func (s *side) add(prompt uint64, r *reply) error {
	b := &s.batch
	b.Prompt, b.LogP, b.LogRef = append(b.Prompt, prompt), append(b.LogP, r.logp), append(b.LogRef, r.ref)
	if r.length >= 0 {
		s.tokens += r.length
		s.lengths++
	}
	if len(b.Prompt) < chunk {
		return nil
	}
	return s.flush()
}

// flush gives the accumulators what has come in.
func (s *side) flush() error {
	b := s.batch
	for _, a := range []interface{ Add(coverage.Batch) error }{s.kl, s.moments, s.profile, s.beyond} {
		if err := a.Add(b); err != nil {
			return err
		}
	}
	ratios := make([]float64, len(b.LogP))
	for i, lp := range b.LogP {
		if ratios[i] = lp - b.LogRef[i]; math.IsInf(lp, -1) {
			ratios[i] = lp
		}
		s.top = max(s.top, ratios[i])
	}
	s.batch = coverage.Batch{Prompt: b.Prompt[:0], LogP: b.LogP[:0], LogRef: b.LogRef[:0]}
	if s.tail == nil {
		return nil
	}
	return s.tail.Add(ratios)
}

// merge adds another side of the same source, both flushed.
func (s *side) merge(o *side) error {
	s.kl.Merge(o.kl)
	s.moments.Merge(o.moments)
	s.profile.Merge(o.profile)
	s.beyond.Merge(o.beyond)
	s.top = max(s.top, o.top)
	s.tokens += o.tokens
	s.lengths += o.lengths
	if s.tail == nil {
		return nil
	}
	return s.tail.Merge(o.tail)
}

// audit accumulates samples and pairs. Its memory grows with the number of prompts, not of
// lines.
type audit struct {
	seed      uint64
	dataPairs bool // preference pairs are the data whose features count, and not samples of the reference
	sides     [2]*side
	names     map[uint64]string // of prompts, as spelled
	last      []byte            // the prompt of the last line
	lastID    uint64
	features  features
	pairs     int
	skipped   int
}

// newAudit returns an empty audit, whose bootstrap depends on the seed.
func newAudit(c *config) (*audit, error) {
	a := &audit{seed: c.Seed, dataPairs: c.Pairs != "", names: map[uint64]string{}}
	for _, source := range []coverage.Source{coverage.FromPolicy, coverage.FromRef} {
		var err error
		if a.sides[source], err = newSide(source, c.Ratio); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// id returns the number of a prompt, from which the bootstrap's weights follow.
func (a *audit) id(prompt []byte) uint64 {
	if a.last != nil && bytes.Equal(prompt, a.last) {
		return a.lastID
	}
	key := append(strconv.AppendUint(nil, a.seed, 10), prompt[0])
	if prompt[0] == '"' {
		key, _ = jsontext.AppendUnquote(key, prompt) // it was read as a string
	} else {
		key = append(key, prompt...)
	}
	a.last, a.lastID = append(a.last[:0], prompt...), coverage.PromptID(string(key))
	if _, ok := a.names[a.lastID]; !ok {
		a.names[a.lastID] = string(prompt)
	}
	return a.lastID
}

func (a *audit) addSample(s *sample) error {
	if s.features != nil {
		if err := a.features.use(s.features); err != nil {
			return err
		}
	}
	id := a.id(s.prompt)
	if s.features != nil && !(a.dataPairs && s.from == coverage.FromRef) {
		if err := a.features.add(s.from, id, s.features); err != nil {
			return err
		}
	}
	return a.sides[s.from].add(id, &s.reply)
}

func (a *audit) addPair(p *pair) error {
	both := p.chosen.features != nil && p.rejected.features != nil
	if both {
		for _, r := range []*reply{&p.chosen, &p.rejected} {
			if err := a.features.use(r.features); err != nil {
				return err
			}
		}
	} else if p.chosen.features != nil || p.rejected.features != nil {
		return bad("features", "of one reply only")
	}
	id := a.id(p.prompt)
	a.pairs++
	if both { // the pairs are data, whatever drew their replies
		if err := a.features.addPair(coverage.FromRef, id, p.chosen.features, p.rejected.features); err != nil {
			return err
		}
	}
	if err := a.sides[p.from].add(id, &p.chosen); err != nil {
		return err
	}
	return a.sides[p.from].add(id, &p.rejected)
}

// merge adds what another audit of the same configuration has seen. Sums agree with those of
// one pass up to rounding; pairs of features do if no prompt is in both.
func (a *audit) merge(o *audit) error {
	for i, s := range a.sides {
		for _, part := range []*side{s, o.sides[i]} {
			if err := part.flush(); err != nil {
				return err
			}
		}
		if err := s.merge(o.sides[i]); err != nil {
			return err
		}
	}
	for id, name := range o.names {
		if _, ok := a.names[id]; !ok {
			a.names[id] = name
		}
	}
	a.pairs += o.pairs
	a.skipped += o.skipped
	return a.features.merge(&o.features)
}
