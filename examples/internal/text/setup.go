package text

import (
	"fmt"
	"io"

	"github.com/prefgrad/prefgrad/dataset"
)

// Setup is what all seeds and methods share: the data as tokens, the reward model, the judge.
type Setup struct {
	Size      Size
	Tokenizer Tokenizer
	Train     Tokens
	Test      Tokens
	Reward    *Scorer // fitted on the training part; what online RLHF optimises
	Judge     *Scorer // fitted on the validation part, with other features; what methods are judged by

	validation Tokens
	log        io.Writer
}

// NewSetup learns the vocabulary, the reward model and the judge.
func NewSetup(c *Corpus, models Models, size Size, log io.Writer) (*Setup, error) {
	s := &Setup{Size: size, log: log}
	var err error
	if s.Tokenizer, err = models.Tokenizer(c.texts(dataset.Train), size); err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "vocabulary: %d tokens\n", s.Tokenizer.Vocab())
	s.Train = c.tokens(dataset.Train, s.Tokenizer, size)
	s.validation = c.tokens(dataset.Validation, s.Tokenizer, size)
	s.Test = c.tokens(dataset.Test, s.Tokenizer, size)
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
