package text

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/examples/internal/methods"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/lm"
	"github.com/prefgrad/prefgrad/sampler"
	"github.com/prefgrad/prefgrad/train"
)

// Setup is what all seeds and methods share: the data as tokens, the reward model, the judge.
type Setup struct {
	Size      Size
	Tokenizer *Tokenizer
	Train     Tokens
	Test      Tokens
	Reward    *Scorer // fitted on the training part; what online RLHF optimises
	Judge     *Scorer // fitted on the validation part, with other features; what methods are judged by

	validation Tokens
	log        io.Writer
}

// NewSetup learns the vocabulary, the reward model and the judge.
func NewSetup(c *Corpus, size Size, log io.Writer) (*Setup, error) {
	s := &Setup{Size: size, log: log}
	s.Tokenizer = TrainTokenizer(c.texts(dataset.Train), size.Vocab)
	fmt.Fprintf(log, "vocabulary: %d tokens, from the training part\n", s.Tokenizer.Vocab())
	s.Train = c.tokens(dataset.Train, s.Tokenizer, size)
	s.validation = c.tokens(dataset.Validation, s.Tokenizer, size)
	s.Test = c.tokens(dataset.Test, s.Tokenizer, size)
	var err error
	test := s.asRead(&s.Test)
	if s.Reward, err = fitScorer(s.asRead(&s.Train), test, words); err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "reward model: words and pairs of words, %v\n", s.Reward)
	if s.Judge, err = fitScorer(s.asRead(&s.validation), test, characters); err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "judge: runs of characters, %v\n", s.Judge)
	return s, nil
}

// asRead returns the replies of d as text, cut as the models see them: scorers must see what
// they will have to score.
func (s *Setup) asRead(d *Tokens) []pair {
	pairs := make([]pair, d.Len())
	for i := range pairs {
		pairs[i] = pair{chosen: s.Tokenizer.Decode(d.Chosen[i]), rejected: s.Tokenizer.Decode(d.Rejected[i])}
	}
	return pairs
}

// sequences views a model as a policy over whole replies that can be drawn from.
func (s *Setup) sequences(m interface {
	policy.TokenPolicy
	policy.Decoder
}) policy.Sequences {
	return policy.Sequences{Model: m, Generator: sampler.NewAncestral(m, s.Tokenizer.EOS(), s.Size.Reply)}
}

// Supervised fine-tuning begins at nothing and ends before the replies are learned by heart.
const (
	sftRate   = 6e-3
	sftBatch  = 32
	sftEpochs = 9
	sftDecay  = 1.0 // weight decay
	sftOrder  = 2   // of n-grams; longer ones are too rare here to help
)

// sftSteps is the number of updates of supervised fine-tuning.
func (s *Setup) sftSteps() int {
	return min(s.Size.MaxSFT, max(1, sftEpochs*s.Train.Len()/sftBatch))
}

// model is the configuration of a new language model.
func (s *Setup) model(seed uint64) lm.Config {
	return lm.Config{Vocab: s.Tokenizer.Vocab(), EOS: s.Tokenizer.EOS(), Dim: s.Size.Dim, Order: sftOrder, Seed: seed}
}

// counts counts the tokens of the training part's chosen replies.
func (s *Setup) counts() []int {
	counts := make([]int, s.Tokenizer.Vocab())
	for _, y := range s.Train.Chosen {
		for _, id := range y {
			counts[id]++
		}
	}
	return counts
}

// SFT trains a reference from nothing on the chosen replies and reports its perplexity on
// held-out ones, beside baselines.
func (s *Setup) SFT(ctx context.Context, c methods.Config) (*lm.Frozen, error) {
	m, err := lm.New(s.model(c.Seed))
	if err != nil {
		return nil, err
	}
	if err := m.FitUnigram(s.counts()); err != nil {
		return nil, err
	}
	tokens := 0
	for _, n := range s.Train.ChosenLen {
		tokens += n
	}
	pi := s.sequences(m)
	opt := train.NewAdamW(m)
	opt.WeightDecay = sftDecay
	l := &loop{
		Data:    s.Train,
		Terms:   []train.Term[[]int32, []int32]{&train.Supervised[[]int32, []int32]{Policy: pi, TokensPerRow: float64(tokens) / float64(s.Train.Len())}},
		Updater: opt, Schedule: train.Linear{},
	}
	c.Steps, c.Batch, c.LR, c.MaxNorm, c.EvalEvery = s.sftSteps(), sftBatch, sftRate, MaxNorm, 0
	if _, err := s.run(ctx, l, "sft", c); err != nil {
		return nil, err
	}
	ppl, err := perplexity(ctx, pi, &s.Test)
	if err != nil {
		return nil, err
	}
	uni, bi := baselines(&s.Train, &s.Test, s.Tokenizer.Vocab())
	fmt.Fprintf(s.log, "reference: held-out perplexity %.1f per token (unigram %.1f, bigram %.1f)\n", ppl, uni, bi)
	return m.Freeze(), nil
}

// perplexity returns exp of the mean −log π per token of the chosen replies.
func perplexity(ctx context.Context, p policy.Policy[[]int32, []int32], d *Tokens) (float64, error) {
	logp := make([]float64, d.Len())
	if err := p.LogProbs(ctx, logp, d.X, d.Chosen); err != nil {
		return 0, err
	}
	sum, n := 0.0, 0
	for i, l := range logp {
		sum -= l
		n += len(d.Chosen[i])
	}
	return math.Exp(sum / float64(n)), nil
}
