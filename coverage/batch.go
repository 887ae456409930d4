package coverage

import (
	"fmt"
	"hash/fnv"
	"math"

	"github.com/prefgrad/prefgrad/internal/elem"
)

// Source says from which distribution samples were drawn.
type Source int

const (
	FromPolicy  Source = iota // from π, the zero value
	FromRef                   // from π_ref
	FromMixture               // from another distribution, whose log-probabilities are known
)

func (s Source) String() string {
	switch s {
	case FromPolicy:
		return "policy"
	case FromRef:
		return "ref"
	case FromMixture:
		return "mixture"
	}
	return fmt.Sprintf("Source(%d)", int(s))
}

// Batch is a batch of samples, one entry of each slice for each. Samples of one prompt need
// not stand together, but accumulators are faster where they do.
type Batch struct {
	Prompt  []uint64  // what samples share that are not independent; see [PromptID]
	LogP    []float64 // log π(y|x)
	LogRef  []float64 // log π_ref(y|x)
	LogFrom []float64 // log-probability under the mixture; nil for other sources
}

// PromptID returns the id of a prompt that is named by a string: a hash of 64 bits.
func PromptID(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name)) // cannot fail
	return mix(h.Sum64())
}

// lengths panics if lengths differ.
func (b Batch) lengths(from Source) {
	n := len(b.Prompt)
	if len(b.LogP) != n || len(b.LogRef) != n || from == FromMixture && len(b.LogFrom) != n || from != FromMixture && b.LogFrom != nil {
		panic("coverage: slices of different lengths, or LogFrom without FromMixture")
	}
}

// check returns an error for a log-probability that is NaN or +Inf, or that is −Inf where the sample was drawn from.
// It panics if lengths differ.
func (b Batch) check(from Source) error {
	b.lengths(from)
	if from != FromMixture && b.finite() {
		return nil
	}
	for i := range b.Prompt {
		if v := b.LogP[i]; bad(v, from == FromPolicy) {
			return fmt.Errorf("coverage: LogP[%d] = %v, of a sample from the %v", i, v, from)
		}
		if v := b.LogRef[i]; bad(v, from == FromRef) {
			return fmt.Errorf("coverage: LogRef[%d] = %v, of a sample from the %v", i, v, from)
		}
		if from == FromMixture && bad(b.LogFrom[i], true) {
			return fmt.Errorf("coverage: LogFrom[%d] = %v, of a sample from the %v", i, b.LogFrom[i], from)
		}
	}
	return nil
}

// finite reports whether all log-probabilities are, if it is quick to tell: a sum is finite only if
// its terms are.
func (b Batch) finite() bool {
	s := elem.Sum(b.LogP) + elem.Sum(b.LogRef)
	return s-s == 0
}

func bad(v float64, drawn bool) bool {
	return math.IsNaN(v) || math.IsInf(v, 1) || drawn && math.IsInf(v, -1)
}

// logWeights returns the logarithms of π/from, the weight that makes a mean over samples one
// over π, and of π_ref/from; and ℓ = log π/π_ref.
func (b Batch) logWeights(from Source, i int) (logw, logref, l float64) {
	l = logRatio(b.LogP[i], b.LogRef[i])
	switch from {
	case FromRef:
		return l, 0, l
	case FromMixture:
		return b.LogP[i] - b.LogFrom[i], b.LogRef[i] - b.LogFrom[i], l
	}
	return 0, -l, l
}

// chunk samples go through each step together: what is between the steps stays in the nearest cache.
const chunk = 512

// chunks calls f for the parts of a batch, until an error.
func (b Batch) chunks(f func(Batch) error) error {
	for lo := 0; lo < len(b.Prompt); lo += chunk {
		if err := f(b.slice(lo, min(lo+chunk, len(b.Prompt)))); err != nil {
			return err
		}
	}
	return nil
}

func (b Batch) slice(lo, hi int) Batch {
	c := Batch{Prompt: b.Prompt[lo:hi], LogP: b.LogP[lo:hi], LogRef: b.LogRef[lo:hi]}
	if b.LogFrom != nil {
		c.LogFrom = b.LogFrom[lo:hi]
	}
	return c
}

// runs calls f for the ranges of neighbours with equal prompts.
func (b Batch) runs(f func(lo, hi int)) {
	for lo := 0; lo < len(b.Prompt); {
		hi := lo + 1
		for hi < len(b.Prompt) && b.Prompt[hi] == b.Prompt[lo] {
			hi++
		}
		f(lo, hi)
		lo = hi
	}
}
