package text

import (
	"context"
	"fmt"
	"math"

	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

const (
	sftBatch  = 32
	sftEpochs = 9
)

// sftSteps is the number of updates of supervised fine-tuning.
func (s *Setup) sftSteps() int {
	return min(s.Size.MaxSFT, max(1, sftEpochs*s.Train.Len()/sftBatch))
}

// SFT trains a model on the chosen replies and reports its perplexity on held-out ones,
// beside baselines.
func (s *Setup) SFT(ctx context.Context, t *Trainee, c methods.Config) error {
	tokens := 0
	for _, n := range s.Train.ChosenLen {
		tokens += n
	}
	pi := s.sequences(t.Model)
	l := &loop{
		Data:    s.Train,
		Terms:   []train.Term[[]int32, []int32]{&train.Supervised[[]int32, []int32]{Policy: pi, TokensPerRow: float64(tokens) / float64(s.Train.Len())}},
		Updater: t.Updater, Schedule: train.Linear{},
	}
	c.Steps, c.Batch, c.LR, c.EvalEvery = s.sftSteps(), sftBatch, s.Size.SFTRate, 0
	if _, err := s.run(ctx, l, "sft", c); err != nil {
		return err
	}
	ppl, err := perplexity(ctx, pi, &s.Test)
	if err != nil {
		return err
	}
	uni, bi := baselines(&s.Train, &s.Test, s.Tokenizer.Vocab())
	fmt.Fprintf(s.log, "reference: held-out perplexity %.1f per token (unigram %.1f, bigram %.1f)\n", ppl, uni, bi)
	return nil
}

// perplexity returns exp of the mean −log π per token of the chosen replies.
func perplexity(ctx context.Context, p policy.Policy[[]int32, []int32], d *Tokens) (float64, error) {
	logp := make([]float64, d.Len())
	for lo := 0; lo < d.Len(); lo += evalChunk {
		hi := min(lo+evalChunk, d.Len())
		if err := p.LogProbs(ctx, logp[lo:hi], d.X[lo:hi], d.Chosen[lo:hi]); err != nil {
			return 0, err
		}
	}
	sum, n := 0.0, 0
	for i, l := range logp {
		sum -= l
		n += len(d.Chosen[i])
	}
	return math.Exp(sum / float64(n)), nil
}
