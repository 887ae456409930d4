package main

import (
	"fmt"

	"github.com/prefgrad/prefgrad/coverage"
	"github.com/prefgrad/prefgrad/internal/num"
)

// shard is the part of a batch that one goroutine adds, and what it adds it to: ESS, Rényi divergences,
// the profile and KL of samples from the reference.
type shard struct {
	batch     coverage.Batch
	ratios    []float64 // the estimate of KL from samples of the policy
	moments   *coverage.Moments
	histogram *coverage.Histogram
	kl        coverage.KLEstimator
}

const perPrompt = 4

func newShard(batch coverage.Batch, ratios []float64) (*shard, error) {
	s := &shard{batch: batch, ratios: ratios}
	var err error
	if s.moments, err = coverage.NewMoments(coverage.MomentsConfig{Source: coverage.FromRef, Orders: []float64{0.5, 1, 2}}); err != nil {
		return nil, err
	}
	s.histogram, err = coverage.NewHistogram(coverage.HistogramConfig{Source: coverage.FromRef})
	return s, err
}

func (s *shard) add() error {
	if err := s.moments.Add(s.batch); err != nil {
		return err
	}
	if err := s.histogram.Add(s.batch); err != nil {
		return err
	}
	return s.kl.Add(s.ratios, perPrompt)
}

func (s *shard) merge(o *shard) {
	s.moments.Merge(o.moments)
	s.histogram.Merge(o.histogram)
	s.kl.Merge(o.kl)
}

// statistics adds samples, on several processors to a shard each, which are merged at the end.
func statistics(o options, n int) (benchmark, error) {
	prompt, logp, logRef, ratios := make([]uint64, n), studentT(n), make([]float64, n), studentT(n)
	for i := range prompt {
		prompt[i] = uint64(i / perPrompt)
	}
	total, err := newShard(coverage.Batch{Prompt: prompt, LogP: logp, LogRef: logRef}, ratios)
	if err != nil {
		return benchmark{}, err
	}
	const bytes = 4 * 8 // prompt, two log-probabilities, a log-ratio
	name := fmt.Sprintf("coverage/stats/S=%d", n)
	if o.threads == 1 {
		return benchmark{name, n, bytes, total.add}, nil
	}
	shards := make([]*shard, o.threads)
	for i := range shards {
		end := func(i int) int { return n / perPrompt * i / o.threads * perPrompt }
		lo, hi := end(i), end(i+1)
		part := coverage.Batch{Prompt: prompt[lo:hi], LogP: logp[lo:hi], LogRef: logRef[lo:hi]}
		if shards[i], err = newShard(part, ratios[lo:hi]); err != nil {
			return benchmark{}, err
		}
	}
	var team num.Team
	add := func(_, i int) error { return shards[i].add() }
	return benchmark{name, n, bytes, func() error {
		if err := team.Run(background, o.threads, len(shards), add); err != nil {
			return err
		}
		for _, s := range shards {
			total.merge(s)
		}
		return nil
	}}, nil
}
