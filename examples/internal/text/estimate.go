package text

import (
	"context"
	"time"

	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/policy"
)

// Estimate says how long seeds runs of everything will take on this machine, from the time
// that one batch takes. Replies that grow shorter or longer make it less or more.
func (s *Setup) Estimate(ctx context.Context, models Models, names []string, c methods.Config, seeds int) (time.Duration, error) {
	t, err := models.New(s, c.Seed)
	if err != nil {
		return 0, err
	}
	p := s.sequences(t.Model)
	n := min(c.Batch, s.Train.Len())
	xs, ys, logp := s.Train.X[:n], s.Train.Chosen[:n], make([]float64, n)
	pass := p.NewPass()
	var step, sample time.Duration
	for range 2 { // the first one pays for memory
		begin := time.Now()
		if err := pass.Forward(ctx, logp, xs, ys); err != nil {
			return 0, err
		}
		if err := pass.Pullback(ctx, logp); err != nil {
			return 0, err
		}
		step = time.Since(begin)
		begin = time.Now()
		if err := p.Sample(ctx, policy.Draws[[]int32]{Y: make([][]int32, n)}, xs, make([]uint64, n), 1, policy.Key{}); err != nil {
			return 0, err
		}
		sample = time.Since(begin)
	}
	steps := time.Duration(c.Steps)
	pairs := 2 * step
	online := time.Duration(c.K) * (step + sample + step/3) // with the reference's forward pass
	evaluation := time.Duration(s.Test.Len()*perPrompt/n) * (sample + step)
	total := time.Duration(s.sftSteps())*step + 2*evaluation
	for _, name := range names {
		total += 2 * evaluation
		if name != "online-rlhf" {
			total += steps * pairs
		}
		if name != "dpo" {
			total += steps * online
		}
	}
	return time.Duration(seeds) * total, nil
}
