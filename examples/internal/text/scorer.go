package text

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"unicode"

	"github.com/prefgrad/prefgrad/examples/internal/linreward"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/train"
)

// Scorer is a linear Bradley–Terry reward on hashed features of a reply: the mean over its
// n-grams, so that length as such earns little, and the length as a feature of its own. The
// reward model and the judge have different n-grams.
type Scorer struct {
	Pairs            int     // it was fitted on
	Accuracy, Lo, Hi float64 // on the test part, with a 95% interval

	grams   func(s string, yield func(gram string))
	weights []float64
}

const (
	scorerDim    = 1 << 13       // hashed features, and the length
	lengthColumn = scorerDim - 1 // the last one
	scorerL2     = 3e-4
	gramScale    = 4.0 // of the mean features against the length
	gramPrior    = 20  // n-grams without a feature that every reply has: a word or two prove little
	lengthUnit   = 5.0 // words
)

// words yields a reply's words in lower case, and its pairs of words: the reward model's view.
func words(s string, yield func(string)) {
	fields := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' })
	for i, w := range fields {
		yield(w)
		if i > 0 {
			yield(fields[i-1] + " " + w)
		}
	}
}

// characters yields a reply's runs of 3 to 5 characters in lower case: the judge's view.
func characters(s string, yield func(string)) {
	r := []rune(" " + strings.Join(strings.Fields(strings.ToLower(s)), " ") + " ")
	for n := 3; n <= 5; n++ {
		for i := 0; i+n <= len(r); i++ {
			yield(string(r[i : i+n]))
		}
	}
}

// features yields the columns and values of φ(reply); a column may come more than once.
func (s *Scorer) features(reply string, yield func(column int32, value float64)) {
	n := 0.0
	s.grams(reply, func(string) { n++ })
	s.grams(reply, func(g string) {
		h := fnv.New64a()
		_, _ = h.Write([]byte(g)) // does not fail
		yield(int32(h.Sum64()%(scorerDim-1)), gramScale/(n+gramPrior))
	})
	yield(lengthColumn, length(reply))
}

// length is the length feature: it grows ever more slowly.
func length(reply string) float64 {
	return math.Log1p(float64(len(strings.Fields(reply))) / lengthUnit)
}

// Score returns the reward of a reply. Without the length it says how the reply would be
// judged if length did not count.
func (s *Scorer) Score(reply string, withLength bool) float64 {
	sum := 0.0
	s.features(reply, func(column int32, value float64) {
		if column != lengthColumn || withLength {
			sum += value * s.weights[column]
		}
	})
	return sum
}

// fitScorer fits a scorer to pairs and measures it on others.
func fitScorer(fit, held []pair, grams func(string, func(string))) (*Scorer, error) {
	s := &Scorer{Pairs: len(fit), grams: grams}
	diff, err := s.differences(fit)
	if err != nil {
		return nil, err
	}
	if s.weights, err = linreward.Fit(diff, scorerL2); err != nil {
		return nil, err
	}
	test, err := s.differences(held)
	if err != nil {
		return nil, err
	}
	s.Accuracy, s.Lo, s.Hi = linreward.Accuracy(test, s.weights)
	return s, nil
}

// differences returns the rows φ(chosen) − φ(rejected).
func (s *Scorer) differences(pairs []pair) (policy.Features, error) {
	begin := []int{0}
	var index []int32
	var value []float64
	for _, p := range pairs {
		for _, side := range []struct {
			reply string
			sign  float64
		}{{p.chosen, 1}, {p.rejected, -1}} {
			s.features(side.reply, func(column int32, v float64) {
				index, value = append(index, column), append(value, side.sign*v)
			})
		}
		begin = append(begin, len(index))
	}
	return policy.NewSparse(scorerDim, begin, index, value)
}

// reward makes a train.RewardFunc of a scorer.
func (s *Scorer) reward(t Tokenizer) train.RewardFunc[[]int32, []int32] {
	return func(_ context.Context, dst []float64, _ [][]int32, ys [][]int32) error {
		for i, y := range ys {
			dst[i] = s.Score(t.Decode(y), true)
		}
		return nil
	}
}

// String says what the scorer is worth.
func (s *Scorer) String() string {
	return fmt.Sprintf("%d pairs, held-out accuracy %.3f [%.3f, %.3f]", s.Pairs, s.Accuracy, s.Lo, s.Hi)
}
